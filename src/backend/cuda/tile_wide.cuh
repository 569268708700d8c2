// Gated tile products of many rows by two blocks, and their launch.
//
// Promise: launch_wide() is tile_matmul() for ways with takes_wide(). Two blocks of a cluster have
//   two neighbouring tiles of W, 128 rows each, 8 of the gate and 8 of the other in turn, and the
//   same 256 rows of x, of which each brings half to both. Each of two warpgroups has 64 rows of W
//   by all of x: one instruction's sums, as wide as there are, so that little is read from shared
//   memory. The last items are done in halves of their x, where most clusters would have nothing to
//   do meanwhile. y goes through shared memory and the copy engine.
//   Sums stay in the instruction from the first column to the last: those of FP8 are fast ones
//   (Fp8Sums), their scales come in at the end.
// Why beside cuBLASLt: the card is at its power limit in such products; what gating in a kernel of
//   its own moves through the memory is saved, and its time.
// Errors: CudaError.
// Threads: as tile_matmul().
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "backend/cuda/cluster.cuh"
#include "backend/cuda/gate.cuh"
#include "backend/cuda/tensor_map.h"
#include "backend/cuda/tile_kernel.cuh"
#include "backend/cuda/wgmma_wide.cuh"

namespace hangar::cuda::tiles {

struct Wide {
  static constexpr int kBlocks = 2;  // of a cluster
  static constexpr int kRows = kWideRows / kBlocks;
  static constexpr int kSlots = kWideSlots;
  static constexpr int kHalf = kWideTile / 2;       // of x's rows
  static constexpr int kBoxRows = kHalf / kBlocks;  // of x, in a copy
  static constexpr int kWeightBytes = kRows * kTileBoxBytes;
  static constexpr int kXBytes = kWideTile * kTileBoxBytes;
  static constexpr int kSlotBytes = kWeightBytes + kXBytes;
  static constexpr int kThreads = kConsumers + kWarpgroup;
  static constexpr int kOfBringer = 24;  // registers of a thread
  static constexpr int kOfConsumer = 240;
  // What a warpgroup has of y: 32 outputs of each row of x.
  static constexpr int kOutputs = 32;
  static constexpr int kOutputBytes = 2 * kOutputs;
  static_assert(kOutputBytes == kOutputBoxBytes);
  static constexpr int kRoomBytes = kWideTile * kOutputBytes;
  static_assert(2 * kRoomBytes == kWideRoomBytes);
  static_assert(kWideTile * static_cast<int>(sizeof(float)) <= kRoomBytes);
};

#if __CUDA_ARCH__ >= 900

using WideItem = ItemBy<8>;
using WideWalk = WalkBy<8>;

struct WideRing {
  std::uint32_t memory;
  std::uint32_t barriers;  // full ones, empty ones behind them
  int at = 0;
  std::uint32_t parity = 0;

  __device__ std::uint32_t slot() const { return memory + at * Wide::kSlotBytes; }
  __device__ std::uint32_t full() const { return barriers + 8 * at; }
  __device__ std::uint32_t empty() const { return barriers + 8 * (Wide::kSlots + at); }
  __device__ void step() {
    if (++at < Wide::kSlots) return;
    at = 0;
    parity ^= 1;
  }
};

// One thread of each block: its tile of W, and its half of x to both.
struct WideBringer {
  const CUtensorMap& weight;
  const CUtensorMap& x;
  int rank;
  WideWalk at;

  __device__ void bring_weight(const WideRing& ring) const {
    const int tile = Wide::kBlocks * at.item.tile + rank;
    const int bytes = at.item.halved ? Wide::kSlotBytes - Wide::kXBytes / 2 : Wide::kSlotBytes;
    expect(ring.full(), bytes);
    copy_box(ring.slot(), &weight, ring.full(), CacheFor::kOften, 0, 0, 0,
             tile * (Wide::kRows / 16), at.column_chunk());
  }
  __device__ void bring_x(const WideRing& ring) const {
    constexpr std::uint16_t kBoth = (1U << Wide::kBlocks) - 1;
    const int first = at.item.x_tile * kWideTile + at.item.half * Wide::kHalf;
    const int boxes = at.item.halved ? 1 : 2;
    for (int i = 0; i < boxes; ++i) {
      const int row = (rank * boxes + i) * Wide::kBoxRows;  // of the item's
      copy_box_to_all(ring.slot() + Wide::kWeightBytes + row * kTileBoxBytes, &x, ring.full(),
                      kBoth, CacheFor::kOften, 0, first + row, at.column_chunk());
    }
  }
};

// sums += W x^T of an item, whose x are 2 kCount rows. release: where the lane arrives for its warp
// when a slot has been read, those of the first slot; both blocks wait for it.
template <typename Op, int kCount>
__device__ __forceinline__ void multiply_wide(float (&sums)[kCount], WideRing& ring, int group,
                                              int chunks, std::uint32_t release) {
  const std::uint64_t w = wgmma::descriptor(ring.memory + group * 64 * kTileBoxBytes);
  const std::uint64_t x = wgmma::descriptor(ring.memory + Wide::kWeightBytes);
  const bool arrives = threadIdx.x % 32 < Wide::kBlocks;
  int before = -1;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    wait_for(ring.full(), ring.parity);
    wgmma::begin(sums);
    const std::uint32_t at = ring.at * (Wide::kSlotBytes / 16);
#pragma unroll
    for (int k = 0; k < kTileBoxBytes / kStepBytes; ++k) {
      const std::uint32_t step = at + k * (kStepBytes / 16);
      wgmma::multiply_64(sums, w + step, x + step, Op{});
    }
    wgmma::end();
    wgmma::wait_but_one(sums);
    if (before >= 0 && arrives) arrive_there(release + 8 * before);
    before = ring.at;
    ring.step();
  }
  wgmma::wait(sums);
  if (arrives) arrive_there(release + 8 * before);
}

