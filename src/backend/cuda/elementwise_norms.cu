#include "backend/cuda/element_io.cuh"
#include "backend/cuda/elementwise.h"

namespace hangar::cuda {
namespace {

constexpr int kMostThreads = 1024;

// How much of a row a thread keeps between the two passes; what lies beyond is read again.
template <int kWidth>
inline constexpr int kHeld = kWidth == 1 ? 8 : 2;

__device__ float block_sum(float value) {
  return join_over_block(value, [](float a, float b) { return a + b; }, 0.0F);
}

template <int kWidth>
__device__ float sum_of_squares(const float (&values)[kWidth]) {
  float sum = 0.0F;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sum += values[i] * values[i];
  return sum;
}

template <int kWidth, typename Out>
__device__ void store_normed(Out* to, const float (&values)[kWidth], const float (&weight)[kWidth],
                             float factor) {
  float normed[kWidth];
#pragma unroll
  for (int i = 0; i < kWidth; ++i) normed[i] = values[i] * factor * weight[i];
  store<kWidth>(to, normed);
}

// A block for each row.
template <int kWidth, typename Out, typename X>
__global__ void __launch_bounds__(kMostThreads)
    norm_kernel(Rows<Out> out, Rows<X> x, const float* weight, int columns, float eps) {
  const int step = static_cast<int>(blockDim.x) * kWidth;
  const int first = static_cast<int>(threadIdx.x) * kWidth;
  const std::int64_t row = blockIdx.x;
  constexpr int kKept = kHeld<kWidth>;
  // The weights are nobody's output: they can come before the wait.
  float weights[kKept][kWidth];
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
    if (first + k * step < columns) load<kWidth>(weight + first + k * step, weights[k]);
  }
  begin_reading();
  X* from = x.row(row);
  Out* to = out.row(row);
  float held[kKept][kWidth];
  float squares = 0.0F;
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
    const int column = first + k * step;
    if (column >= columns) continue;
    load<kWidth>(from + column, held[k]);
    squares += sum_of_squares(held[k]);
  }
  float values[kWidth];
  for (int column = first + kKept * step; column < columns; column += step) {
    load<kWidth>(from + column, values);
    squares += sum_of_squares(values);
  }
  const float factor = 1.0F / sqrtf(block_sum(squares) / static_cast<float>(columns) + eps);
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
    const int column = first + k * step;
    if (column < columns) store_normed(to + column, held[k], weights[k], factor);
  }
  for (int column = first + kKept * step; column < columns; column += step) {
    float more[kWidth];
    load<kWidth>(from + column, values);
    load<kWidth>(weight + column, more);
    store_normed(to + column, values, more, factor);
  }
}

// Lanes that share a head.
template <int kWidth>
inline constexpr int kHeadLanes = kWidth == 1 ? 32 : 16;
constexpr int kHeadThreads = 256;

template <int kWidth, typename T>
__global__ void __launch_bounds__(kHeadThreads)
    head_norm_kernel(Rows<T> x, std::int64_t all_heads, int heads, int head_dim,
                     const float* weight, float eps) {
  constexpr int kLanes = kHeadLanes<kWidth>;
  constexpr int kKept = kHeld<kWidth>;
  constexpr int kStep = kLanes * kWidth;
  const int first = static_cast<int>(threadIdx.x) % kLanes * kWidth;
  const std::int64_t head =
      static_cast<std::int64_t>(blockIdx.x) * (kHeadThreads / kLanes) + threadIdx.x / kLanes;
  const bool there = head < all_heads;
  begin_reading();
  T* data = there ? x.row(head / heads) + head % heads * head_dim : nullptr;
  const int end = there ? head_dim : 0;
  float held[kKept][kWidth];
  float values[kWidth];
  float squares = 0.0F;
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
    if (first + k * kStep >= end) continue;
    load<kWidth>(data + first + k * kStep, held[k]);
    squares += sum_of_squares(held[k]);
  }
  for (int at = first + kKept * kStep; at < end; at += kStep) {
    load<kWidth>(data + at, values);
    squares += sum_of_squares(values);
  }
#pragma unroll
  for (int offset = kLanes / 2; offset > 0; offset /= 2) {
    squares += __shfl_xor_sync(~0U, squares, offset);
  }
  const float factor = 1.0F / sqrtf(squares / static_cast<float>(head_dim) + eps);
  float weights[kWidth];
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
    const int at = first + k * kStep;
    if (at >= end) continue;
    load<kWidth>(weight + at, weights);
    store_normed(data + at, held[k], weights, factor);
  }
  for (int at = first + kKept * kStep; at < end; at += kStep) {
    load<kWidth>(data + at, values);
    load<kWidth>(weight + at, weights);
    store_normed(data + at, values, weights, factor);
  }
}

template <int kWidth, typename Out, typename X>
void launch_norm(const Launch& launch, const Activation& out, const Activation& x,
                 const float* weight, float eps) {
  std::int64_t pieces = (x.columns + kWidth - 1) / kWidth;
  // Enough rows to fill the card with blocks: fewer threads, with more under way each.
  constexpr std::int64_t kBlocksEach = 8;
  const bool many = x.rows > kBlocksEach * launch.processors && !launch.deterministic;
  if (many) pieces = (pieces + kHeld<kWidth> - 1) / kHeld<kWidth>;
  const auto threads = static_cast<unsigned>(pieces < kMostThreads ? (pieces + 31) / 32 * 32
                                                                   : std::int64_t{kMostThreads});
  launch_kernel(launch, norm_kernel<kWidth, Out, X>, dim3(static_cast<unsigned>(x.rows)),
                dim3(threads), 0, Rows<Out>(out), Rows<X>(x), weight, static_cast<int>(x.columns),
                eps);
}

}  // namespace

void rms_norm(const Launch& launch, Activation out, Activation x, const float* weight, float eps) {
  if (x.rows == 0 || x.columns == 0) return;
  const bool all_wide = wide(out, x.columns) && wide(x, x.columns) && wide(weight);
  with_types(out.dtype, x.dtype, [&](auto out_type, auto x_type) {
    with_width(all_wide, [&](auto width) {
      using Out = typename decltype(out_type)::Type;
      using X = typename decltype(x_type)::Type;
      launch_norm<decltype(width)::value, Out, X>(launch, out, x, weight, eps);
    });
  });
}

void head_norm(const Launch& launch, Activation x, std::int32_t head_dim, const float* weight,
               float eps) {
  if (x.rows == 0 || x.columns == 0) return;
  const std::int64_t heads = x.columns / head_dim;
  const std::int64_t all_heads = x.rows * heads;
  const bool all_wide = wide(x, x.columns) && head_dim % kWideElements == 0 && wide(weight);
  with_type(x.dtype, [&](auto type) {
    with_width(all_wide, [&](auto width) {
      using T = typename decltype(type)::Type;
      constexpr int kWidth = decltype(width)::value;
      constexpr std::int64_t kHeads = kHeadThreads / kHeadLanes<kWidth>;
      launch_kernel(launch, head_norm_kernel<kWidth, T>,
                    dim3(static_cast<unsigned>((all_heads + kHeads - 1) / kHeads)),
                    dim3(kHeadThreads), 0, Rows<T>(x), all_heads, static_cast<int>(heads), head_dim,
                    weight, eps);
    });
  });
}

}  // namespace hangar::cuda
