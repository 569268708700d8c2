// x of a product of one or two rows on its way to shared memory.
//
// Promise: bring() reads rows of X, 16 bits as they are, or float32, each number times its column's
//   of an RMS norm, and gives them to split(row, piece, values), zeros behind the last column; what
//   a normed row still lacks, the same for all of it, is factor(): it is known later, and not
//   waited for. It waits for the kernel before (a norm's weights are read until then).
// Shapes: so many pieces of eight columns, a multiple of 16: thread t brings t, t + threads, and so
//   on. A warp's threads call split() together, with pieces side by side; those from `pieces` on
//   are nobody's, and zeros.
// Threads: device functions, of all threads that multiply; factor() after their next barrier.
#pragma once

#include <cstdint>
#include <type_traits>

#include "backend/cuda/direct_source.cuh"
#include "backend/cuda/warp.cuh"

namespace hangar::cuda::direct {

#if __CUDA_ARCH__ >= 900

template <int kRows>
class InputRows {
 public:
  __device__ __forceinline__ InputRows(const Source& x, int pieces, int threads)
      : x_(x), pieces_(pieces), threads_(threads) {}

  __device__ __forceinline__ bool normed() const { return x_.norm != nullptr; }

  template <typename X, typename Split>
  __device__ __forceinline__ void bring(const Split& split) const {
    constexpr bool kNormed = std::is_same_v<X, float>;
    constexpr int kKept = (kNormed ? 2 : 4) / kRows;  // pieces of a row at once
    using Raw = RawElements<X, 8>;
    const int thread = static_cast<int>(threadIdx.x);
    float sums[kRows] = {};
#pragma unroll 1
    for (int first = 0; first < pieces_; first += kKept * threads_) {
      const auto column = [&](int k) { return 8 * (first + k * threads_ + thread); };
      Raw by[kNormed ? kKept : 1] = {};  // nobody's output
      if constexpr (kNormed) {
#pragma unroll
        for (int k = 0; k < kKept; ++k) {
          if (column(k) < x_.columns) by[k].load(x_.norm + column(k));
        }
      }
      if (first == 0) cudaGridDependencySynchronize();
      Raw of[kKept][kRows] = {};
#pragma unroll
      for (int k = 0; k < kKept; ++k) {
        if (column(k) >= x_.columns) continue;
#pragma unroll
        for (int row = 0; row < kRows; ++row) {
          of[k][row].load(static_cast<const X*>(x_.data) + row * x_.stride + column(k));
        }
      }
#pragma unroll
      for (int k = 0; k < kKept; ++k) {
        const int piece = column(k) / 8;
        if (piece - thread % 32 >= pieces_) continue;  // a whole warp's
#pragma unroll
        for (int row = 0; row < kRows; ++row) {
          float values[8];
#pragma unroll
          for (int i = 0; i < 8; ++i) {
            values[i] = of[k][row][i];
            if constexpr (kNormed) {
              sums[row] += values[i] * values[i];
              values[i] *= by[k][i];
            }
          }
          split(row, piece, values);
        }
      }
    }
    if constexpr (kNormed) {
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        const float sum = warp_sum(sums[row]);
        if (thread % 32 == 0) squares()[row * kMostDirectWarps + thread / 32] = sum;
      }
    }
  }

  // 1 by the root of a row's mean square; of rows without a norm, 1.
  __device__ __forceinline__ float factor(int row) const {
    if (!normed()) return 1.0F;
    const float* const sums = squares() + row * kMostDirectWarps;
    float sum = 0.0F;
    for (int warp = 0; warp < threads_ / 32; ++warp) sum += sums[warp];
    return 1.0F / sqrtf(sum / static_cast<float>(x_.columns) + x_.eps);
  }

 private:
  // Of each row, warp by warp.
  __device__ static __forceinline__ float* squares() {
    __shared__ float sums[kRows * kMostDirectWarps];
    return sums;
  }

  const Source& x_;
  int pieces_;
  int threads_;
};

// The exponent, offset 127 as float32 has it, of the largest of 128 / kGroups columns: of a piece
// and those that lanes beside have; of numbers smaller than 2^(kLeast - 127) that. 255: one of them
// is not finite.
template <int kGroups, unsigned kLeast>
__device__ __forceinline__ unsigned group_exponent(const float (&values)[8]) {
  std::uint32_t largest = 0;  // a NaN's bits are larger than all others'
#pragma unroll
  for (const float value : values) largest = max(largest, __float_as_uint(value) & 0x7FFFFFFFU);
#pragma unroll
  for (int offset = 8 / kGroups; offset > 0; offset /= 2) {
    largest = max(largest, __shfl_xor_sync(~0U, largest, offset));
  }
  return max(largest >> 23U, kLeast);
}

#endif

}  // namespace hangar::cuda::direct
