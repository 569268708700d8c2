// Where the sums of a 4-bit product of many rows go.
//
// Promise: put_sums() writes what a warp has of `width` rows of x, times their scales, and gated,
//   where a thread's two rows are a gate's and an up's.
// Fragments: as wgmma.cuh.
// Threads: device functions, of whole warps.
#pragma once

#include "backend/cuda/gate.cuh"
#include "backend/cuda/int4_plan.h"
#include "backend/cuda/product_output.cuh"

namespace hangar::cuda::int4 {

inline constexpr int kWarpgroup = 128;                 // threads
inline constexpr int kTileConsumers = 2 * kWarpgroup;  // multiply
inline constexpr int kConsumerWarps = kTileConsumers / 32;
static_assert(kInt4RoomBytes == kConsumerWarps * kOutputRoom * static_cast<int>(sizeof(float)));

struct TileOutput {
  const float* x_scales = nullptr;
  OutputTarget y;
  GateFunction gate = GateFunction::kSilu;

  TileOutput() = default;
  explicit TileOutput(const Product& product)
      : x_scales(product.x_scales), y(product), gate(product.gate.value_or(GateFunction::kSilu)) {}
};

#if __CUDA_ARCH__ >= 900

// What a thread has, in units of 1 / kUnit, of rows of x from x_row on and of outputs from `output`
// on. room: its warp's.
template <int kWidth, bool kGated, int kUnit = 1>
__device__ __forceinline__ void put_sums(const float (&sums)[kWidth / 2], const TileOutput& out,
                                         int x_row, int output, float* room) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const Gate gate(out.gate);
  constexpr int kScales = kWidth > 64 ? kWidth / 8 : kWidth > 32 ? kWidth / 16 : 2;
  float2 scales[kScales];  // asked for at once
#pragma unroll
  for (int j = 0; j < kWidth / 8; j += 2) {
    if (j % kScales == 0) {
#pragma unroll
      for (int i = 0; i < kScales; ++i) {
        scales[i] =
            __ldcg(reinterpret_cast<const float2*>(out.x_scales + x_row + 8 * (j + i)) + lane % 4);
      }
    }
    if (x_row + 8 * j >= out.y.rows) break;
    float values[2][2][kGated ? 1 : 2];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const float2 both = scales[(j + e) % kScales];
        const float scale = (c == 0 ? both.x : both.y) * kUnit;
        const float low = sums[4 * (j + e) + c] * scale;
        const float high = sums[4 * (j + e) + 2 + c] * scale;
        if constexpr (kGated) {
          values[e][c][0] = gate(low, high);
        } else {
          values[e][c][0] = low;
          values[e][c][1] = high;
        }
      }
    }
    put_rows<2, kGated ? 1 : 2>(out.y, room, x_row + 8 * j, output, values);
  }
}

#endif

}  // namespace hangar::cuda::int4