__device__ __forceinline__ void sync_warpgroup(int group) {
  asm volatile("bar.sync %0, %1;" ::"r"(1 + group), "n"(kWarpgroup) : "memory");
}

// x's scales, of FP8: each thread asks for two rows' before the sums are there; they are shared out
// in the warpgroup's room, which nothing else is in between two items.
struct WideScales {
  float first = 0.0F;
  float second = 0.0F;

  __device__ __forceinline__ void ask(const TileArguments& a, int x_row) {
    const int row = x_row + static_cast<int>(threadIdx.x) % kWarpgroup;
    if (row < a.y.rows) first = __ldcg(a.x_scales + row);
    if (row + kWarpgroup < a.y.rows) second = __ldcg(a.x_scales + row + kWarpgroup);
  }
  template <int kCount>
  __device__ __forceinline__ void multiply(float (&sums)[kCount], const RowScales& of_rows,
                                           std::byte* room, int group) const {
    const int thread = static_cast<int>(threadIdx.x) % kWarpgroup;
    auto* const scales = reinterpret_cast<float*>(room);
    scales[thread] = first;
    scales[thread + kWarpgroup] = second;
    sync_warpgroup(group);
#pragma unroll
    for (int j = 0; j < kCount / 4; ++j) {
      const float2 two = *reinterpret_cast<const float2*>(scales + 8 * j + 2 * (thread % 4));
      sums[4 * j] *= of_rows.low * two.x;
      sums[4 * j + 1] *= of_rows.low * two.y;
      sums[4 * j + 2] *= of_rows.high * two.x;
      sums[4 * j + 3] *= of_rows.high * two.y;
    }
    sync_warpgroup(group);
  }
};

template <bool kHalfs>
__device__ __forceinline__ std::uint32_t pack_two(float low, float high) {
  std::uint32_t both = 0;
  if constexpr (kHalfs) {
    const __half2 values = __floats2half2_rn(low, high);
    memcpy(&both, &values, sizeof(both));
  } else {
    const __nv_bfloat162 values = __floats2bfloat162_rn(low, high);
    memcpy(&both, &values, sizeof(both));
  }
  return both;
}

// A thread's sums, gated, to a warpgroup's room: rows of x, each kOutputs outputs, as a box of
// 64 bytes swizzled has them. A warp has eight of the outputs: 8 x 8 matrices, written across.
template <bool kHalfs, int kCount>
__device__ __forceinline__ void gate_to_room(const float (&sums)[kCount], const Gate& gate,
                                             std::uint32_t room) {
  const int warp = static_cast<int>(threadIdx.x) / 32 % 4;
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int j = 0; j < kCount / 4; j += 4) {
    std::uint32_t v[4];
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float* const of = sums + 4 * (j + e);
      v[e] = pack_two<kHalfs>(gate(of[0], of[2]), gate(of[1], of[3]));
    }
    const int row = 8 * j + lane;
    const std::uint32_t to = room + row * Wide::kOutputBytes + 16 * (warp ^ (row / 2 % 4));
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to),
                 "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3])
                 : "memory");
  }
}

// A warpgroup's sums, gated, to y: columns of `part`, rows from x_row on.
template <typename Op, int kCount>
__device__ __forceinline__ void put_wide(float (&sums)[kCount], const CUtensorMap& y,
                                         const TileArguments& a, const WideScales& scales,
                                         const RowScales& of_rows, std::byte* room, int group,
                                         int part, int x_row) {
  const bool stores = threadIdx.x % kWarpgroup == 0;
  if (stores) stored();  // the item before
  sync_warpgroup(group);
  if constexpr (kScaled<Op>) scales.multiply(sums, of_rows, room, group);
  const bool halves = kScaled<Op> ? a.y.halves : std::is_same_v<Op, __half>;
  if (halves) {
    gate_to_room<true>(sums, Gate(a.gate), shared_address(room));
  } else {
    gate_to_room<false>(sums, Gate(a.gate), shared_address(room));
  }
  fence_copies();
  sync_warpgroup(group);
  if (!stores) return;
  for (int half = 0; half < kCount / 64; ++half) {
    store_box(&y, shared_address(room) + half * (Wide::kRoomBytes / 2), part * Wide::kOutputBytes,
              x_row + half * Wide::kHalf);
  }
}

