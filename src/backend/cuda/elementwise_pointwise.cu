#include "backend/cuda/element_io.cuh"
#include "backend/cuda/elementwise.h"
#include "backend/cuda/gate.cuh"

namespace hangar::cuda {
namespace {

struct Bias {
  const float* bias;
  template <int kWidth>
  __device__ void operator()(std::int64_t column, float (&x)[kWidth]) const {
    // Not as a vector: biases of a part of a matrix may begin anywhere, and all come from a cache.
#pragma unroll
    for (int i = 0; i < kWidth; ++i) x[i] += bias[column + i];
  }
};

struct Scale {
  float factor;
  template <int kWidth>
  __device__ void operator()(std::int64_t /*column*/, float (&x)[kWidth]) const {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) x[i] *= factor;
  }
};

struct Softcap {
  float cap;
  template <int kWidth>
  __device__ void operator()(std::int64_t /*column*/, float (&x)[kWidth]) const {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) x[i] = cap * tanhf(x[i] / cap);
  }
};

template <int kWidth, typename T, typename F>
__global__ void in_place_kernel(Rows<T> x, int columns, F f) {
  const std::int64_t column = column_of_thread(kWidth);
  begin_reading();
  if (column >= columns) return;
  T* at = x.row(blockIdx.x) + column;
  float values[kWidth];
  load<kWidth>(at, values);
  f(column, values);
  store<kWidth>(at, values);
}

template <int kWidth, typename X, typename Y>
__global__ void add_kernel(Rows<X> x, Rows<Y> y, int columns) {
  const std::int64_t column = column_of_thread(kWidth);
  begin_reading();
  if (column >= columns) return;
  X* at = x.row(blockIdx.x) + column;
  float values[kWidth];
  float more[kWidth];
  load<kWidth>(at, values);
  load<kWidth>(y.row(blockIdx.x) + column, more);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) values[i] += more[i];
  store<kWidth>(at, values);
}

template <int kWidth, typename T>
__global__ void gate_kernel(Rows<T> out, Rows<T> gate, Rows<T> up, int columns, GateFunction f) {
  const std::int64_t column = column_of_thread(kWidth);
  begin_reading();
  if (column >= columns) return;
  float values[kWidth];
  float factors[kWidth];
  load<kWidth>(gate.row(blockIdx.x) + column, values);
  load<kWidth>(up.row(blockIdx.x) + column, factors);
  const AnyGate function(f);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) values[i] = function(values[i], factors[i]);
  store<kWidth>(out.row(blockIdx.x) + column, values);
}

template <typename F>
void change(const Launch& launch, const Activation& x, F f) {
  if (x.rows == 0 || x.columns == 0) return;
  with_type(x.dtype, [&](auto type) {
    with_width(wide(x, x.columns), [&](auto width) {
      using T = typename decltype(type)::Type;
      constexpr int kWidth = decltype(width)::value;
      const RowGrid threads(x.rows, x.columns, kWidth);
      launch_kernel(launch, in_place_kernel<kWidth, T, F>, threads.grid, threads.block, 0,
                    Rows<T>(x), static_cast<int>(x.columns), f);
    });
  });
}

}  // namespace

void add_bias(const Launch& launch, Activation y, const float* bias) {
  change(launch, y, Bias{bias});
}

void scale(const Launch& launch, Activation x, float factor) {
  change(launch, x, Scale{factor});
}

void softcap(const Launch& launch, Activation x, float cap) {
  change(launch, x, Softcap{cap});
}

void add(const Launch& launch, Activation x, Activation y) {
  if (x.rows == 0 || x.columns == 0) return;
  with_full_or_same(x.dtype, y.dtype, [&](auto x_type, auto y_type) {
    with_width(wide(x, x.columns) && wide(y, x.columns), [&](auto width) {
      using X = typename decltype(x_type)::Type;
      using Y = typename decltype(y_type)::Type;
      constexpr int kWidth = decltype(width)::value;
      const RowGrid threads(x.rows, x.columns, kWidth);
      launch_kernel(launch, add_kernel<kWidth, X, Y>, threads.grid, threads.block, 0, Rows<X>(x),
                    Rows<Y>(y), static_cast<int>(x.columns));
    });
  });
}

void gate_mul(const Launch& launch, Activation out, Activation gate, Activation up,
              GateFunction f) {
  if (out.rows == 0 || out.columns == 0) return;
  if (gate.dtype != out.dtype || up.dtype != out.dtype) {
    throw std::invalid_argument("gate_mul: activations of more than one type");
  }
  const std::int64_t columns = out.columns;
  with_type(out.dtype, [&](auto type) {
    with_width(wide(out, columns) && wide(gate, columns) && wide(up, columns), [&](auto width) {
      using T = typename decltype(type)::Type;
      constexpr int kWidth = decltype(width)::value;
      const RowGrid threads(out.rows, columns, kWidth);
      launch_kernel(launch, gate_kernel<kWidth, T>, threads.grid, threads.block, 0, Rows<T>(out),
                    Rows<T>(gate), Rows<T>(up), static_cast<int>(columns), f);
    });
  });
}

}  // namespace hangar::cuda
