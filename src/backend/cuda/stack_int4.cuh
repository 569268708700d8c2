// W of 4 bits in a stack: x as two int8 numbers each, and what a warp does with them.
//
// Promise: Int4Weights: spread() puts groups of 128 columns into shared memory; Group brings a lane
//   its share, and multiply() adds a block of W (int4.h) times such a group to a lane's two sums,
//   of rows row(lane) and 8 on. A number is v * unit, v an integer of 15 bits and a sign: off by
//   2^-15 of the group's largest at most. v = 256 hi + lo.
// Shapes: a group is kGroupBytes: of columns 0 to 63 hi, then lo, 64 bytes each, then of the
//   others: quad q's 16 bytes are columns 4 q to 4 q + 3 of one 16 columns after the other; then
//   the unit and the sum of all v.
// Threads: device functions, of whole warps.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/int4_math.cuh"
#include "backend/cuda/stack_groups.cuh"

namespace hangar::cuda::stack {

struct Int4Weights {
  static constexpr int kSlots = 1;  // of the ring, to a unit: 16 rows of 2,048 columns
  static constexpr int kGroupBytes = 272;
  static constexpr int kWarpBytes = static_cast<int>(int4_block_bytes(Int4Form::kZero128));
  static constexpr int kSlotBytes = 16 * kWarpBytes;
  static constexpr bool kBoxes = false;
  static constexpr int kAtWork = 3;  // slots under way (stack_ring.cuh)
  static constexpr int kAtShortWork = 2;
  static constexpr int kBetween = 1;
  static constexpr bool kScaled = false;  // rows have no scales beside the blocks

#if __CUDA_ARCH__ >= 900

  // Four columns a lane, of kGroups groups whose places are `stride` bytes apart.
  template <int kGroups>
  __device__ __forceinline__ static void spread(const float (&values)[kGroups][4], std::byte* to,
                                                int stride, int lane) {
    std::uint32_t exponent[kGroups];
    std::uint32_t high[kGroups] = {};
    std::uint32_t low[kGroups] = {};
    int sum[kGroups] = {};
    largest_of(values, exponent);
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      // One more where 15 bits of the largest would be more than 32,639, the most of two int8.
      exponent[g] = max((__reduce_max_sync(~0U, exponent[g]) + 0x20000U) >> 23U, kLeastExponent);
    }
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      const float to_units = __uint_as_float((268 - exponent[g]) << 23U);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int v = __float2int_rn(values[g][i] * to_units);
        sum[g] += v;
        low[g] |= (static_cast<std::uint32_t>(v) & 0xFFU) << (8 * i);
        high[g] |= (static_cast<std::uint32_t>((v + 0x80) >> 8) & 0xFFU) << (8 * i);
      }
    }
#pragma unroll
    for (int g = 0; g < kGroups; ++g) sum[g] = __reduce_add_sync(~0U, sum[g]);
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      std::byte* const group = to + g * stride;
      std::byte* const at = group + lane / 16 * 128 + lane % 4 * 16 + lane / 4 % 4 * 4;
      *reinterpret_cast<std::uint32_t*>(at) = high[g];
      *reinterpret_cast<std::uint32_t*>(at + 64) = low[g];
      if (lane != 0) continue;
      const float unit =
          __uint_as_float(exponent[g] >= kNotFinite ? ~0U : (exponent[g] - 14) << 23U);
      *reinterpret_cast<float2*>(group + 256) = {unit, static_cast<float>(sum[g])};
    }
  }

  // A lane's share of a group: of hi, or, where lane / 4 is odd, of lo.
  struct Group {
    uint4 first, second;
    float2 factors;  // unit, sum of all

    __device__ __forceinline__ void load(const std::byte* group, int lane) {
      const std::byte* const at = group + lane / 4 % 2 * 64 + lane % 4 * 16;
      first = *reinterpret_cast<const uint4*>(at);
      second = *reinterpret_cast<const uint4*>(at + 128);
      factors = *reinterpret_cast<const float2*>(group + 256);
    }
  };

  __device__ __forceinline__ static int row(int lane) { return lane / 4; }

  // Of a slot, where multiply() reads: a warp has a block.
  __device__ __forceinline__ static int place(int warp, int /*lane*/) { return warp * kWarpBytes; }

  __device__ __forceinline__ static void multiply(const std::byte* block, const Group& x, int lane,
                                                  float (&sums)[2]) {
    std::uint32_t words[8];
    int4::load_words(block, lane, words);
    const std::byte* const pairs = block + kInt4NumberBytes + lane / 4 * 4;
    const float2 upper = int4::pair_of(*reinterpret_cast<const std::uint32_t*>(pairs));
    const float2 lower = int4::pair_of(*reinterpret_cast<const std::uint32_t*>(pairs + 32));
    int even[4] = {};
    int odd[4] = {};
    int4::multiply_words(even, words[0], words[1], x.first.x, x.first.y);
    int4::multiply_words(odd, words[2], words[3], x.first.z, x.first.w);
    int4::multiply_words(even, words[4], words[5], x.second.x, x.second.y);
    int4::multiply_words(odd, words[6], words[7], x.second.z, x.second.w);
    const auto whole = [&](int hi, int lo) {
      return static_cast<float>((even[hi] + odd[hi]) * 256 + even[lo] + odd[lo]);
    };
    // Rows from 8 on are sixteenfold.
    sums[0] += upper.x * x.factors.x * (whole(0, 1) - upper.y * x.factors.y);
    sums[1] += lower.x * x.factors.x * (whole(2, 3) * 0.0625F - lower.y * x.factors.y);
  }

#endif
};

}  // namespace hangar::cuda::stack
