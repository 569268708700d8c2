// The kernel of 4-bit products of more than 32 rows by groups of 128: without a pause.
//
// Promise: halves_kernel<gated, sizes>() is int4_matmul() in tiles of 128 rows of x and, of W, up
//   to 4 strips to a warpgroup, or of 64 rows and up to 4 or 8 strips, a block of columns to a slot
//   (int4_tile_turns.cuh). Of 128 rows the last tiles may be done in halves (TileItems).
// Shapes: an item's blocks are a multiple of four (takes_halves(), int4_kernels.h).
// Threads: as int4_matmul().
#pragma once

#include "backend/cuda/hopper.cuh"
#include "backend/cuda/int4_bring.cuh"
#include "backend/cuda/int4_tile_turns.cuh"
#include "backend/cuda/tensor_map.h"
#include "backend/cuda/tile_items.cuh"

namespace hangar::cuda::int4 {

struct HalvesArguments {
  std::int32_t strips = 0;  // of a warpgroup; gated: of the gate and of the other, of both
  std::int32_t blocks = 0;
  TileItems items;  // chunks: blocks
  const float* x_sums = nullptr;
  TileOutput out;
};

#if __CUDA_ARCH__ >= 900

// x's sums come with the last block of eight, or of an item.
__device__ __forceinline__ bool brings_sums(int block, int left) {
  return left == 1 || (block + 1) % kInt4SumBlocks == 0;
}

// One thread: copies, in order.
template <bool kGated, typename Sizes>
struct HalvesProducer {
  const HalvesArguments& a;
  const CUtensorMap& weight;
  const CUtensorMap& x;
  std::uint32_t memory;
  std::uint32_t full;
  ItemWalk at;  // a chunk is a block
  int sum_turn = 0;

