// The grouped product of a mixture of experts: one launch for all experts.
//
// Promise: product_kernel<T, Strip, tiles, gated>() is y[choice] = W_expert x, of 16 rows of W and
//   a tile of choices to a block, whose four warps take chunks of the columns in turn and meet in
//   shared memory; gated: f(W x) * (V x). x is the choice's own row, or its token's.
// Shapes: columns a multiple of Strip::kColumns, outputs of 16.
// Threads: device code, launched by the step thread.
#pragma once

#include <cstdint>

#include "backend/cuda/element_io.cuh"
#include "backend/cuda/gate.cuh"
#include "backend/cuda/mixture.h"
#include "backend/cuda/mixture_sort.h"
#include "backend/cuda/mixture_weights.cuh"

namespace hangar::cuda::mixture {

inline constexpr int kWarps = 4;

struct ProductArguments {
  MixtureMatrix w;
  MixtureMatrix v;  // gated: what f(W x) is multiplied by
  SortedChoices choices;
  const void* x = nullptr;
  std::int64_t x_stride = 0;
  std::int32_t choices_of_row = 1;  // of x
  void* y = nullptr;                // [choices, outputs]
  std::int32_t outputs = 0;
  std::int32_t columns = 0;
  GateFunction gate = GateFunction::kSilu;
};

template <typename T, typename Strip, int kTiles, bool kGated>
__global__ void __launch_bounds__(32 * kWarps)
    product_kernel(const __grid_constant__ ProductArguments a) {
  constexpr int kMatrices = kGated ? 2 : 1;
  __shared__ float4 parts[kMatrices][kWarps][kTiles][32];
  begin_reading();
  if (static_cast<int>(blockIdx.y) >= *a.choices.tile_count) return;
  const MixtureTile tile = a.choices.tiles[blockIdx.y];
  const int lane = lane_id();
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int strip = static_cast<int>(blockIdx.x);
  const std::int32_t* const chosen = a.choices.order + tile.first;

  Strip w(a.w, tile.expert, strip, a.columns);
  Strip v(kGated ? a.v : a.w, tile.expert, strip, a.columns);
  const T* inputs[kTiles];
#pragma unroll
  for (int j = 0; j < kTiles; ++j) {
    const int row = chosen[min(8 * j + lane / 4, tile.count - 1)] / a.choices_of_row;
    inputs[j] = static_cast<const T*>(a.x) + row * a.x_stride;
  }

  float sums[kMatrices][kTiles][4] = {};
#pragma unroll 2
  for (int column = warp * Strip::kColumns; column < a.columns;
       column += kWarps * Strip::kColumns) {
    w.load(column);
    if constexpr (kGated) v.load(column);
#pragma unroll
    for (int j = 0; j < kTiles; ++j) {
      if (8 * j >= tile.count) break;
      typename Strip::Inputs x;
      x.load(inputs[j], column);
      w.add(sums[0][j], x);
      if constexpr (kGated) v.add(sums[kMatrices - 1][j], x);
    }
  }

#pragma unroll
  for (int m = 0; m < kMatrices; ++m) {
#pragma unroll
    for (int j = 0; j < kTiles; ++j) {
      const float(&four)[4] = sums[m][j];
      parts[m][warp][j][lane] = make_float4(four[0], four[1], four[2], four[3]);
    }
  }
  __syncthreads();
  const auto sum_of = [&](int m, int row, int choice) {
    float sum = 0.0F;
#pragma unroll
    for (int part = 0; part < kWarps; ++part) {
      const auto* const four =
          reinterpret_cast<const float*>(&parts[m][part][choice / 8][row % 8 * 4 + choice % 8 / 2]);
      sum += four[row / 8 * 2 + choice % 2];
    }
    return sum * Strip::factor(m == 0 ? a.w : a.v, tile.expert, strip * kStrip + row, row);
  };
  const AnyGate gate(a.gate);
  for (int i = static_cast<int>(threadIdx.x); i < kStrip * tile.count; i += 32 * kWarps) {
    const int row = i % kStrip;
    const int choice = i / kStrip;
    float value = sum_of(0, row, choice);
    if constexpr (kGated) value = gate(value, sum_of(1, row, choice));
    const std::int64_t at = static_cast<std::int64_t>(chosen[choice]) * a.outputs;
    static_cast<T*>(a.y)[at + strip * kStrip + row] = from_float<T>(value);
  }
}

// Of `most` tiles at most, of `tiles` times 8 choices.
inline constexpr int kFewTiles = 1;
inline constexpr int kMoreTiles = 4;

template <typename T, typename Strip, bool kGated>
void launch_product(const Launch& launch, const ProductArguments& a, int tiles, unsigned most) {
  const dim3 grid(static_cast<unsigned>(a.outputs / kStrip), most);
  const auto kernel = tiles == kFewTiles ? product_kernel<T, Strip, kFewTiles, kGated>
                                         : product_kernel<T, Strip, kMoreTiles, kGated>;
  launch_kernel(launch, kernel, grid, dim3(32 * kWarps), 0, a);
}

template <typename T, typename Strip>
void launch_product(const Launch& launch, const ProductArguments& a, bool gated, int tiles,
                    unsigned most) {
  if (gated) return launch_product<T, Strip, true>(launch, a, tiles, most);
  launch_product<T, Strip, false>(launch, a, tiles, most);
}

// For weights of 4 bits: mixture_int4.cu.
void multiply_int4(const Launch& launch, const ProductArguments& a, DType type, Int4Form form,
                   bool gated, int tiles, unsigned most);

}  // namespace hangar::cuda::mixture
