// What the plain products' kernels share: conversions, the matrix units' instruction, outputs.
//
// Promise: multiply_16x8() adds to a 16 x 8 tile of sums the product of 16 weight rows and up to 8
//   input rows over 32 columns. Sums do not mind in which order columns come, so a lane's 16 bytes
//   of a row, 8 columns of it, serve as what two instructions want of it: the same columns on both
//   sides. Lane l holds columns 8 (l % 4) .. + 7 of weight rows l / 4 and l / 4 + 8 and of input
//   row l / 4; of the sums those of weight rows l / 4 (sums[0], [1]) and l / 4 + 8 (sums[2], [3])
//   with input rows 2 (l % 4) and 2 (l % 4) + 1.
// Source: the PTX ISA's mma.m16n8k16 for the fragments.
// Threads: device functions; all lanes of a warp call multiply_16x8 together.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "backend/cuda/plain_matmul.h"

namespace hangar::cuda::plain {

__device__ __forceinline__ float to_float(__nv_bfloat16 value) {
  return __bfloat162float(value);
}
__device__ __forceinline__ float to_float(__half value) {
  return __half2float(value);
}
__device__ __forceinline__ float to_float(__nv_fp8_e4m3 value) {
  return float(value);
}
__device__ __forceinline__ float to_float(float value) {
  return value;
}

template <typename T>
__device__ __forceinline__ T from_float(float value);
template <>
__device__ __forceinline__ __nv_bfloat16 from_float(float value) {
  return __float2bfloat16_rn(value);
}
template <>
__device__ __forceinline__ __half from_float(float value) {
  return __float2half_rn(value);
}

// sums += a b, 16 x 16 by 16 x 8.
__device__ __forceinline__ void mma(float (&sums)[4], std::uint32_t a0, std::uint32_t a1,
                                    std::uint32_t a2, std::uint32_t a3, std::uint32_t b0,
                                    std::uint32_t b1, __nv_bfloat16) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
__device__ __forceinline__ void mma(float (&sums)[4], std::uint32_t a0, std::uint32_t a1,
                                    std::uint32_t a2, std::uint32_t a3, std::uint32_t b0,
                                    std::uint32_t b1, __half) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

template <typename T>
__device__ __forceinline__ void multiply_16x8(float (&sums)[4], const uint4& low, const uint4& high,
                                              const uint4& x) {
  mma(sums, low.x, high.x, low.y, high.y, x.x, x.y, T{});
  mma(sums, low.z, high.z, low.w, high.w, x.z, x.w, T{});
}

// One element of y, {row, output}. `old`: what it was, for kAdd.
template <typename T>
__device__ __forceinline__ void put(const Product& product, std::int64_t row, std::int64_t output,
                                    float value, float old) {
  const std::int64_t at = row * product.y_stride + output;
  if (product.output == ProductOutput::kWork) {
    static_cast<T*>(product.y)[at] = from_float<T>(value);
  } else {
    static_cast<float*>(product.y)[at] = value + old;
  }
}
// Zero where y is only written.
__device__ __forceinline__ float old_value(const Product& product, std::int64_t row,
                                           std::int64_t output) {
  if (product.output != ProductOutput::kAdd) return 0.0F;
  return __ldcg(static_cast<const float*>(product.y) + row * product.y_stride + output);
}

}  // namespace hangar::cuda::plain
