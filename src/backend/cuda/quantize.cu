#include "backend/cuda/quantize.h"

#include <cuda_fp8.h>

#include "backend/cuda/element_io.cuh"
#include "backend/cuda/gate.cuh"

namespace hangar::cuda {
namespace {

constexpr int kMostThreads = 1024;
constexpr float kLargest = 448.0F;  // of e4m3

struct Target {
  std::uint8_t* data;
  std::int64_t stride;
  float* scales;
};

__device__ std::uint8_t to_e4m3(float value) {
  return __nv_cvt_float_to_fp8(value, __NV_SATFINITE, __NV_E4M3);
}

template <int kWidth>
__device__ void store_e4m3(std::uint8_t* to, const float (&values)[kWidth], float factor) {
  std::uint8_t bytes[kWidth];
#pragma unroll
  for (int i = 0; i < kWidth; ++i) bytes[i] = to_e4m3(values[i] * factor);
  if constexpr (kWidth == 1) {
    *to = bytes[0];
  } else {
    uint2 word;
    memcpy(&word, bytes, sizeof(word));
    *reinterpret_cast<uint2*>(to) = word;
  }
}

// What is quantized: kWidth numbers of a row, before a norm's factor; `squares` adds up theirs.
template <typename T>
struct Plain {
  static constexpr bool kNormed = false;
  using X = T;
  Rows<X> x;

  template <int kWidth>
  __device__ void read(std::int64_t row, int column, float (&values)[kWidth],
                       float& /*squares*/) const {
    load<kWidth>(x.row(row) + column, values);
  }
};

template <typename T>
struct Normed {
  static constexpr bool kNormed = true;
  using X = T;
  Rows<X> x;
  const float* weight;

  template <int kWidth>
  __device__ void read(std::int64_t row, int column, float (&values)[kWidth],
                       float& squares) const {
    load<kWidth>(x.row(row) + column, values);
    float weights[kWidth];
    load<kWidth>(weight + column, weights);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      squares += values[i] * values[i];
      values[i] *= weights[i];
    }
  }
};

template <typename T>
struct Gated {
  static constexpr bool kNormed = false;
  using X = T;
  Rows<X> gate;
  Rows<X> up;
  GateFunction function;

  template <int kWidth>
  __device__ void read(std::int64_t row, int column, float (&values)[kWidth],
                       float& /*squares*/) const {
    const Gate f(function);
    float ups[kWidth];
    load<kWidth>(gate.row(row) + column, values);
    load<kWidth>(up.row(row) + column, ups);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = f(values[i], ups[i]);
  }
};

// A block for each row: what is read once is kept as far as there are registers, the rest read
// again.
template <int kWidth, typename Source>
__global__ void __launch_bounds__(kMostThreads)
    quantize_kernel(Target out, Source source, int columns, float eps) {
  constexpr int kKept = kWidth == 1 ? 8 : 2;
  const int step = static_cast<int>(blockDim.x) * kWidth;
  const int first = static_cast<int>(threadIdx.x) * kWidth;
  const std::int64_t row = blockIdx.x;
  begin_reading();
  float squares = 0.0F;
  float largest = 0.0F;
  const auto read = [&](int column, float(&values)[kWidth]) {
    source.read(row, column, values, squares);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) largest = fmaxf(largest, fabsf(values[i]));
  };
  float held[kKept][kWidth];
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
    if (first + k * step < columns) read(first + k * step, held[k]);
  }
  float values[kWidth];
  for (int column = first + kKept * step; column < columns; column += step) read(column, values);
  largest = join_over_block(largest, [](float a, float b) { return fmaxf(a, b); }, 0.0F);
  float norm = 1.0F;
  if constexpr (Source::kNormed) {
    squares = join_over_block(squares, [](float a, float b) { return a + b; }, 0.0F);
    norm = 1.0F / sqrtf(squares / static_cast<float>(columns) + eps);
  }
  // The norm's factor goes into the scale alone.
  const float factor = largest > 0.0F ? kLargest / largest : 0.0F;
  if (threadIdx.x == 0) out.scales[row] = largest > 0.0F ? norm * (largest / kLargest) : 0.0F;
  std::uint8_t* to = out.data + row * out.stride;
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
    if (first + k * step < columns) store_e4m3(to + first + k * step, held[k], factor);
  }
  for (int column = first + kKept * step; column < columns; column += step) {
    read(column, values);
    store_e4m3(to + column, values, factor);
  }
}

// `is_wide`: of what is read.
template <typename Source>
void launch_quantize(const Launch& launch, const QuantizedRows& out, const Source& source,
                     std::int64_t rows, std::int64_t columns, bool is_wide, float eps = 0.0F) {
  const bool all_wide =
      is_wide && reinterpret_cast<std::uintptr_t>(out.data) % 8 == 0 && out.stride % 8 == 0;
  const Target target{static_cast<std::uint8_t*>(out.data), out.stride, out.scales};
  with_width(all_wide, [&](auto width) {
    constexpr int kWidth = decltype(width)::value;
    const std::int64_t pieces = (columns + kWidth - 1) / kWidth;
    const std::int64_t threads = pieces < kMostThreads ? (pieces + 31) / 32 * 32 : kMostThreads;
    launch_kernel(launch, quantize_kernel<kWidth, Source>, dim3(static_cast<unsigned>(rows)),
                  dim3(static_cast<unsigned>(threads)), 0, target, source,
                  static_cast<int>(columns), eps);
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
    launch_quantize(launch, out, Normed<X>{Rows<X>(x), weight}, x.rows, x.columns,
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
