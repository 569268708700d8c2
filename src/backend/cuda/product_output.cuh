// OutputTarget: where a product's numbers go; and how a warp writes what a matrix instruction left
//   in its registers.
//
// Promise: put() and put_four() store or add y[row, output...] as ProductOutput says; additions are
//   atomic operations that nobody waits for. put_rows() writes 8 kEights rows of 8 kHalves outputs
//   of y by way of shared memory, so that a row's outputs leave side by side, as whole sectors of
//   the memory.
// Shapes: values[j][c][h]: of lane l, row 8 j + 2 (l % 4) + c, output l / 4 + 8 h.
// Threads: device functions; put_rows() is a whole warp's, with a room of its own.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "backend/cuda/product.h"

namespace hangar::cuda {

// Floats of a warp's room: 16 rows of 16 outputs, apart so that no two lanes meet at a bank.
inline constexpr int kOutputRoom = 16 * 20;

struct OutputTarget {
  void* data = nullptr;
  std::int64_t stride = 0;
  std::int32_t rows = 0;
  std::int32_t outputs = 0;
  ProductOutput output = ProductOutput::kWork;
  bool halves = false;  // kWork is F16, not BF16
  bool wide = false;    // four outputs lie at a multiple of their size

  OutputTarget() = default;
  explicit OutputTarget(const Product& product)
      : data(product.y),
        stride(product.y_stride),
        rows(static_cast<std::int32_t>(product.rows)),
        outputs(static_cast<std::int32_t>(product.outputs)),
        output(product.output),
        halves(product.type == DType::kF16),
        wide(rows_aligned(product.y, product.y_type(), product.y_stride)) {}

#ifdef __CUDACC__
  __device__ __forceinline__ void put(int row, int column, float value) const {
    const std::int64_t at = row * stride + column;
    switch (output) {
      case ProductOutput::kWork:
        if (halves) {
          static_cast<__half*>(data)[at] = __float2half_rn(value);
        } else {
          static_cast<__nv_bfloat16*>(data)[at] = __float2bfloat16_rn(value);
        }
        return;
      case ProductOutput::kFull:
        static_cast<float*>(data)[at] = value;
        return;
      case ProductOutput::kAdd:
        asm volatile("red.global.add.f32 [%0], %1;" ::"l"(static_cast<float*>(data) + at),
                     "f"(value)
                     : "memory");
        return;
    }
  }

  // column: a multiple of 4.
  __device__ __forceinline__ void put_four(int row, int column, float4 v) const {
    if (row >= rows) return;
    if (!wide || column + 4 > outputs) {
      const float values[4] = {v.x, v.y, v.z, v.w};
      for (int i = 0; i < 4; ++i) {
        if (column + i < outputs) put(row, column + i, values[i]);
      }
      return;
    }
    const std::int64_t at = row * stride + column;
    switch (output) {
      case ProductOutput::kWork: {
        uint2 packed;
        if (halves) {
          const __half2 both[2] = {__floats2half2_rn(v.x, v.y), __floats2half2_rn(v.z, v.w)};
          memcpy(&packed, both, sizeof(packed));
        } else {
          const __nv_bfloat162 both[2] = {__floats2bfloat162_rn(v.x, v.y),
                                          __floats2bfloat162_rn(v.z, v.w)};
          memcpy(&packed, both, sizeof(packed));
        }
        *reinterpret_cast<uint2*>(static_cast<std::uint16_t*>(data) + at) = packed;
        return;
      }
      case ProductOutput::kFull:
        *reinterpret_cast<float4*>(static_cast<float*>(data) + at) = v;
        return;
      case ProductOutput::kAdd:
#if __CUDA_ARCH__ >= 900
        asm volatile(
            "red.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(static_cast<float*>(data) + at),
            "f"(v.x), "f"(v.y), "f"(v.z), "f"(v.w)
            : "memory");
#endif
        return;
    }
  }
#endif
};

#ifdef __CUDACC__
template <int kEights, int kHalves>
__device__ __forceinline__ void put_rows(const OutputTarget& y, float* room, int row, int output,
                                         const float (&values)[kEights][2][kHalves]) {
  static_assert(kEights <= 2 && kHalves <= 2);
  constexpr int kStride = 8 * kHalves + 4;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  __syncwarp();  // what was there before has been read
#pragma unroll
  for (int j = 0; j < kEights; ++j) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
#pragma unroll
      for (int h = 0; h < kHalves; ++h) {
        room[(8 * j + 2 * (lane % 4) + c) * kStride + lane / 4 + 8 * h] = values[j][c][h];
      }
    }
  }
  __syncwarp();
  constexpr int kFours = 2 * kHalves;  // of a row
#pragma unroll
  for (int i = 0; i < 8 * kEights * kFours; i += 32) {
    const int at = i + lane;
    if (8 * kEights * kFours < 32 && at >= 8 * kEights * kFours) break;
    y.put_four(row + at / kFours, output + at % kFours * 4,
               *reinterpret_cast<const float4*>(room + at / kFours * kStride + at % kFours * 4));
  }
}
#endif

}  // namespace hangar::cuda
