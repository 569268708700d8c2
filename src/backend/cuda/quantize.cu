#include "backend/cuda/quantize.h"

#include "backend/cuda/quantize_pass.cuh"

namespace hangar::cuda {
namespace {

struct Fp8Target {
  std::uint8_t* data;
  std::int64_t stride;
  float* scales;

  struct Row {
    std::uint8_t* data;
    float* to_scale;

    __device__ void scale(float value) const { *to_scale = value; }
    template <int kWidth>
    __device__ __forceinline__ void put(int column, const float (&values)[kWidth], float factor,
                                        bool there) const {
      if (!there) return;
      if constexpr (kWidth == 1) {
        data[column] = static_cast<std::uint8_t>(floats_to_e4m3(values[0] * factor, 0.0F) & 0xFFU);
      } else {
        *reinterpret_cast<uint2*>(data + column) = to_e4m3(values, factor);
      }
    }
  };
  __device__ Row row(std::int64_t r) const { return {data + r * stride, scales + r}; }
};

// `is_wide`: of what is read.
template <typename Source>
void launch_quantize(const Launch& launch, const QuantizedRows& out, const Source& source,
                     std::int64_t rows, std::int64_t columns, bool is_wide, float eps = 0.0F) {
  const bool all_wide =
      is_wide && reinterpret_cast<std::uintptr_t>(out.data) % 8 == 0 && out.stride % 8 == 0;
  const Fp8Target target{static_cast<std::uint8_t*>(out.data), out.stride, out.scales};
  with_width(all_wide, [&](auto width) {
    run_quantize<decltype(width)::value>(launch, target, source, rows, columns, columns, eps);
  });
}

}  // namespace

void quantize_rows(const Launch& launch, const QuantizedRows& out, Activation x) {
  if (x.rows == 0 || x.columns == 0) return;
  with_type(x.dtype, [&](auto type) {
    using X = typename decltype(type)::Type;
    launch_quantize(launch, out, Plain<X>{Rows<X>(x)}, x.rows, x.columns, wide(x, x.columns));
  });
}

void quantize_normed_rows(const Launch& launch, const QuantizedRows& out, Activation x,
                          const float* weight, float eps) {
  if (x.rows == 0 || x.columns == 0) return;
  with_type(x.dtype, [&](auto type) {
    using X = typename decltype(type)::Type;
    launch_quantize(launch, out, Normed<X>{{Rows<X>(x)}, weight}, x.rows, x.columns,
                    wide(x, x.columns) && wide(weight), eps);
  });
}

void quantize_gated_rows(const Launch& launch, const QuantizedRows& out, Activation gate,
                         Activation up, GateFunction f) {
  if (gate.rows != up.rows || gate.columns != up.columns || gate.dtype != up.dtype ||
      !Gate::knows(f)) {
    throw std::invalid_argument("a gate and an up of other sizes or types, or another function");
  }
  if (gate.rows == 0 || gate.columns == 0) return;
  with_type(gate.dtype, [&](auto type) {
    using X = typename decltype(type)::Type;
    launch_quantize(launch, out, Gated<X>{Rows<X>(gate), Rows<X>(up), f}, gate.rows, gate.columns,
                    wide(gate, gate.columns) && wide(up, up.columns));
  });
}

}  // namespace hangar::cuda
