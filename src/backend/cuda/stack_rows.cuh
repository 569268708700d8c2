// W of 8 or 16 bits in a stack, row after row: x as numbers of 16 bits.
//
// Promise: RowWeights<W>: spread() puts groups of 128 columns into shared memory; Group brings a
//   lane its share; multiply() adds a slot's 16 rows times its part of a group to four sums, and
//   add() those of a unit to the lane's two, of rows row(lane) and 8 on. A number is unit * v: a
//   power of two and an F16, or a BF16 where W is: off by 2^-12 or 2^-9 of it at most, but for
//   F16 more than 2^22 below the largest of its group.
// Shapes: a slot is 16 rows of 1,024 bytes as matrix_boxes() has them (tensor_map.h); a warp has 64
//   bytes of each. A unit is 2,048 columns: kSlots of them, and in each a part of a warp's 128
//   columns. A group is kGroupBytes: numbers, slot after slot, in the order in which a slot's
//   columns lie (columns 16 t to 16 t + 15 of 8 bits, 8 t to 8 t + 7 of 16 bits are those of lanes
//   that are t by 4); then the unit.
// Fragments (mma.cuh): a lane's columns 2t, 2t + 1, 2t + 8 and 2t + 9 are four of W that lie side
//   by side. Columns of x's operand are all x.
// Threads: device functions, of whole warps.
#pragma once

#include <cuda_fp8.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "backend/cuda/attention_tiles.cuh"
#include "backend/cuda/e4m3.cuh"
#include "backend/cuda/mma.cuh"
#include "backend/cuda/stack.h"
#include "backend/cuda/stack_groups.cuh"

namespace hangar::cuda::stack {

// W: __nv_fp8_e4m3, __nv_bfloat16 or __half.
template <typename W>
struct RowWeights {
  static constexpr bool kScaled = std::is_same_v<W, __nv_fp8_e4m3>;
  using Number = std::conditional_t<kScaled, __half, W>;
  static constexpr int kRowBytes = kStackBoxes * static_cast<int>(kBoxBytes);  // in a slot
  static constexpr int kSlotBytes = 16 * kRowBytes;
  static constexpr bool kBoxes = true;
  static constexpr int kSlots = 2 * static_cast<int>(sizeof(W));
  static constexpr int kNumberBytes = 256;
  static constexpr int kGroupBytes = kNumberBytes + 16;
  // Slots under way (stack_ring.cuh).
  static constexpr int kAtWork = kScaled ? 4 : 5;
  static constexpr int kAtShortWork = 3;
  static constexpr int kBetween = 2;

#if __CUDA_ARCH__ >= 900

  // Four columns a lane, of kGroups groups whose places are `stride` bytes apart.
  template <int kGroups>
  __device__ __forceinline__ static void spread(const float (&values)[kGroups][4], std::byte* to,
                                                int stride, int lane) {
    constexpr std::uint32_t kAbove = 8;  // so many powers of two above 1 is the largest
    std::uint32_t exponent[kGroups];
    largest_of(values, exponent);
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      exponent[g] = max(__reduce_max_sync(~0U, exponent[g]) >> 23U, kLeastExponent);
    }
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      const float to_units = __uint_as_float((254 + kAbove - exponent[g]) << 23U);
      const auto pack = [&](int i) {
        return attend::pack<Number>(values[g][i] * to_units, values[g][i + 1] * to_units);
      };
      std::byte* const group = to + g * stride;
      *reinterpret_cast<uint2*>(group + lane * 8) = {pack(0), pack(2)};
      if (lane != 0) continue;
      *reinterpret_cast<float*>(group + kNumberBytes) =
          __uint_as_float(exponent[g] >= kNotFinite ? ~0U : (exponent[g] - kAbove) << 23U);
    }
  }

  // Where a lane's share of a group is.
  struct Group {
    const std::byte* numbers;
    float unit;

    __device__ __forceinline__ void load(const std::byte* group, int lane) {
      numbers = group + lane % 4 * (64 / kSlots);
      unit = *reinterpret_cast<const float*>(group + kNumberBytes);
    }
    __device__ __forceinline__ uint4 of_slot(int slot, int i) const {
      return *reinterpret_cast<const uint4*>(numbers + slot * (kNumberBytes / kSlots) + 16 * i);
    }
  };

  // Two rows that lie side by side in a fragment are four apart, so that, swizzled, eight lanes'
  // chunks are in all banks.
  __device__ __forceinline__ static int row(int lane) { return lane / 8 + lane / 4 % 2 * 4; }

  // Of a slot, where multiply() reads.
  __device__ __forceinline__ static int place(int warp, int lane) {
    const int chunk = (warp % 2 * 4 + lane % 4) ^ row(lane);
    return (warp / 2 * 16 + row(lane)) * static_cast<int>(kBoxBytes) + chunk * 16;
  }

  // slot: of a unit's.
  __device__ __forceinline__ static void multiply(const std::byte* at, const Group& x, int slot,
                                                  float (&sums)[4]) {
    const uint4 upper = *reinterpret_cast<const uint4*>(at);
    const uint4 lower = *reinterpret_cast<const uint4*>(at + 8 * kBoxBytes);
    const uint4 near = x.of_slot(slot, 0);
    if constexpr (kScaled) {
      const uint4 far = x.of_slot(slot, 1);
      of_codes(upper.x, lower.x, near.x, near.y, sums);
      of_codes(upper.y, lower.y, near.z, near.w, sums);
      of_codes(upper.z, lower.z, far.x, far.y, sums);
      of_codes(upper.w, lower.w, far.z, far.w, sums);
    } else {
      mma<Number>(sums, {upper.x, lower.x, upper.y, lower.y}, near.x, near.y);
      mma<Number>(sums, {upper.z, lower.z, upper.w, lower.w}, near.z, near.w);
    }
  }
  __device__ __forceinline__ static void add(const float (&of_unit)[4], const Group& x,
                                             float (&sums)[2]) {
    sums[0] += x.unit * of_unit[0];
    sums[1] += x.unit * of_unit[2];
  }

 private:
  __device__ __forceinline__ static void of_codes(std::uint32_t upper, std::uint32_t lower,
                                                  std::uint32_t x0, std::uint32_t x1,
                                                  float (&sums)[4]) {
    std::uint32_t a[4];
    e4m3_to_halves(upper, a[0], a[2]);
    e4m3_to_halves(lower, a[1], a[3]);
    mma<Number>(sums, a, x0, x1);
  }

#endif
};

}  // namespace hangar::cuda::stack
