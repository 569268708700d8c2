// x of a product of one or two rows, on its way to shared memory.
//
// Promise: copy_rows() brings rows of 16 bits as they are, norm_rows() rows of float32 after an RMS
//   norm; both wait for the kernel before (a norm's weights are read until then) and have zeros
//   behind the last column. A row's bits depend on that row and the number of threads alone.
// Shapes: pieces of eight columns: thread t brings pieces t, t + threads, and so on.
// Threads: device functions, of all threads that multiply: whole warps, the block's first.
#pragma once

#include <cstdint>

#include "backend/cuda/direct.h"
#include "backend/cuda/element_io.cuh"
#include "backend/cuda/hopper.cuh"
#include "backend/cuda/product.h"

namespace hangar::cuda::direct {

struct Source {
  const void* data = nullptr;  // of 16 bits, or, normed, of float32
  std::int64_t stride = 0;
  std::int32_t columns = 0;
  float eps = 0.0F;
  const float* norm = nullptr;

  Source() = default;
  explicit Source(const Product& product)
      : data(product.x),
        stride(product.x_stride),
        columns(static_cast<std::int32_t>(product.columns)),
        eps(product.norm.eps),
        norm(product.norm.weight) {}
};

// Whether a product's rows lie so that they can be read.
inline bool can_read(const Product& product) {
  const bool normed = product.norm.weight != nullptr;
  const Activation x{const_cast<void*>(product.x), product.rows, product.columns,
                     normed ? DType::kF32 : product.type, product.x_stride};
  return wide(x, x.columns) && (!normed || wide(product.norm.weight));
}

#if __CUDA_ARCH__ >= 900

__device__ __forceinline__ void sync(int threads) {
  asm volatile("bar.sync 1, %0;" ::"r"(threads) : "memory");
}

// Over all threads, the same in each: the first kSums as sums, the others, of no negative numbers,
// as the largest.
template <int kSums, int kCount>
__device__ __forceinline__ void join_threads(float (&values)[kCount], int threads) {
  __shared__ float of_warps[kCount][kMostDirectWarps];
  const int thread = static_cast<int>(threadIdx.x);
  const auto join = [](int i, float a, float b) { return i < kSums ? a + b : fmaxf(a, b); };
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
      values[i] = join(i, values[i], __shfl_xor_sync(~0U, values[i], offset));
    }
    if (thread % 32 == 0) of_warps[i][thread / 32] = values[i];
  }
  sync(threads);
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    values[i] = 0.0F;
    for (int warp = 0; warp < threads / 32; ++warp) {
      values[i] = join(i, values[i], of_warps[i][warp]);
    }
  }
}

// To place(row, piece), 16 bytes each, which the same thread may read then.
template <int kRows, typename Place>
__device__ __forceinline__ void copy_rows(const Source& x, int pieces, int threads,
                                          const Place& place) {
  cudaGridDependencySynchronize();
  for (int piece = static_cast<int>(threadIdx.x); piece < pieces; piece += threads) {
    const int column = 8 * piece;
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      const auto* from = static_cast<const std::uint16_t*>(x.data) + row * x.stride;
      const bool inside = column < x.columns;
      asm volatile(
          "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(place(row, piece))),
          "l"(from + (inside ? column : 0)), "r"(inside ? 16 : 0)
          : "memory");
    }
  }
  asm volatile("cp.async.wait_all;" ::: "memory");
}

__device__ __forceinline__ void read_piece(const float* row, int columns, int piece,
                                           float (&values)[8]) {
#pragma unroll
  for (float& value : values) value = 0.0F;
  if (8 * piece < columns) load<8>(row + 8 * piece, values);
}

// put(row, piece, normed numbers), after know(the rows' largest magnitudes), where kLargest says
// that it is wanted.
template <int kRows, bool kLargest, typename Know, typename Put>
__device__ __forceinline__ void norm_rows(const Source& x, int pieces, int threads,
                                          const Know& know, const Put& put) {
  constexpr int kKept = 2 / kRows;  // pieces; others are read again
  const int thread = static_cast<int>(threadIdx.x);
  float weights[kKept][8];  // nobody's output
#pragma unroll
  for (int k = 0; k < kKept; ++k) read_piece(x.norm, x.columns, thread + k * threads, weights[k]);
  cudaGridDependencySynchronize();
  const auto read_x = [&](int row, int piece, float(&values)[8]) {
    read_piece(static_cast<const float*>(x.data) + row * x.stride, x.columns, piece, values);
  };
  float held[kKept][kRows][8];
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
#pragma unroll
    for (int row = 0; row < kRows; ++row) read_x(row, thread + k * threads, held[k][row]);
  }
  float of_rows[kLargest ? 2 * kRows : kRows] = {};  // squares, and largest magnitudes
  const auto count = [&](int row, const float(&values)[8], const float(&by)[8]) {
#pragma unroll
    for (const float value : values) of_rows[row] += value * value;
    if constexpr (kLargest) {
      float& largest = of_rows[kRows + row];
#pragma unroll
      for (int i = 0; i < 8; ++i) largest = fmaxf(largest, fabsf(values[i] * by[i]));
    }
  };
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
#pragma unroll
    for (int row = 0; row < kRows; ++row) count(row, held[k][row], weights[k]);
  }
  float values[8];
  float more[8];
  for (int piece = thread + kKept * threads; piece < pieces; piece += threads) {
    if constexpr (kLargest) read_piece(x.norm, x.columns, piece, more);
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      read_x(row, piece, values);
      count(row, values, more);
    }
  }
  join_threads<kRows>(of_rows, threads);
  float factors[kRows];
#pragma unroll
  for (int row = 0; row < kRows; ++row) {
    factors[row] = 1.0F / sqrtf(of_rows[row] / static_cast<float>(x.columns) + x.eps);
  }
  if constexpr (kLargest) {
    float largest[kRows];
#pragma unroll
    for (int row = 0; row < kRows; ++row) largest[row] = of_rows[kRows + row] * factors[row];
    know(largest);
  }
  const auto put_normed = [&](int row, int piece, const float(&x_values)[8], const float(&by)[8]) {
    if (piece >= pieces) return;
    float normed[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) normed[i] = x_values[i] * factors[row] * by[i];
    put(row, piece, normed);
  };
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      put_normed(row, thread + k * threads, held[k][row], weights[k]);
    }
  }
  for (int piece = thread + kKept * threads; piece < pieces; piece += threads) {
    read_piece(x.norm, x.columns, piece, more);
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      read_x(row, piece, values);
      put_normed(row, piece, values, more);
    }
  }
}

#endif

}  // namespace hangar::cuda::direct
