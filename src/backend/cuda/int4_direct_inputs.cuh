// x of a 4-bit product of one or two rows: in shared memory, in 16 bits, as the matrix unit takes
// it.
//
// Promise: DirectInputs::fill() puts rows of T there as they are, or, normed, rows of float32 after
//   an RMS norm, rounded to T as rms_norm() rounds; and each group's sum of what is there. Columns
//   behind the end are zeros. A row's bits depend on that row and the number of threads alone.
//   u's four bits in the low byte of a T are the number u * DirectUnits<T>::kLow / kX, in the high
//   half of that byte 16 times it: both T's are evenly spaced there, being subnormal (or one binade
//   above). BF16's are so small that x is taken times kX, a power of two: exact, but infinite from
//   2^64 on.
// Shapes: block after block of 128 columns, in each four pieces of 32 columns, in each row after
//   row 64 bytes: quad q's (16 bytes) are columns 4 q, 4 q + 2, 4 q + 1, 4 q + 3 of the first 16
//   columns and of the second: mma.m16n8k16's k = 2 q, 2 q + 1, 2 q + 8, 2 q + 9. Sums: block after
//   block, groups, rows: times kLow and times kHigh.
// Threads: device functions, of all threads that multiply.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "backend/cuda/direct_rows.cuh"
#include "backend/cuda/element_io.cuh"
#include "backend/cuda/int4_plan.h"

namespace hangar::cuda::int4 {

template <typename T>
struct DirectUnits;
template <>
struct DirectUnits<__nv_bfloat16> {
  static constexpr float kX = 0x1p64F;
  static constexpr float kLow = 0x1p-69F;
  static constexpr float kHigh = 0x1p-65F;
};
template <>
struct DirectUnits<__half> {
  static constexpr float kX = 1.0F;
  static constexpr float kLow = 0x1p-24F;
  static constexpr float kHigh = 0x1p-20F;
};

#if __CUDA_ARCH__ >= 900

template <typename T, int kRows, int kGroups>
class DirectInputs {
 public:
  static constexpr int kBlockBytes = 256 * kRows;

  __device__ __forceinline__ DirectInputs(std::byte* numbers, int blocks, int threads)
      : numbers_(numbers),
        sums_(reinterpret_cast<float2*>(numbers + blocks * kBlockBytes)),
        pieces_(blocks * kBlockPieces),
        threads_(threads),
        thread_(static_cast<int>(threadIdx.x)) {}

  // Waits for the kernel before. What is there may be read after the next barrier.
  __device__ __forceinline__ void fill(const direct::Source& x) const {
    const auto place = [this](int row, int piece) { return four(row, piece) + piece % 4 * 16; };
    if (x.norm != nullptr) {
      const auto put = [&](int row, int piece, const float(&normed)[8]) {
        store<8>(reinterpret_cast<T*>(place(row, piece)), normed);
      };
      direct::norm_rows<kRows, false>(x, pieces_, threads_, nullptr, put);
    } else {
      direct::copy_rows<kRows>(x, pieces_, threads_, place);
    }
    // A thread goes on with the pieces that it brought.
#pragma unroll 1
    for (int first = 0; first < pieces_; first += threads_) {
#pragma unroll
      for (int row = 0; row < kRows; ++row) arrange(row, first + thread_);
    }
  }

 private:
  static constexpr int kBlockPieces = 16;  // of eight columns

  // Where four pieces lie, in their order at first.
  __device__ __forceinline__ std::byte* four(int row, int piece) const {
    return numbers_ + piece / 4 * (64 * kRows) + row * 64;
  }

  // Of whole warps, whose threads have pieces side by side: into the matrix unit's order, and sums.
  __device__ __forceinline__ void arrange(int row, int piece) const {
    using Units = DirectUnits<T>;
    constexpr int kGroupPieces = kBlockPieces / kGroups;
    if (piece - thread_ % 32 >= pieces_) return;
    std::byte* const at = four(row, piece);
    uint4 words{};
    if (piece < pieces_) words = *reinterpret_cast<const uint4*>(at + piece % 4 * 16);
    T elements[8];
    memcpy(static_cast<void*>(elements), &words, sizeof(words));
    float sum = 0.0F;
#pragma unroll
    for (const T element : elements) sum += to_float(element);
#pragma unroll
    for (int offset = kGroupPieces / 2; offset > 0; offset /= 2) {
      sum += __shfl_xor_sync(~0U, sum, offset);
    }
    __syncwarp();  // all have read theirs
    if (piece >= pieces_) return;
    if constexpr (std::is_same_v<T, __nv_bfloat16>) {
      __nv_bfloat162 pairs[4];
      memcpy(static_cast<void*>(pairs), &words, sizeof(words));
#pragma unroll
      for (__nv_bfloat162& pair : pairs) pair = __hmul2(pair, __float2bfloat162_rn(Units::kX));
      memcpy(&words, static_cast<const void*>(pairs), sizeof(words));
    }
    std::byte* const to = at + piece % 2 * 32 + piece / 2 % 2 * 8;
    *reinterpret_cast<uint2*>(to) =
        make_uint2(__byte_perm(words.x, words.y, 0x5410), __byte_perm(words.x, words.y, 0x7632));
    *reinterpret_cast<uint2*>(to + 16) =
        make_uint2(__byte_perm(words.z, words.w, 0x5410), __byte_perm(words.z, words.w, 0x7632));
    if (piece % kGroupPieces != 0) return;
    sums_[piece / kGroupPieces * kRows + row] = make_float2(sum * Units::kLow, sum * Units::kHigh);
  }

  std::byte* numbers_;
  float2* sums_;
  int pieces_;
  int threads_;
  int thread_;
};

#endif

}  // namespace hangar::cuda::int4
