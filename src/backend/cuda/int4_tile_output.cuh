// Where the sums of a 4-bit product of many rows go.
//
// Promise: put_sums() writes what a warp has of `width` rows of x, times their scales, and gated,
//   where a thread's two rows are a gate's and an up's; put_gated_sums(): where it has both of each
//   row. ask_scales() asks for the scales, before the sums are there.
// Fragments: as wgmma.cuh.
// Threads: device functions, of whole warps.
#pragma once

#include "backend/cuda/gate.cuh"
#include "backend/cuda/hopper.cuh"
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

// The warp's rooms in a block's memory, behind one another for its warps: for y and for scales.
template <int kWidth>
struct OutputRooms {
  float* y;
  float* scales;
  __device__ __forceinline__ OutputRooms(std::byte* memory, int warp)
      : y(reinterpret_cast<float*>(memory) + warp * kOutputRoom),
        scales(reinterpret_cast<float*>(memory + kInt4RoomBytes) + warp * kWidth) {}
};

// Of kWidth rows of x, from x_row on.
template <int kWidth>
__device__ __forceinline__ void ask_scales(const TileOutput& out, int x_row,
                                           const OutputRooms<kWidth>& rooms) {
  const int row = static_cast<int>(threadIdx.x) % 32 * 4;
  copied();      // those before, where a warp had nothing to write
  __syncwarp();  // they have been read
  if (row < kWidth) copy_16(shared_address(rooms.scales + row), out.x_scales + x_row + row);
}

// Outputs from `output` on of kRows rows of x, beginning with row `first` of those whose scales
// were asked for, row x_row of all: value(v, i, scale) gives what a thread has of its kCount
// outputs, of sums i and, where it has two rows of W, i + 2.
template <int kRows, int kCount, int kWidth, typename Value>
__device__ __forceinline__ void put_values(const TileOutput& out, int x_row, int first, int output,
                                           const OutputRooms<kWidth>& rooms, Value&& value) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  copied();
  __syncwarp();
  const auto* const scales = reinterpret_cast<const float2*>(rooms.scales + first) + lane % 4;
#pragma unroll
  for (int j = 0; j < kRows / 8; j += 2) {
    if (x_row + 8 * j >= out.y.rows) break;
    float values[2][2][kCount];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const float2 both = scales[4 * (j + e)];
      value(values[e][0], 4 * (j + e), both.x);
      value(values[e][1], 4 * (j + e) + 1, both.y);
    }
    put_rows<2, kCount>(out.y, rooms.y, x_row + 8 * j, output, values);
  }
}

// Sums in units of 1 / kUnit. kGated: the second row of a thread's is the other matrix's.
template <int kRows, bool kGated, int kUnit, int kWidth>
__device__ __forceinline__ void put_sums(const float (&sums)[kRows / 2], const TileOutput& out,
                                         int x_row, int first, int output,
                                         const OutputRooms<kWidth>& rooms) {
  const Gate gate(out.gate);
  put_values<kRows, kGated ? 1 : 2>(out, x_row, first, output, rooms,
                                    [&](float(&v)[kGated ? 1 : 2], int i, float row_scale) {
                                      const float scale = row_scale * kUnit;
                                      const float low = sums[i] * scale;
                                      const float high = sums[i + 2] * scale;
                                      if constexpr (kGated) {
                                        v[0] = gate(low, high);
                                      } else {
                                        v[0] = low;
                                        v[1] = high;
                                      }
                                    });
}
// Of a gate's rows, and the same of the other's.
template <int kRows, int kUnit, int kWidth>
__device__ __forceinline__ void put_gated_sums(const float (&sums)[2][kRows / 2],
                                               const TileOutput& out, int x_row, int output,
                                               const OutputRooms<kWidth>& rooms) {
  const Gate gate(out.gate);
  put_values<kRows, 2>(out, x_row, 0, output, rooms, [&](float(&v)[2], int i, float row_scale) {
    const float scale = row_scale * kUnit;
    v[0] = gate(sums[0][i] * scale, sums[1][i] * scale);
    v[1] = gate(sums[0][i + 2] * scale, sums[1][i + 2] * scale);
  });
}

#endif

}  // namespace hangar::cuda::int4
