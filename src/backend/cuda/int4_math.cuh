// What kernels of 4-bit products share: a warp's operands out of a block, and its parameters.
//
// Promise: load_words() and numbers_of() give the 16 registers that are the rows' operand of the
//   matrix unit for 128 columns, four for each 32 (rows lane / 4 and 8 more; u itself, 0 to 15, in
//   each byte: as int8 it is that, as e4m3 it is that times 2^-9, exactly, the subnormal numbers
//   being evenly spaced). RowParameters<form>::at(k) gives scale and minimum of columns 32 k and on
//   (kZero128: of all); minimum_at() is the one minimum, for a k that is not known beforehand.
// Threads: device functions, of whole warps.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>

#include "backend/cuda/int4.h"

namespace hangar::cuda::int4 {

struct Parameters {
  float scale;
  float minimum;
};

// Forms by how they lie; kZero32 and kMin32 lie alike.
enum class Layout : std::uint8_t { kGroup128, kPairs32, kSuper32 };

constexpr Layout layout_of(Int4Form form) {
  switch (form) {
    case Int4Form::kZero128:
      return Layout::kGroup128;
    case Int4Form::kSuper32:
      return Layout::kSuper32;
    case Int4Form::kZero32:
    case Int4Form::kMin32:
      break;
  }
  return Layout::kPairs32;
}

template <Layout kLayout>
inline constexpr int kRowBytes = kLayout == Layout::kGroup128  ? 4
                                 : kLayout == Layout::kSuper32 ? 12
                                                               : 16;
template <Layout kLayout>
inline constexpr int kBlockBytes =
    static_cast<int>(kInt4NumberBytes) + static_cast<int>(kInt4Strip) * kRowBytes<kLayout>;
// Groups of a block.
template <Layout kLayout>
inline constexpr int kGroups = kLayout == Layout::kGroup128 ? 1 : 4;

#ifdef __CUDACC__

__device__ __forceinline__ void load_words(const std::byte* block, int lane,
                                           std::uint32_t (&words)[8]) {
#pragma unroll
  for (int piece = 0; piece < 2; ++piece) {
    const uint4 four = *reinterpret_cast<const uint4*>(block + piece * 512 + lane * 16);
    words[4 * piece] = four.x;
    words[4 * piece + 1] = four.y;
    words[4 * piece + 2] = four.z;
    words[4 * piece + 3] = four.w;
  }
}

__device__ __forceinline__ void numbers_of(const std::uint32_t (&words)[8],
                                           std::uint32_t (&a)[16]) {
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    a[2 * i] = words[i] & 0x0F0F0F0FU;
    a[2 * i + 1] = words[i] >> 4U & 0x0F0F0F0FU;
  }
}

// d += 16 rows of 32 columns, two words of a lane's, times eight columns of int8: of rows 8 and on
// 16 times as much.
__device__ __forceinline__ void multiply_words(int (&d)[4], std::uint32_t even, std::uint32_t odd,
                                               std::uint32_t b0, std::uint32_t b1) {
  constexpr std::uint32_t kLow = 0x0F0F0F0FU;
  constexpr std::uint32_t kHigh = 0xF0F0F0F0U;
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(even & kLow), "r"(even & kHigh), "r"(odd & kLow), "r"(odd & kHigh), "r"(b0), "r"(b1));
}

__device__ __forceinline__ float2 pair_of(std::uint32_t bits) {
  __half2 pair;
  memcpy(&pair, &bits, sizeof(pair));
  return __half22float2(pair);
}

template <Layout kLayout>
struct RowParameters;

template <>
struct RowParameters<Layout::kGroup128> {
  std::uint32_t pair;
  __device__ RowParameters(const std::byte* block, int row)
      : pair(*reinterpret_cast<const std::uint32_t*>(block + kInt4NumberBytes + row * 4)) {}
  __device__ Parameters at(int /*k*/, bool /*zeros*/) const {
    const float2 p = pair_of(pair);
    return {p.x, -p.x * p.y};
  }
};

template <>
struct RowParameters<Layout::kPairs32> {
  std::uint32_t pairs[4];
  __device__ RowParameters(const std::byte* block, int row) {
    const uint4 all = *reinterpret_cast<const uint4*>(block + kInt4NumberBytes + row * 16);
    pairs[0] = all.x;
    pairs[1] = all.y;
    pairs[2] = all.z;
    pairs[3] = all.w;
  }
  __device__ Parameters at(int k, bool zeros) const {
    const float2 p = pair_of(pairs[k]);
    return {p.x, zeros ? -p.x * p.y : p.y};
  }
};

template <>
struct RowParameters<Layout::kSuper32> {
  std::uint32_t pair;
  std::uint32_t scales;
  std::uint32_t minimums;
  __device__ RowParameters(const std::byte* block, int row) {
    const auto* words = reinterpret_cast<const std::uint32_t*>(block + kInt4NumberBytes + row * 12);
    pair = words[0];
    scales = words[1];
    minimums = words[2];
  }
  __device__ Parameters at(int k, bool /*zeros*/) const {
    const float2 p = pair_of(pair);
    return {p.x * static_cast<float>(scales >> (8 * k) & 255U),
            -(p.y * static_cast<float>(minimums >> (8 * k) & 255U))};
  }
};

template <Layout kLayout>
__device__ __forceinline__ float minimum_at(const std::byte* block, int row, int k, bool zeros) {
  const std::byte* const at = block + kInt4NumberBytes + row * kRowBytes<kLayout>;
  if constexpr (kLayout == Layout::kSuper32) {
    const float2 p = pair_of(*reinterpret_cast<const std::uint32_t*>(at));
    return -(p.y * static_cast<float>(static_cast<unsigned>(at[8 + k])));
  } else {
    const float2 p = pair_of(reinterpret_cast<const std::uint32_t*>(at)[k]);
    return zeros ? -p.x * p.y : p.y;
  }
}

#endif

}  // namespace hangar::cuda::int4
