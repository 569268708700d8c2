// x of an FP8 product of one or two rows: in shared memory, in F16, as the matrix unit takes it.
//
// Promise: Fp8Inputs<X, rows>::fill() puts rows there, of F16 as they are; of BF16, or of float32
//   after an RMS norm, each times a power of two that brings its largest magnitude to 2^13 or
//   more, below 2^14 (a row of tiny numbers: as near as float32 can): units[row] takes that back. A
//   row's bits depend on that row and the number of threads alone. copy_rows() brings rows of 16
//   bits as they are, norm_rows() rows of float32 after an RMS norm; both wait for the kernel
//   before (a norm's weights are read until then) and have zeros behind the last column.
// Shapes: block after block of 64 columns; in each the even pieces of eight columns, then the odd
//   ones; of these row after row four pieces side by side: quad q's columns 16 q to 16 q + 15.
//   Thread t brings pieces t, t + threads, and so on.
// Threads: device functions, of all threads that multiply.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstring>
#include <type_traits>

#include "backend/cuda/direct_source.cuh"
#include "backend/cuda/hopper.cuh"

namespace hangar::cuda::fp8 {

#if __CUDA_ARCH__ >= 900

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
  direct::sync(threads);
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
__device__ __forceinline__ void copy_rows(const direct::Source& x, int pieces, int threads,
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

// put(row, piece, normed numbers), after know(the rows' largest magnitudes).
template <int kRows, typename Know, typename Put>
__device__ __forceinline__ void norm_rows(const direct::Source& x, int pieces, int threads,
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
  float of_rows[2 * kRows] = {};  // squares, and largest magnitudes
  const auto count = [&](int row, const float(&values)[8], const float(&by)[8]) {
#pragma unroll
    for (const float value : values) of_rows[row] += value * value;
    float& largest = of_rows[kRows + row];
#pragma unroll
    for (int i = 0; i < 8; ++i) largest = fmaxf(largest, fabsf(values[i] * by[i]));
  };
#pragma unroll
  for (int k = 0; k < kKept; ++k) {
#pragma unroll
    for (int row = 0; row < kRows; ++row) count(row, held[k][row], weights[k]);
  }
  float values[8];
  float more[8];
  for (int piece = thread + kKept * threads; piece < pieces; piece += threads) {
    read_piece(x.norm, x.columns, piece, more);
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
  float largest[kRows];
#pragma unroll
  for (int row = 0; row < kRows; ++row) largest[row] = of_rows[kRows + row] * factors[row];
  know(largest);
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

// X: of what is read; float: with a norm.
template <typename X, int kRows>
class Inputs {
 public:
  static constexpr int kBlockBytes = 128 * kRows;  // of 64 columns

  __device__ __forceinline__ Inputs(std::byte* numbers, int columns, int threads)
      : numbers_(numbers), pieces_(columns / 8), threads_(threads) {}

  // Waits for the kernel before. What is there may be read after the next barrier.
  __device__ __forceinline__ void fill(const direct::Source& x, float (&units)[kRows]) const {
    const auto place = [this](int row, int piece) { return at(row, piece); };
    if constexpr (std::is_same_v<X, float>) {
      float factors[kRows];
      norm_rows<kRows>(
          x, pieces_, threads_,
          [&](const float(&largest)[kRows]) { choose(largest, factors, units); },
          [&](int row, int piece, const float(&normed)[8]) {
            put(row, piece, normed, factors[row]);
          });
    } else {
      copy_rows<kRows>(x, pieces_, threads_, place);
      if constexpr (std::is_same_v<X, __half>) {
#pragma unroll
        for (float& unit : units) unit = 1.0F;
      } else {
        scale(units);
      }
    }
  }

 private:
  __device__ __forceinline__ std::byte* at(int row, int piece) const {
    return numbers_ + piece / 8 * kBlockBytes + piece % 2 * (64 * kRows) + row * 64 +
           piece % 8 / 2 * 16;
  }

  // Powers of two, and one by them: float32's exponents have an offset of 127.
  __device__ static __forceinline__ void choose(const float (&largest)[kRows],
                                                float (&factors)[kRows], float (&units)[kRows]) {
    constexpr unsigned kOffset = 127;
    constexpr unsigned kWanted = 13;
    constexpr unsigned kMost = 2 * kOffset - 1;  // so that one by it is no smaller than normal
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      const unsigned exponent = __float_as_uint(largest[row]) >> 23U;
      const unsigned chosen = min(2 * kOffset + kWanted - exponent, kMost);
      factors[row] = __uint_as_float(chosen << 23U);
      units[row] = __uint_as_float((2 * kOffset - chosen) << 23U);
    }
  }

  __device__ __forceinline__ void put(int row, int piece, const float (&values)[8],
                                      float factor) const {
    float scaled[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) scaled[i] = values[i] * factor;
    store<8>(reinterpret_cast<__half*>(at(row, piece)), scaled);
  }

  // What copy_rows() brought, in its place: a thread goes on with the pieces that it brought.
  __device__ __forceinline__ void scale(float (&units)[kRows]) const {
    const int thread = static_cast<int>(threadIdx.x);
    float values[8];
    float largest[kRows] = {};
    const auto read = [&](int row, int piece) {
      load<8>(reinterpret_cast<const X*>(at(row, piece)), values);
    };
    for (int piece = thread; piece < pieces_; piece += threads_) {
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        read(row, piece);
#pragma unroll
        for (const float value : values) largest[row] = fmaxf(largest[row], fabsf(value));
      }
    }
    join_threads<0>(largest, threads_);
    float factors[kRows];
    choose(largest, factors, units);
    for (int piece = thread; piece < pieces_; piece += threads_) {
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        read(row, piece);
        put(row, piece, values, factors[row]);
      }
    }
  }

  std::byte* numbers_;
  int pieces_;
  int threads_;
};

#endif

}  // namespace hangar::cuda::fp8
