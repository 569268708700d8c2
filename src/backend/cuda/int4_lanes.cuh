// Lanes of a warp on one block of 4-bit strips (int4.h): who holds what.
//
// Promise: lane 4 r + quad has, of rows r and r + 8, columns 16 word + 4 quad + 0 to 3 of word
//   0 to 7, as the block has them: a byte for each column, row r in its low half. A block of
//   threads takes kInt4Warps blocks, in order of column blocks, then strips.
// Errors: check_int4_sizes: std::invalid_argument.
// Threads: values; device functions.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>
#include <stdexcept>

#include "backend/cuda/int4.h"

namespace hangar::cuda {

inline constexpr int kInt4Warps = 8;
inline constexpr int kInt4Threads = 32 * kInt4Warps;
inline constexpr int kInt4Words = 8;   // of a lane
inline constexpr int kInt4Groups = 4;  // of 32 columns, in a block
inline constexpr std::uint32_t kNibbles = 0x0F0F0F0F;

struct Int4Grid {
  std::int64_t blocks = 0;
  int column_blocks = 0;
  int groups = 0;  // of 32 columns, in a row
};

inline void check_int4_sizes(std::int64_t rows, std::int64_t columns) {
  if (rows % kInt4Strip == 0 && columns % 32 == 0) return;
  throw std::invalid_argument("4-bit strips of sizes that are no multiples of 16 x 32");
}

inline Int4Grid int4_grid(std::int64_t rows, std::int64_t columns) {
  const std::int64_t across = int4_column_blocks(columns);
  return {rows / kInt4Strip * across, static_cast<int>(across), static_cast<int>(columns / 32)};
}

inline dim3 int4_launch_grid(const Int4Grid& grid) {
  return dim3(static_cast<unsigned>((grid.blocks + kInt4Warps - 1) / kInt4Warps));
}

struct Int4Lane {
  bool any;  // whether the warp has a block
  std::int64_t block;
  std::int64_t first_row;
  int first_group;  // of 32 columns
  int groups;       // of the block's that are within the columns
  int index;        // in the warp
  int row;          // of the strip: this and the eighth behind it
  int quad;

  __device__ __forceinline__ explicit Int4Lane(const Int4Grid& grid) {
    block = std::int64_t{blockIdx.x} * kInt4Warps + threadIdx.x / 32;
    any = block < grid.blocks;
    const auto column_block = static_cast<int>(block % grid.column_blocks);
    first_row = block / grid.column_blocks * kInt4Strip;
    first_group = column_block * kInt4Groups;
    groups = min(kInt4Groups, grid.groups - first_group);
    index = static_cast<int>(threadIdx.x) % 32;
    row = index / 4;
    quad = index % 4;
  }
};

__device__ __forceinline__ void store_words(std::uint8_t* block, const Int4Lane& lane,
                                            const std::uint32_t (&words)[kInt4Words]) {
#pragma unroll
  for (int piece = 0; piece < 2; ++piece) {
    *reinterpret_cast<uint4*>(block + piece * 512 + lane.index * 16) = make_uint4(
        words[4 * piece], words[4 * piece + 1], words[4 * piece + 2], words[4 * piece + 3]);
  }
}

__device__ __forceinline__ void load_words(const std::uint8_t* block, const Int4Lane& lane,
                                           std::uint32_t (&words)[kInt4Words]) {
#pragma unroll
  for (int piece = 0; piece < 2; ++piece) {
    const uint4 four = *reinterpret_cast<const uint4*>(block + piece * 512 + lane.index * 16);
    words[4 * piece] = four.x;
    words[4 * piece + 1] = four.y;
    words[4 * piece + 2] = four.z;
    words[4 * piece + 3] = four.w;
  }
}

// A scale, and a zero or a minimum above it, as they lie.
__device__ __forceinline__ std::uint32_t pair_of(__half scale, __half other) {
  return __half_as_ushort(scale) | (std::uint32_t{__half_as_ushort(other)} << 16U);
}
__device__ __forceinline__ float2 floats_of_pair(std::uint32_t pair) {
  return {__half2float(__ushort_as_half(static_cast<unsigned short>(pair & 0xFFFFU))),
          __half2float(__ushort_as_half(static_cast<unsigned short>(pair >> 16U)))};
}

}  // namespace hangar::cuda
