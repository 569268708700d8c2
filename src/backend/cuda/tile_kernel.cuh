// The tile products' kernel (tile_matmul.h), and its launch.
//
// Promise: launch_tile_product<Op>() is tile_matmul() for weights and inputs of Op.
// Threads: as tile_matmul().
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "backend/cuda/gate.cuh"
#include "backend/cuda/hopper.cuh"
#include "backend/cuda/product_output.cuh"
#include "backend/cuda/tensor_map.h"
#include "backend/cuda/tile_matmul.h"
#include "backend/cuda/tile_plan.h"
#include "backend/cuda/tile_ring.cuh"
#include "backend/cuda/tile_turns.cuh"
#include "backend/cuda/wgmma.cuh"

namespace hangar::cuda::tiles {

// Sums of 8-bit products are kept to few bits within the instruction: they are added up in float32
// slot by slot, which takes registers.
template <typename Op>
inline constexpr bool kSumsBySlot = sizeof(Op) == 1;

template <typename Op, int kWidth>
inline constexpr bool kTakesTurns = kSumsBySlot<Op> && kWidth == kWidestTile;

#if __CUDA_ARCH__ >= 900

// Where a block's warpgroup is.
struct Place {
  int group;    // 0, 1
  bool shared;  // both take the same rows, alternate boxes
  int rows;     // of the tile, that it takes

  // Of W, the warp's.
  __device__ __forceinline__ int first_row(const TileArguments& a, int tile) const {
    const int warp = static_cast<int>(threadIdx.x) / 32 % 4;
    return tile * a.tile_rows + (shared ? 0 : group * rows) + 16 * warp;
  }
};

// sums += W x^T over one slot.
template <typename Op, int kWidth>
__device__ __forceinline__ void multiply_slot(float (&sums)[kWidth / 2], const TileArguments& a,
                                              const Place& place, std::uint32_t slot) {
  const int weight_box = a.tile_rows * kTileBoxBytes;
  constexpr int kXBox = kWidth * kTileBoxBytes;
  const int first = place.group * (place.shared ? weight_box : place.rows * kTileBoxBytes);
  const int step = place.shared ? 2 : 1;
  std::uint64_t w = wgmma::descriptor(slot + first);
  std::uint64_t x =
      wgmma::descriptor(slot + a.boxes * weight_box + (place.shared ? place.group * kXBox : 0));
  wgmma::begin(sums);
  for (int box = 0; box < a.boxes; box += step) {
#pragma unroll
    for (int i = 0; i < kTileBoxBytes / kStepBytes; ++i) {
      wgmma::multiply_64(sums, w + i * (kStepBytes / 16), x + i * (kStepBytes / 16), Op{});
    }
    w += step * weight_box / 16;
    x += step * kXBox / 16;
  }
  wgmma::end();
  wgmma::wait(sums);
}

// sums += an item's slots.
template <typename Op, int kWidth>
__device__ __forceinline__ void add_item(float (&sums)[kWidth / 2], const TileArguments& a,
                                         const Place& place, Ring& ring) {
  if constexpr (kTakesTurns<Op, kWidth>) {
    if (a.turns) return Turns<Op>(ring, place.group, 0).run(sums, a.items.chunks);
  }
  for (int chunk = 0; chunk < a.items.chunks; ++chunk) {
    wait_for(ring.full(), ring.parity);
    if constexpr (kSumsBySlot<Op>) {
      float part[kWidth / 2] = {};
      multiply_slot<Op, kWidth>(part, a, place, ring.slot());
#pragma unroll
      for (int k = 0; k < kWidth / 2; ++k) sums[k] += part[k];
    } else {
      multiply_slot<Op, kWidth>(sums, a, place, ring.slot());
    }
    arrive_warp(ring.empty());
    ring.step();
  }
}

// The second warpgroup's sums to the first, through memory. False: this is the second.
template <int kCount>
__device__ __forceinline__ bool join_sums(float (&sums)[kCount], const Place& place,
                                          std::byte* memory) {
  auto* mine = reinterpret_cast<float4*>(memory) + threadIdx.x % kWarpgroup;
  if (place.group == 1) {
    sync_at(kSumsRead);
#pragma unroll
    for (int i = 0; i < kCount / 4; ++i) {
      mine[i * kWarpgroup] =
          make_float4(sums[4 * i], sums[4 * i + 1], sums[4 * i + 2], sums[4 * i + 3]);
    }
    sync_at(kSumsThere);
    return false;
  }
  sync_at(kSumsRead);
  sync_at(kSumsThere);
#pragma unroll
  for (int i = 0; i < kCount / 4; ++i) {
    const float4 other = mine[i * kWarpgroup];
    sums[4 * i] += other.x;
    sums[4 * i + 1] += other.y;
    sums[4 * i + 2] += other.z;
    sums[4 * i + 3] += other.w;
  }
  return true;
}

template <typename Op>
inline constexpr bool kScaled = std::is_same_v<Op, __nv_fp8_e4m3>;

// Of a thread's two rows of W.
struct RowScales {
  float low = 1.0F;
  float high = 1.0F;
};

template <bool kGated>
__device__ __forceinline__ RowScales row_scales(const TileArguments& a, const Place& place,
                                                int tile) {
  const int first = place.first_row(a, tile);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int low = kGated ? first / 2 + lane / 4 : first + lane / 4;
  const int high = kGated ? a.y.outputs + low : low + 8;
  RowScales scales;
  if (low < a.y.outputs) scales.low = a.weight_scales[low];
  if (kGated ? low < a.y.outputs : high < a.y.outputs) scales.high = a.weight_scales[high];
  return scales;
}

// What a thread has of a tile, of rows of x from x_row on; wgmma.cuh says what that is. room: its
// warp's.
template <typename Op, int kWidth, bool kGated>
__device__ __forceinline__ void put_tile(const float (&sums)[kWidth / 2], const TileArguments& a,
                                         const Place& place, int tile, int x_row,
                                         const RowScales& scales, const float* x_scales,
                                         float* room) {
  const int warp = static_cast<int>(threadIdx.x) / 32 % 4;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (16 * warp >= place.rows) return;
  const int first = place.first_row(a, tile);
  const Gate gate(a.gate);
  constexpr int kEights = kWidth >= 16 ? 2 : 1;
  constexpr int kHalves = kGated ? 1 : 2;
  // A tile of 8 rows more than 16 has half a warp's.
  const bool halved = !kGated && 16 * warp + 8 >= place.rows;
  OutputTarget y = a.y;
  if (halved) y.outputs = min(y.outputs, first + 8);
#pragma unroll
  for (int j = 0; j < kWidth / 8; j += kEights) {
    if (x_row + 8 * j >= y.rows) break;
    float values[kEights][2][kHalves];
#pragma unroll
    for (int e = 0; e < kEights; ++e) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float low = sums[4 * (j + e) + c];
        float high = sums[4 * (j + e) + 2 + c];
        if constexpr (kScaled<Op>) {
          const float x_scale = x_scales[x_row + 8 * (j + e) + 2 * (lane % 4) + c];
          low *= scales.low * x_scale;
          high *= scales.high * x_scale;
        }
        if constexpr (kGated) {  // 8 rows of the gate, then 8 of the other
          values[e][c][0] = gate(low, high);
        } else {
          values[e][c][0] = low;
          values[e][c][1] = high;
        }
      }
    }
    put_rows<kEights, kHalves>(y, room, x_row + 8 * j, kGated ? first / 2 : first, values);
  }
}

