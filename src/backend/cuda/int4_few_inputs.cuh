// Inputs of few rows of 4-bit products, as int4_inputs.h says: where a thread puts what it has.
//
// Promise: few_word() is where four columns of a row lie, few_scale() and few_sum() where a block's
//   scale and sums of a row do. put_few() has a warp write a row's 128 columns of a block, four to
//   a lane.
// Units: sums are times the scale.
// Threads: device functions; put_few(): of a whole warp.
#pragma once

#include <cstdint>

#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/warp.cuh"

namespace hangar::cuda {

// Columns 4 c to 4 c + 3 of 128, as int4_place(): quad c % 4, word c / 8 * 2 + c / 4 % 2.
__device__ __forceinline__ std::uint32_t* few_word(std::uint8_t* block, int row, int c) {
  const int word = c / 8 * 2 + c / 4 % 2;
  const int piece = word / 4 ^ (row & 1);  // so that rows share no bank
  return reinterpret_cast<std::uint32_t*>(block + row * 128 + c % 4 * 32 + piece * 16 +
                                          word % 4 * 4);
}
__device__ __forceinline__ std::uint32_t pack_codes(const int* four) {
  const unsigned low = __byte_perm(four[0], four[1], 0x0040);
  const unsigned high = __byte_perm(four[2], four[3], 0x0040);
  return __byte_perm(low, high, 0x5410);
}
// What a row's numbers of a block are multiplied by to be int8; 0: all are 0.
__device__ __forceinline__ float few_factor(float most) {
  return most > 0.0F ? 127.0F / most : 0.0F;
}
__device__ __forceinline__ float* few_scale(std::uint8_t* block, int row) {
  return reinterpret_cast<float*>(block + 1024) + row;
}
// group: of a block's sums.
__device__ __forceinline__ float* few_sum(std::uint8_t* block, int row, int group) {
  return few_scale(block, row) + 8 * (1 + group);
}

__device__ __forceinline__ std::uint8_t* few_block(const Int4FewTarget& to, int number) {
  return to.data + static_cast<std::int64_t>(number) * int4_few_block_bytes(to.groups);
}

// Lane l has columns 4 l and on.
__device__ __forceinline__ void put_few(const Int4FewTarget& to, int number, int row,
                                        const float4& values) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const float of[4] = {values.x, values.y, values.z, values.w};
  float most = fmaxf(fmaxf(fabsf(of[0]), fabsf(of[1])), fmaxf(fabsf(of[2]), fabsf(of[3])));
  most = over_warp(most, [](float a, float b) { return fmaxf(a, b); });
  const float factor = few_factor(most);
  int codes[4];
  int sum = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    codes[i] = __float2int_rn(of[i] * factor);
    sum += codes[i];
  }
  const int sum_lanes = 32 / to.groups;
  for (int offset = sum_lanes / 2; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(~0U, sum, offset);
  }
  std::uint8_t* const block = few_block(to, number);
  *few_word(block, row, lane) = pack_codes(codes);
  const float scale = most / 127.0F;
  if (lane == 0) *few_scale(block, row) = scale;
  if (lane % sum_lanes == 0) {
    *few_sum(block, row, lane / sum_lanes) = scale * static_cast<float>(sum);
  }
}

// As if all of the row's columns there were 0; one thread.
__device__ __forceinline__ void clear_few(const Int4FewTarget& to, int number, int row) {
  std::uint8_t* const block = few_block(to, number);
  *few_scale(block, row) = 0.0F;
  for (int group = 0; group < to.groups; ++group) *few_sum(block, row, group) = 0.0F;
}

}  // namespace hangar::cuda
