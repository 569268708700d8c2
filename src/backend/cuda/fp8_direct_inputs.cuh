// x of an FP8 product of one or two rows: in shared memory, in F16, as the matrix unit takes it.
//
// Promise: fp8::Inputs<X, rows>::fill() puts what direct::InputRows brings there, each 128 columns
//   of a row times a power of two that brings their largest magnitude to 2^13 or more, below 2^14
//   (where all are below 2^-113: as near to it as that takes them): 16 bits exactly but for numbers
//   2^24 below the largest, what is normed rounded to F16; units() take it back. A row's bits
//   depend on that row and the number of threads alone.
// Shapes: block after block of 64 columns; in each the even pieces of eight columns, then the odd
//   ones; of these row after row four pieces side by side: quad q's columns 16 q to 16 q + 15.
//   Behind all blocks units, for each 128 columns those of all rows.
// Threads: device functions, of all threads that multiply.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>

#include "backend/cuda/direct_rows.cuh"

namespace hangar::cuda::fp8 {

#if __CUDA_ARCH__ >= 900

// X: of what is read; float: with a norm.
template <typename X, int kRows>
class Inputs {
 public:
  static constexpr int kBlockBytes = 128 * kRows;  // of 64 columns

  __device__ __forceinline__ Inputs(std::byte* numbers, int columns)
      : numbers_(numbers),
        units_(reinterpret_cast<float*>(numbers + columns / 64 * kBlockBytes)),
        pieces_(columns / 8) {}

  // Waits for the kernel before. What is put may be read after the next barrier.
  __device__ __forceinline__ void fill(const direct::InputRows<kRows>& rows) const {
    rows.template bring<X>([this](int row, int piece, const float(&values)[8]) {
      constexpr unsigned kLeast = 14;  // so that a unit is no smaller than normal
      const unsigned exponent = direct::group_exponent<1, kLeast>(values);
      if (piece >= pieces_) return;  // not before: lanes ask one another
      const float factor = __uint_as_float((267 - exponent) << 23U);  // 2^13 by 2^(exponent - 127)
      float scaled[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) scaled[i] = values[i] * factor;
      store<8>(reinterpret_cast<__half*>(numbers_ + piece / 8 * kBlockBytes +
                                         piece % 2 * (64 * kRows) + row * 64 + piece % 8 / 2 * 16),
               scaled);
      if (piece % 16 == 0) {
        units_[piece / 16 * kRows + row] = __uint_as_float((exponent - 13) << 23U);
      }
    });
  }

  __device__ __forceinline__ const float* units() const { return units_; }

 private:
  std::byte* numbers_;
  float* units_;
  int pieces_;
};

#endif

}  // namespace hangar::cuda::fp8