#endif

// A block by the width of its tiles of x. Where registers are for one only, a warpgroup brings and
// leaves the others its own; else a warp does.
template <typename Op, int kWidth>
struct TileBlock {
  static constexpr bool kWide = kSumsBySlot<Op> && kWidth > 64;
  static constexpr int kAtOnce = kWide ? 1 : 2;
  static constexpr int kThreads = kConsumers + (kWide ? kWarpgroup : 32);
  static constexpr int kOfBringer = 24;  // registers of a thread, wide
  static constexpr int kOfConsumer = 240;
};

template <typename Op, int kWidth, bool kGated>
__global__ void __launch_bounds__(TileBlock<Op, kWidth>::kThreads, TileBlock<Op, kWidth>::kAtOnce)
    tile_kernel(const __grid_constant__ CUtensorMap weight, const __grid_constant__ CUtensorMap x,
                const __grid_constant__ TileArguments a) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ std::byte dynamic[];
  __shared__ __align__(16) std::uint64_t barriers[2 * kMostTileSlots];
  Ring ring(dynamic, barriers, a.slots, a.slot_bytes);
  // The same in all lanes, and known to be: what depends on it does not diverge.
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  ring.open(kConsumers, kConsumerWarps, weight, x);
  const int number = static_cast<int>(blockIdx.x);
  const int items = items_of_block(a.items);
  using Block = TileBlock<Op, kWidth>;
  if (warp >= kConsumerWarps) {
    if constexpr (Block::kWide) give_registers<Block::kOfBringer>();
    if (threadIdx.x == kConsumers) {
      Producer<kWidth, kGated>{weight, x, a, ItemWalk(a.items)}.run(ring, items * a.items.chunks);
    }
    return;
  }
  if constexpr (Block::kWide) take_registers<Block::kOfConsumer>();
  Place place{warp / 4, a.tile_rows <= kSharedTileRows, a.tile_rows};
  if (!place.shared) place.rows /= 2;
  std::byte* const behind = ring.end(dynamic);
  float* const room = reinterpret_cast<float*>(behind) + warp * kOutputRoom;
  std::byte* const exchange = behind + kTileRoomBytes;
  bool waited = false;
  const auto wait_once = [&] {
    if (!waited) cudaGridDependencySynchronize();
    waited = true;
  };
  constexpr int kMostRows = kWidth < kWidestTile ? kWidth : static_cast<int>(kMostTileRows);
  __shared__ float x_scales[kScaled<Op> ? kMostRows : 1];
  if constexpr (kScaled<Op>) {
    static_assert(kMostRows <= kConsumers);
    wait_once();
    const int row = static_cast<int>(threadIdx.x);
    if (row < kMostRows) x_scales[row] = row < a.y.rows ? __ldcg(a.x_scales + row) : 0.0F;
    sync_at(kScalesThere);
  }
  for (int i = 0; i < items; ++i) {
    const auto item_of = [&] { return Item(a.items, number + i * static_cast<int>(gridDim.x)); };
    RowScales scales;  // asked for before the sums are there
    if constexpr (kScaled<Op>) scales = row_scales<kGated>(a, place, item_of().tile);
    const auto put = [&]<int kCount>(const float(&sums)[kCount]) {
      const Item item = item_of();
      const int x_row = item.x_tile * kWidth + item.half * (kWidth / 2);
      put_tile<Op, 2 * kCount, kGated>(sums, a, place, item.tile, x_row, scales, x_scales, room);
    };
    if constexpr (kTakesTurns<Op, kWidth>) {
      if (const Item item = item_of(); item.halved) {
        float sums[kWidth / 4] = {};
        Turns<Op>(ring, place.group, item.half * (kWidth / 2)).run(sums, a.items.chunks);
        put(sums);
        continue;
      }
    }
    float sums[kWidth / 2] = {};
    add_item<Op, kWidth>(sums, a, place, ring);
    wait_once();  // before y is written: others may read it still
    if (place.shared && !join_sums(sums, place, exchange)) continue;
    put(sums);
  }