#endif

template <typename Op>
__global__ void __cluster_dims__(Wide::kBlocks, 1, 1) __launch_bounds__(Wide::kThreads, 1)
    wide_kernel(const __grid_constant__ CUtensorMap weight, const __grid_constant__ CUtensorMap x,
                const __grid_constant__ CUtensorMap y, const __grid_constant__ TileArguments a) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ std::byte dynamic[];
  __shared__ __align__(8) std::uint64_t barriers[2 * Wide::kSlots];
  WideRing ring{shared_address(dynamic) + Ring::before(dynamic), shared_address(barriers)};
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int rank = block_in_cluster();
  if (threadIdx.x == kConsumers) {
    for (int i = 0; i < Wide::kSlots; ++i) {
      init_barrier(ring.full() + 8 * i);
      init_barrier(ring.empty() + 8 * i, Wide::kBlocks * kConsumerWarps);
    }
    publish_barriers();
    prefetch_map(&weight);
    prefetch_map(&x);
    prefetch_map(&y);
  }
  sync_cluster();  // nobody writes to a block whose barriers are not there yet
  cudaTriggerProgrammaticLaunchCompletion();
  const int first = static_cast<int>(blockIdx.x) / Wide::kBlocks;
  const int step = static_cast<int>(gridDim.x) / Wide::kBlocks;
  const int items = (a.items.count() - first + step - 1) / step;
  if (warp >= kConsumerWarps) {
    give_registers<Wide::kOfBringer>();
    if (threadIdx.x == kConsumers) {
      bring_slots(ring, WideBringer{weight, x, rank, WideWalk(a.items, first, step)}, Wide::kSlots,
                  items * a.items.chunks);
    }
  } else {
    take_registers<Wide::kOfConsumer>();
    cudaGridDependencySynchronize();  // x's scales; and y may be read still
    const int group = warp / 4;
    std::byte* const room = dynamic + Ring::before(dynamic) + Wide::kSlots * Wide::kSlotBytes +
                            group * Wide::kRoomBytes;
    const std::uint32_t release = in_block(ring.empty(), threadIdx.x % 32 % Wide::kBlocks);
    const Place place{group, false, Wide::kRows / 2};
    for (int i = 0; i < items; ++i) {
      const auto run = [&]<int kCount>(float(&sums)[kCount]) {
        const WideItem item(a.items, first + i * step);
        const int tile = Wide::kBlocks * item.tile + rank;
        const int x_row = item.x_tile * kWideTile + item.half * Wide::kHalf;
        WideScales scales;
        RowScales of_rows;
        if constexpr (kScaled<Op>) {
          scales.ask(a, x_row);
          of_rows = row_scales<true>(a, place, tile);
        }
        multiply_wide<Op>(sums, ring, group, a.items.chunks, release);
        put_wide<Op>(sums, y, a, scales, of_rows, room, group, 2 * tile + group, x_row);
      };
      if (WideItem(a.items, first + i * step).halved) {
        float sums[kWideTile / 4] = {};
        run(sums);
      } else {
        float sums[kWideTile / 2] = {};
        run(sums);
      }
    }
    if (threadIdx.x % kWarpgroup == 0) all_stored();
  }
  __syncwarp();
  sync_cluster();  // nobody ends while others still write to it
#endif
}

template <typename Op>
void launch_wide(const Launch& launch, const Product& product, const TileWay& way,
                 const TilePlan& plan) {
  const std::int64_t row_bytes = static_cast<std::int64_t>(sizeof(Op)) * product.columns;
  const CUtensorMap weight =
      gated_boxes(product.weight, product.outputs, row_bytes, Wide::kRows, 1);
  const CUtensorMap x =
      matrix_boxes(product.x, product.rows, row_bytes,
                   static_cast<std::int64_t>(sizeof(Op)) * product.x_stride, Wide::kBoxRows, 1);
  const CUtensorMap y =
      output_boxes(product.y, product.rows, 2 * product.outputs, 2 * product.y_stride, Wide::kHalf);
  const int clusters = launch.processors / Wide::kBlocks;
  TileArguments a = tile_arguments(launch, product, way, plan);
  a.tile_rows = Wide::kRows;
  a.items.halve_last(std::max(clusters, 1));
  const auto kernel = wide_kernel<Op>;
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, plan.shared_bytes));
  launch_kernel(
      launch, kernel,
      dim3(static_cast<unsigned>(Wide::kBlocks * std::clamp(clusters, 1, a.items.count()))),
      dim3(Wide::kThreads), static_cast<std::size_t>(plan.shared_bytes), weight, x, y, a);
}

}  // namespace hangar::cuda::tiles
