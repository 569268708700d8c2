// The kernel of 4-bit products of more than a few rows.
//
// Promise: tile_kernel<layout, width, halves, gated>() is int4_matmul() for x in tiles of `width`
//   rows and up to 4 * halves strips of W to a warpgroup. Two warpgroups multiply
//   (int4_tile_slot.cuh), others bring. While one warpgroup adds its sums up, the other's product
//   is under way.
// Threads: as int4_matmul().
#pragma once

#include "backend/cuda/hopper.cuh"
#include "backend/cuda/int4_bring.cuh"
#include "backend/cuda/int4_math.cuh"
#include "backend/cuda/int4_plan.h"
#include "backend/cuda/int4_tile_output.cuh"
#include "backend/cuda/int4_tile_slot.cuh"
#include "backend/cuda/tensor_map.h"
#include "backend/cuda/tile_items.cuh"

namespace hangar::cuda::int4 {

struct TileArguments {
  std::int32_t strips = 0;  // of a warpgroup
  bool both = false;        // each warpgroup has its own; gated: rows of its own
  std::int32_t per_slot = 0;
  std::int32_t blocks = 0;
  TileItems items;
  std::int32_t slots = 0;
  std::int32_t slot_bytes = 0;
  bool zeros = false;
  const float* x_sums = nullptr;
  TileOutput out;
};

#if __CUDA_ARCH__ >= 900

// Whether a slot, blocks up to `end`, has x's sums with it: those of groups of 128 come by fours.
template <Layout kLayout, int kFours>
__device__ __forceinline__ bool brings_sums(const TileArguments& a, int end, int chunk) {
  return kGroups<kLayout> > 1 || end % (kFours * kInt4SumFour) == 0 || chunk + 1 == a.items.chunks;
}

// One thread: copies, in order.
template <Layout kLayout, int kWidth, int kFours, bool kGated>
struct TileProducer {
  static constexpr int kBytes = kBlockBytes<kLayout>;
  static constexpr bool kGathered = kGroups<kLayout> == 1;
  const TileArguments& a;
  const CUtensorMap& weight;
  const CUtensorMap& x;
  std::uint32_t memory;
  std::uint32_t full;
  ItemWalk at;

