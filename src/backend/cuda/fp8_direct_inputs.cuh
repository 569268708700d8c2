// x of an FP8 product of one or two rows: in shared memory, in F16, as the matrix unit takes it.
//
// Promise: Fp8Inputs<X, rows>::fill() puts rows there, of F16 as they are; of BF16, or of float32
//   after an RMS norm, each times a power of two that brings its largest magnitude to 2^13 or
//   more, below 2^14 (a row of tiny numbers: as near as float32 can): units[row] takes that back. A
//   row's bits depend on that row and the number of threads alone.
// Shapes: block after block of 64 columns; in each the even pieces of eight columns, then the odd
//   ones; of these row after row four pieces side by side: quad q's columns 16 q to 16 q + 15.
// Threads: device functions, of all threads that multiply.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstring>
#include <type_traits>

#include "backend/cuda/direct_rows.cuh"

namespace hangar::cuda::fp8 {

#if __CUDA_ARCH__ >= 900

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
      direct::norm_rows<kRows, true>(
          x, pieces_, threads_,
          [&](const float(&largest)[kRows]) { choose(largest, factors, units); },
          [&](int row, int piece, const float(&normed)[8]) {
            put(row, piece, normed, factors[row]);
          });
    } else {
      direct::copy_rows<kRows>(x, pieces_, threads_, place);
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
    direct::join_threads<0>(largest, threads_);
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
