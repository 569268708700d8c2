// x of a 4-bit product of one or two rows: in shared memory, as three int8 numbers each.
//
// Promise: DirectInputs::fill() puts rows of T there, or, of float32 and with a norm, what
//   direct::InputRows brings of them. Each group of columns has a power of two above its largest
//   magnitude; a number is that times v / 2^22, v an integer: exact but for what is 2^14 (BF16) or
//   2^11 (F16) below the group's largest, and then off by 2^-23 of that at most; of numbers below
//   2^-86 the last bits go. v = 65536 hi + 256 mid + lo, each of them an int8: the matrix unit has
//   eight columns, of which a row would use one. Columns behind the end are zeros. A group with a
//   number that is not finite has factors that are no numbers. A row's bits depend on that row and
//   the number of threads alone.
// Shapes: block after block of 128 columns; of each the columns whose / 16 % 8 is 0 to 3, then the
//   others; in each row after row hi, mid, lo, 64 bytes each: quad q's (16 bytes) are columns 4 q
//   to 4 q + 3 of one 16 columns after the other. Behind all blocks, for each block's groups, rows:
//   DirectFactors.
// Threads: device functions, of all threads that multiply.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "backend/cuda/direct_rows.cuh"
#include "backend/cuda/int4_plan.h"

namespace hangar::cuda::int4 {

// What a group's sums are taken times: those of hi and mid, as 256 hi + mid, and of lo, as 256 lo;
// and the sum of the group's numbers, once.
struct alignas(16) DirectFactors {
  float2 of_high;
  float2 of_low;
};

#if __CUDA_ARCH__ >= 900

template <typename T, int kRows, int kGroups>
class DirectInputs {
 public:
  static constexpr int kBlockPieces = 16;  // of eight columns
  static constexpr int kBlockBytes = 3 * 128 * kRows;
  static constexpr int kHalfBytes = kBlockBytes / 2;

  __device__ __forceinline__ DirectInputs(std::byte* numbers, int blocks)
      : numbers_(numbers),
        factors_(reinterpret_cast<DirectFactors*>(numbers + blocks * kBlockBytes)),
        pieces_(blocks * kBlockPieces) {}

  // Waits for the kernel before. What is put may be read after the next barrier.
  __device__ __forceinline__ void fill(const direct::InputRows<kRows>& rows) const {
    const auto split_piece = [this](int row, int piece, const float(&values)[8]) {
      split(row, piece, values);
    };
    if (rows.normed()) {
      rows.template bring<float>(split_piece);
    } else {
      rows.template bring<T>(split_piece);
    }
  }

 private:
  static constexpr int kGroupPieces = kBlockPieces / kGroups;

  // A piece to its place, with its group's factors.
  __device__ __forceinline__ void split(int row, int piece, const float (&values)[8]) const {
    constexpr unsigned kLeast = 40;  // so that a factor by 256 is no smaller than normal
    constexpr unsigned kNotFinite = 255;
    const unsigned exponent = direct::group_exponent<kGroups, kLeast>(values);
    const float to_units = __uint_as_float((275 - exponent) << 23U);
    const float unit = __uint_as_float(exponent == kNotFinite ? ~0U : (exponent - 21) << 23U);
    int sum = 0;
    std::uint32_t parts[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int v = __float2int_rn(values[i] * to_units);
      sum += v;
      parts[i] = (static_cast<std::uint32_t>(v) + 0x808080U) ^ 0x808080U;  // lo, mid, hi
    }
#pragma unroll
    for (int offset = kGroupPieces / 2; offset > 0; offset /= 2) {
      sum += __shfl_xor_sync(~0U, sum, offset);
    }
    if (piece >= pieces_) return;
    const int in_block = piece % kBlockPieces;
    std::byte* const to = numbers_ + piece / kBlockPieces * kBlockBytes +
                          in_block / 8 * kHalfBytes + row * 192 + in_block % 2 * 32 +
                          in_block % 8 / 2 * 4;
#pragma unroll
    for (int four = 0; four < 2; ++four) {
      const std::uint32_t* const p = parts + 4 * four;
      const std::uint32_t a = __byte_perm(p[0], p[1], 0x5140);
      const std::uint32_t b = __byte_perm(p[2], p[3], 0x5140);
      const std::uint32_t c = __byte_perm(p[0], p[1], 0x0062);
      const std::uint32_t d = __byte_perm(p[2], p[3], 0x0062);
      std::byte* const at = to + four * 16;
      *reinterpret_cast<std::uint32_t*>(at) = __byte_perm(c, d, 0x5410);
      *reinterpret_cast<std::uint32_t*>(at + 64) = __byte_perm(a, b, 0x7632);
      *reinterpret_cast<std::uint32_t*>(at + 128) = __byte_perm(a, b, 0x5410);
    }
    if (in_block % kGroupPieces != 0) return;
    factors_[piece / kGroupPieces * kRows + row] = {{unit * 256.0F, static_cast<float>(sum) * unit},
                                                    {unit / 256.0F, 0.0F}};
  }

  std::byte* numbers_;
  DirectFactors* factors_;
  int pieces_;
};

#endif

}  // namespace hangar::cuda::int4