  __device__ int block() const { return at.column_chunk(); }
  __device__ bool with_sums() const { return brings_sums(block(), a.items.chunks - at.chunk); }
  __device__ void bring_weight(int slot) const {
    const int strips = 2 * a.strips;
    // What lies outside W comes as zeros.
    expect(full + 8 * slot,
           strips * Sizes::kStripBytes + Sizes::kXBytes + (with_sums() ? Sizes::kSumBytes : 0));
    copy_box(memory + slot * Sizes::kSlotBytes + Sizes::kXBytes, &weight, full + 8 * slot,
             CacheFor::kOnce, 0, block(), at.item.tile * (kGated ? a.strips : strips), 0);
  }
  __device__ void bring_x(int slot) {
    copy_box(memory + slot * Sizes::kSlotBytes, &x, full + 8 * slot, CacheFor::kOften, 0,
             at.item.x_tile * Sizes::kWidth, block());
    if (!with_sums()) return;
    const int fours = int4_sum_fours(1, a.blocks);
    const int four = block() / kInt4SumBlocks * (kInt4SumBlocks / kInt4SumFour);
    copy_bulk(memory + Sizes::kSums + sum_turn * Sizes::kSumBytes,
              a.x_sums + (static_cast<std::int64_t>(at.item.x_tile) * fours + four) *
                             (Sizes::kWidth * kInt4SumFour),
              Sizes::kSumBytes, full + 8 * slot, CacheFor::kOften);
    sum_turn = sum_turn + 1 == Sizes::kTurns ? 0 : sum_turn + 1;
  }
};

#endif

template <bool kGated, typename Sizes>
__global__ void __launch_bounds__(Sizes::kThreads, 1)
    halves_kernel(const __grid_constant__ CUtensorMap weights,
                  const __grid_constant__ CUtensorMap x,
                  const __grid_constant__ HalvesArguments a) {
#if __CUDA_ARCH__ >= 900
  // Gated: a thread's two rows are a gate's and an up's, of which the second warpgroup has rows 8
  // to 15 of each strip; or each has a set of its own, and a warpgroup half of the strips.
  constexpr bool kSetEach = kGated && Sizes::kSets == 2;
  constexpr bool kPaired = kGated && !kSetEach;
  extern __shared__ std::byte dynamic[];
  __shared__ __align__(8) std::uint64_t barriers[2 * Sizes::kSlots];
  const std::uint32_t begin = shared_address(dynamic);
  const std::uint32_t offset = (kInt4Alignment - begin % kInt4Alignment) % kInt4Alignment;
  std::byte* const memory = dynamic + offset;
  const std::uint32_t full = shared_address(barriers);
  const std::uint32_t empty = full + 8 * Sizes::kSlots;
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (threadIdx.x == kTileConsumers) {
    for (int i = 0; i < Sizes::kSlots; ++i) {
      init_barrier(full + 8 * i);
      init_barrier(empty + 8 * i, kConsumerWarps * kWarpArrivals);
    }
    publish_barriers();
    prefetch_map(&weights);
    prefetch_map(&x);
  }
  __syncthreads();
  cudaTriggerProgrammaticLaunchCompletion();
  const int number = static_cast<int>(blockIdx.x);
  const int items = items_of_block(a.items);
  if (warp >= kConsumerWarps) {
    give_registers<Sizes::kOfBringer>();
    if (threadIdx.x == kTileConsumers) {
      bring_all(
          HalvesProducer<kGated, Sizes>{a, weights, x, begin + offset, full, ItemWalk(a.items)},
          Sizes::kSlots, empty, items * a.items.chunks);
    }
    return;
  }
  take_registers<Sizes::kOfConsumer>();
  const int group = warp / 4;
  // The warp's strip of a set: of its warpgroup's or, gated, of the tile's gate. Where there is
  // none it repeats another.
  const auto strip_of = [&](int set) {
    const int strip = 4 * (kSetEach ? group : set) + warp % 4;
    return strip < a.strips ? strip : 0;
  };
  const std::byte* const low = memory + Sizes::kXBytes +
                               ((kGated ? 0 : group * a.strips) + strip_of(0)) * Sizes::kStripBytes;
  const std::byte* const high = kPaired ? low + a.strips * Sizes::kStripBytes : low;
  HalvesConsumer<kPaired, Sizes> consumer(
      memory, full, empty, low, high, lane / 4 + (kPaired ? 8 * group : 0),
      (kSetEach ? a.strips : strip_of(1) - strip_of(0)) * Sizes::kStripBytes);
  const OutputRooms<Sizes::kWidth> rooms(memory + Sizes::kRoom, warp);
  cudaGridDependencySynchronize();  // x's scales; and others may read y still
  for (int i = 0; i < items; ++i) {
    const Item of(a.items, number + i * static_cast<int>(gridDim.x));
    ask_scales(a.out, of.x_tile * Sizes::kWidth, rooms);
    // Of a set, of rows of x from the tile's `first` on.
    const auto put = [&]<int kCount>(const float(&sums)[kCount], int set, int first) {
      const int strip = 4 * set + warp % 4;
      if (strip >= a.strips) return;
      const int at = kGated ? of.tile * a.strips + strip : (2 * of.tile + group) * a.strips + strip;
      put_sums<2 * kCount, kGated, 512>(
          sums, a.out, of.x_tile * Sizes::kWidth + first, first,
          at * static_cast<int>(kInt4Strip) + (kGated ? 8 * group : 0), rooms);
    };
    if constexpr (Sizes::kSets == 2) {
      float sums[2][Sizes::kWidth / 2] = {};
      consumer.run(sums, of.first, a.items.chunks, 0);
      if constexpr (kSetEach) {
        const int strip = 4 * group + warp % 4;
        if (strip >= a.strips) continue;
        put_gated_sums<Sizes::kWidth, 512>(
            sums, a.out, of.x_tile * Sizes::kWidth,
            (of.tile * a.strips + strip) * static_cast<int>(kInt4Strip), rooms);
      } else {
        put(sums[0], 0, 0);
        put(sums[1], 1, 0);
      }
    } else {
      const auto work = [&]<int kCount>(float(&sums)[kCount]) {
        consumer.run(sums, of.first, a.items.chunks, of.half);
        put(sums, 0, of.half * (Sizes::kWidth / 2));
      };
      if constexpr (Sizes::kHalvesLast) {
        if (of.halved) {
          float sums[Sizes::kWidth / 4] = {};
          work(sums);
          continue;
        }
      }
      float sums[Sizes::kWidth / 2] = {};
      work(sums);
    }
  }
#endif
}

template <bool kGated, typename Sizes>
void launch_halves(const Launch& launch, const Product& product, const Int4Way& way,
                   const Int4Plan& plan) {
  HalvesArguments a;
  a.strips = way.strips;
  a.blocks = plan.blocks;
  a.items = {plan.tiles, plan.x_tiles, way.split, plan.blocks / way.split};
  if (Sizes::kHalvesLast) a.items.halve_last(launch.processors);
  a.x_sums = product.x_sums;
  a.out = TileOutput(product);
  const CUtensorMap weight =
      strip_boxes(product.weight, product.outputs / kInt4Strip, plan.blocks, Sizes::kStripBytes,
                  kGated ? int4_bytes(*product.int4, product.outputs, product.columns) : 0,
                  kGated ? way.strips : 2 * way.strips, 1);
  const CUtensorMap x = matrix_boxes(product.x, product.rows, plan.blocks * kInt4Columns,
                                     product.x_stride, Sizes::kWidth, 1);
  const auto kernel = halves_kernel<kGated, Sizes>;
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Sizes::kBytes));
  const int blocks = std::min(launch.processors, a.items.count());
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(blocks)), dim3(Sizes::kThreads),
                static_cast<std::size_t>(Sizes::kBytes), weight, x, a);
}

}  // namespace hangar::cuda::int4
