#include "backend/cuda/int4_copy.h"

#include <cuda_fp8.h>

#include <cassert>

#include "backend/cuda/element_io.cuh"
#include "backend/cuda/int4_lanes.cuh"

namespace hangar::cuda {
namespace {

// Whole numbers up to these have an e4m3 of their own, whatever u is.
constexpr float kLeastZero = -1.0F;
constexpr float kMostZero = 16.0F;

// Four codes, a byte each, less the zero.
__device__ __forceinline__ std::uint32_t numbers_of(std::uint32_t codes, float zero) {
  std::uint32_t numbers = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float value = static_cast<float>(codes >> (8 * i) & 15U) - zero;
    numbers |= std::uint32_t{__nv_cvt_float_to_fp8(value, __NV_SATFINITE, __NV_E4M3)} << (8 * i);
  }
  return numbers;
}

__global__ void __launch_bounds__(kInt4Threads)
    copy_kernel(Int4Grid grid, Int4Copy to, const std::uint8_t* strips, std::int64_t columns,
                std::int64_t scales, std::int32_t* inexact) {
  begin_reading();
  const Int4Lane lane(grid);
  if (!lane.any) return;
  const std::uint8_t* block = strips + lane.block * int4_block_bytes(Int4Form::kZero128);
  std::uint32_t words[kInt4Words];
  load_words(block, lane, words);
  const auto* pairs = reinterpret_cast<const std::uint32_t*>(block + kInt4NumberBytes);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int in_strip = lane.row + 8 * half;
    const std::int64_t row = lane.first_row + in_strip;
    const std::uint32_t pair = pairs[in_strip];
    const float zero = floats_of_pair(pair).y;
    auto* out = static_cast<std::uint8_t*>(to.numbers) + row * columns + lane.first_group * 32;
#pragma unroll
    for (int word = 0; word < kInt4Words; ++word) {
      *reinterpret_cast<std::uint32_t*>(out + 16 * word + 4 * lane.quad) =
          numbers_of(words[word] >> (4 * half) & kNibbles, zero);
    }
    if (lane.quad != 0) continue;
    const int block = lane.first_group / kInt4Groups;
    to.scales[row * scales + block] = static_cast<std::uint16_t>(pair & 0xFFFFU);
    if (block + 1 == grid.column_blocks) {
      for (std::int64_t i = block + 1; i < scales; ++i) to.scales[row * scales + i] = 0;
    }
    const bool exact = zero >= kLeastZero && zero <= kMostZero && zero == rintf(zero);
    if (!exact) *inexact = 1;
  }
}

}  // namespace

void make_int4_copy(const Launch& launch, const Int4Copy& to, const void* strips, std::int64_t rows,
                    std::int64_t columns, std::int32_t* inexact) {
  assert(takes_int4_copy(Int4Form::kZero128, columns, false));
  const Int4Grid grid = int4_grid(rows, columns);
  launch_kernel(launch, copy_kernel, int4_launch_grid(grid), dim3(kInt4Threads), 0, grid, to,
                static_cast<const std::uint8_t*>(strips), columns, int4_copy_scales(columns),
                inexact);
}

}  // namespace hangar::cuda