#endif
}

inline TileArguments tile_arguments(const Launch& launch, const Product& product,
                                    const TileWay& way, const TilePlan& plan) {
  TileArguments a;
  a.tile_rows = way.rows;
  a.boxes = way.boxes;
  a.items = {plan.tiles, plan.x_tiles, way.split, plan.chunks / way.split};
  a.slots = plan.slots;
  a.slot_bytes = plan.slot_bytes;
  a.turns = takes_turns(product, way, plan);
  if (a.turns || takes_many(product, way, plan)) a.items.halve_last(launch.processors);
  a.gate = product.gate.value_or(GateFunction::kSilu);
  a.y = OutputTarget(product);
  a.weight_scales = product.weight_scales;
  a.x_scales = product.x_scales;
  return a;
}

struct TileMaps {
  CUtensorMap weight;
  CUtensorMap x;
};

template <typename Op, int kWidth, bool kGated>
TileMaps tile_maps(const Product& product, const TileWay& way) {
  const std::int64_t row_bytes = static_cast<std::int64_t>(sizeof(Op)) * product.columns;
  return {
      kGated ? gated_boxes(product.weight, product.outputs, row_bytes, way.rows, way.boxes)
             : matrix_boxes(product.weight, product.outputs, row_bytes, row_bytes, way.rows,
                            way.boxes),
      matrix_boxes(product.x, product.rows, row_bytes,
                   static_cast<std::int64_t>(sizeof(Op)) * product.x_stride, kWidth, way.boxes)};
}

// most_shared: bytes that any launch of this kernel has.
template <typename... Parameters, typename... Arguments>
void launch_tile_kernel(const Launch& launch, void (*kernel)(Parameters...), int threads,
                        int most_shared, const TileItems& items, const TileWay& way,
                        const TilePlan& plan, const Arguments&... arguments) {
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most_shared));
  const int blocks = std::min(launch.processors * way.blocks, items.count());
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(blocks)),
                dim3(static_cast<unsigned>(threads)), static_cast<std::size_t>(plan.shared_bytes),
                arguments...);
}

template <typename Op, int kWidth, bool kGated>
void launch_tiles(const Launch& launch, const Product& product, const TileWay& way,
                  const TilePlan& plan) {
  const TileArguments a = tile_arguments(launch, product, way, plan);
  const TileMaps maps = tile_maps<Op, kWidth, kGated>(product, way);
  launch_tile_kernel(launch, tile_kernel<Op, kWidth, kGated>, TileBlock<Op, kWidth>::kThreads,
                     kMostTileKib << 10, a.items, way, plan, maps.weight, maps.x, a);
}

template <typename Op, bool kGated>
void launch_width(const Launch& launch, const Product& product, const TileWay& way,
                  const TilePlan& plan) {
  switch (tile_width(product.rows)) {
    case 8:
      return launch_tiles<Op, 8, kGated>(launch, product, way, plan);
    case 16:
      return launch_tiles<Op, 16, kGated>(launch, product, way, plan);
    case 32:
      return launch_tiles<Op, 32, kGated>(launch, product, way, plan);
    case 64:
      return launch_tiles<Op, 64, kGated>(launch, product, way, plan);
    default:
      return launch_tiles<Op, 128, kGated>(launch, product, way, plan);
  }
}

template <typename Op>
void launch_tile_product(const Launch& launch, const Product& product, const TileWay& way,
                         const TilePlan& plan) {
  if (product.gate) return launch_width<Op, true>(launch, product, way, plan);
  launch_width<Op, false>(launch, product, way, plan);
}

}  // namespace hangar::cuda::tiles