  __device__ int x_bytes() const { return a.per_slot * kWidth * 128; }
  __device__ int sum_bytes() const {
    const int first = at.column_chunk() * a.per_slot;
    const int count = min(a.per_slot, a.blocks - first);
    if (!brings_sums<kLayout, kFours>(a, first + count, at.chunk)) return 0;
    return int4_sum_bytes(kGathered ? kFours : count, kWidth);
  }
  __device__ int tile_strips() const { return a.both ? 2 * a.strips : a.strips; }
  __device__ void bring_weight(int slot) const {
    const int first = at.column_chunk() * a.per_slot;
    const int strips = tile_strips();
    // What lies outside W comes as zeros.
    expect(full + 8 * slot, a.per_slot * strips * kBytes + x_bytes() + sum_bytes());
    copy_box(memory + slot * a.slot_bytes + x_bytes(), &weight, full + 8 * slot, CacheFor::kOnce, 0,
             first, at.item.tile * (kGated ? a.strips : strips), 0);
  }
  __device__ void bring_x(int slot) const {
    const int first = at.column_chunk() * a.per_slot;
    const std::uint32_t to = memory + slot * a.slot_bytes;
    copy_box(to, &x, full + 8 * slot, CacheFor::kOften, 0, at.item.x_tile * kWidth, first);
    const int bytes = sum_bytes();
    if (bytes == 0) return;
    const int fours = int4_sum_fours(kGroups<kLayout>, a.blocks);
    const int four = kGathered ? first / (kFours * kInt4SumFour) * kFours : first;
    copy_bulk(to + x_bytes() + tile_strips() * a.per_slot * kBytes,
              a.x_sums + (static_cast<std::int64_t>(at.item.x_tile) * fours + four) *
                             (kWidth * kInt4SumFour),
              bytes, full + 8 * slot, CacheFor::kOften);
  }
};

enum TileBarrier { kSumsRead = 1, kSumsThere = 2 };  // of the block; 0 is __syncthreads

__device__ __forceinline__ void sync_tile(TileBarrier barrier) {
  asm volatile("bar.sync %0, %1;" ::"r"(static_cast<int>(barrier)), "n"(kTileConsumers) : "memory");
}

// The second warpgroup's sums to the first, through memory. False: this is the second.
template <int kCount>
__device__ __forceinline__ bool join_sums(float (&sums)[kCount], int group, std::byte* memory) {
  float4* const room = reinterpret_cast<float4*>(memory) + threadIdx.x % kWarpgroup;
  sync_tile(kSumsRead);
  if (group == 1) {
#pragma unroll
    for (int i = 0; i < kCount / 4; ++i) {
      room[i * kWarpgroup] =
          make_float4(sums[4 * i], sums[4 * i + 1], sums[4 * i + 2], sums[4 * i + 3]);
    }
  }
  sync_tile(kSumsThere);
  if (group == 1) return false;
#pragma unroll
  for (int i = 0; i < kCount / 4; ++i) {
    const float4 other = room[i * kWarpgroup];
    sums[4 * i] += other.x;
    sums[4 * i + 1] += other.y;
    sums[4 * i + 2] += other.z;
    sums[4 * i + 3] += other.w;
  }
  return true;
}

#endif

template <Layout kLayout, int kWidth, int kHalves, bool kGated>
__global__ void __launch_bounds__(TileBlock<kWidth, kHalves>::kThreads)
    __maxnreg__((TileBlock<kWidth, kHalves>::kRegisters))
        tile_kernel(const __grid_constant__ CUtensorMap weights,
                    const __grid_constant__ CUtensorMap x,
                    const __grid_constant__ TileArguments a) {
#if __CUDA_ARCH__ >= 900
  using Block = TileBlock<kWidth, kHalves>;
  constexpr int kBytes = kBlockBytes<kLayout>;
  extern __shared__ std::byte dynamic[];
  __shared__ __align__(8) std::uint64_t barriers[2 * kMostInt4Slots];
  const std::uint32_t begin = shared_address(dynamic);
  const std::uint32_t offset = (kInt4Alignment - begin % kInt4Alignment) % kInt4Alignment;
  std::byte* const memory = dynamic + offset;
  const std::uint32_t full = shared_address(barriers);
  const std::uint32_t empty = full + 8 * kMostInt4Slots;
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (threadIdx.x == kTileConsumers) {
    for (int i = 0; i < a.slots; ++i) {
      init_barrier(full + 8 * i);
      init_barrier(empty + 8 * i, kConsumerWarps * kWarpArrivals);
    }
    publish_barriers();
    prefetch_map(&weights);
    prefetch_map(&x);
  }
  __syncthreads();
  cudaTriggerProgrammaticLaunchCompletion();
  const int step = static_cast<int>(gridDim.x);
  const int number = static_cast<int>(blockIdx.x);
  const int items = items_of_block(a.items);
  if (warp >= kConsumerWarps) {
    if constexpr (Block::kWide) give_registers<Block::kOfBringer>();
    if (threadIdx.x == kTileConsumers) {
      bring_all(TileProducer<kLayout, kWidth, Block::kFours, kGated>{a, weights, x, begin + offset,
                                                                     full, ItemWalk(a.items)},
                a.slots, empty, items * a.items.chunks);
    }
    return;
  }
  if constexpr (Block::kWide) take_registers<Block::kOfConsumer>();
  const int group = warp / 4;
  // Warps beyond the strips repeat a half's first.
  const auto strip_of = [&](int half) {
    const int strip = 4 * half + warp % 4;
    return strip < a.strips ? strip : 4 * half;
  };
  const int x_bytes = a.per_slot * kWidth * 128;
  const int strip_bytes = a.per_slot * kBytes;
  const bool own = a.both && !kGated;  // strips
  const int weight_bytes = (a.both ? 2 : 1) * a.strips * strip_bytes;
  SlotPart<kLayout> part;
  part.low_row = lane / 4 + (kGated ? 8 * group : 0);
  part.high_row = kGated ? part.low_row : part.low_row + 8;
  part.half_bytes = kHalves > 1 ? (strip_of(1) - strip_of(0)) * strip_bytes : 0;
  part.step = a.both ? 1 : 2;
  std::byte* const behind = memory + a.slots * a.slot_bytes;
  const OutputRooms<kWidth> rooms(behind, warp);
  int slot = 0;
  std::uint32_t parity = 0;
  cudaGridDependencySynchronize();  // x's scales; and others may read y still
  for (int i = 0; i < items; ++i) {
    const Item of(a.items, number + i * step);
    ask_scales(a.out, of.x_tile * kWidth, rooms);
    float sums[kHalves][kWidth / 2] = {};
    GatheredMinimums<Block::kFours> minimums[kHalves];
    for (int chunk = 0; chunk < a.items.chunks; ++chunk) {
      wait_for(full + 8 * slot, parity);
      const std::byte* const here = memory + slot * a.slot_bytes;
      part.low = here + x_bytes + ((own ? group * a.strips : 0) + strip_of(0)) * strip_bytes;
      part.high = kGated ? part.low + a.strips * strip_bytes : part.low;
      part.x = shared_address(here);
      part.x_sums = part.x + x_bytes + weight_bytes;
      part.first = (of.first + chunk) * a.per_slot;
      part.count = min(a.per_slot, a.blocks - part.first);
      // Where they share strips, each has the blocks of its own parity.
      part.begin = a.both ? 0 : (group + part.first) % 2;
      part.starts = chunk == 0;
      part.sums = brings_sums<kLayout, Block::kFours>(a, part.first + part.count, chunk);
      multiply_slot<kWidth, kHalves, kGated>(sums, minimums, part, a.zeros);
      __syncwarp();
      arrive_warp(empty + 8 * slot);
      if (++slot < a.slots) continue;
      slot = 0;
      parity ^= 1;
    }
    if constexpr (kHalves == 1 && !kGated) {
      if (!a.both &&
          !join_sums(sums[0], group, behind + kInt4RoomBytes + int4_scale_bytes(kWidth))) {
        continue;
      }
    }
#pragma unroll
    for (int half = 0; half < kHalves; ++half) {
      const int strip = 4 * half + warp % 4;
      if (strip >= a.strips) break;
      const int at = kGated ? of.tile * a.strips + strip
                            : (of.tile * (a.both ? 2 : 1) + (own ? group : 0)) * a.strips + strip;
      put_sums<kWidth, kGated, 1>(sums[half], a.out, of.x_tile * kWidth, 0,
                                  at * static_cast<int>(kInt4Strip) + (kGated ? 8 * group : 0),
                                  rooms);
    }
  }
#endif
}

}  // namespace hangar::cuda::int4
