// Gated tile products of many rows in 16 bits, and their launch.
//
// Promise: launch_wide() is tile_matmul() for products that are is_wide() (tile_matmul.h). Two
// blocks of
//   a cluster have two neighbouring tiles of W, 128 rows each, 8 of the gate and 8 of the other in
//   turn, and the same 256 rows of x, of which each brings half to both. Each of two warpgroups has
//   64 rows of W by all of x: one instruction's sums, as wide as there are, so that little is read
//   from shared memory. While one of them gates and writes, the other has the matrix units. y goes
//   through shared memory and the copy engine.
// Why beside cuBLASLt: the card is at its power limit in such products; what gating in a kernel of
//   its own moves through the memory is saved, and its time.
// Errors: CudaError.
// Threads: as tile_matmul().
#pragma once

#include <algorithm>
#include <cstddef>

#include "backend/cuda/cluster.cuh"
#include "backend/cuda/gate.cuh"
#include "backend/cuda/tensor_map.h"
#include "backend/cuda/tile_kernel.cuh"
#include "backend/cuda/wgmma_wide.cuh"

namespace hangar::cuda::tiles {

struct WideArguments {
  std::int32_t pairs = 0;  // of tiles of W
  std::int32_t x_tiles = 0;
  std::int32_t chunks = 0;
  GateFunction gate = GateFunction::kSilu;

  constexpr int items() const { return pairs * x_tiles; }
};

struct Wide {
  static constexpr int kBlocks = 2;  // of a cluster
  static constexpr int kSlots = kWideSlots;
  static constexpr int kWeightBytes = kWideRows * kTileBoxBytes;
  static constexpr int kXBytes = kWideTile * kTileBoxBytes;
  static constexpr int kSlotBytes = kWeightBytes + kXBytes;
  static constexpr int kThreads = kConsumers + kWarpgroup;
  static constexpr int kOfBringer = 24;  // registers of a thread
  static constexpr int kOfConsumer = 240;
  // What a warpgroup has of y: 32 outputs of each row of x, gated.
  static constexpr int kOutputs = 32;
  static constexpr int kOutputBytes = 2 * kOutputs;
  static_assert(kOutputBytes == kOutputBoxBytes);
  static constexpr int kRoomBytes = kWideTile * kOutputBytes;
  static_assert(2 * kRoomBytes == kWideRoomBytes);
};

#if __CUDA_ARCH__ >= 900

// What a cluster does at a time. Of x so many tiles change first as stay in the second-level cache.
struct WideItem {
  static constexpr int kTilesOfX = 8;
  int pair;
  int x_tile;
  __device__ WideItem(const WideArguments& a, int number) {
    const int all = kTilesOfX * a.pairs;
    const int first = number / all * kTilesOfX;
    const int together = min(kTilesOfX, a.x_tiles - first);
    pair = number % all / together;
    x_tile = first + number % all % together;
  }
};

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
__device__ __forceinline__ void bring_wide(const CUtensorMap& weight, const CUtensorMap& x,
                                           const WideArguments& a, WideRing ring, int rank,
                                           int first, int step) {
  constexpr std::uint16_t kBoth = (1U << Wide::kBlocks) - 1;
  constexpr int kPart = kWideTile / Wide::kBlocks;
  ring.parity = 1;  // slots are empty at first
  for (int number = first; number < a.items(); number += step) {
    const WideItem item(a, number);
    const int tile = Wide::kBlocks * item.pair + rank;
    for (int chunk = 0; chunk < a.chunks; ++chunk) {
      wait_for(ring.empty(), ring.parity);
      expect(ring.full(), Wide::kSlotBytes);
      copy_box(ring.slot(), &weight, ring.full(), CacheFor::kOften, 0, 0, 0,
               tile * (kWideRows / 16), chunk);
      copy_box_to_all(ring.slot() + Wide::kWeightBytes + rank * (kPart * kTileBoxBytes), &x,
                      ring.full(), kBoth, CacheFor::kOften, 0,
                      item.x_tile * kWideTile + rank * kPart, chunk);
      ring.step();
    }
  }
}

// sums = W x^T of an item. release: where the lane arrives for its warp when a slot has been read,
// those of the first slot; both blocks wait for it.
template <typename Op>
__device__ __forceinline__ void multiply_wide(float (&sums)[kWideTile / 2], WideRing& ring,
                                              int group, int chunks, std::uint32_t release) {
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
      wgmma::multiply_64(sums, w + step, x + step, Op{}, chunk > 0 || k > 0);
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

template <typename Op>
__device__ __forceinline__ std::uint32_t pack_two(float low, float high) {
  std::uint32_t both = 0;
  if constexpr (std::is_same_v<Op, __half>) {
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
template <typename Op>
__device__ __forceinline__ void gate_to_room(const float (&sums)[kWideTile / 2], const Gate& gate,
                                             std::uint32_t room) {
  const int warp = static_cast<int>(threadIdx.x) / 32 % 4;
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int j = 0; j < kWideTile / 8; j += 4) {
    std::uint32_t v[4];
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float* const of = sums + 4 * (j + e);
      v[e] = pack_two<Op>(gate(of[0], of[2]), gate(of[1], of[3]));
    }
    const int row = 8 * j + lane;
    const std::uint32_t to = room + row * Wide::kOutputBytes + 16 * (warp ^ (row / 2 % 4));
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to),
                 "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3])
                 : "memory");
  }
}

__device__ __forceinline__ void sync_warpgroup(int group) {
  asm volatile("bar.sync %0, %1;" ::"r"(1 + group), "n"(kWarpgroup) : "memory");
}

#endif

template <typename Op>
__global__ void __cluster_dims__(Wide::kBlocks, 1, 1) __launch_bounds__(Wide::kThreads, 1)
    wide_kernel(const __grid_constant__ CUtensorMap weight, const __grid_constant__ CUtensorMap x,
                const __grid_constant__ CUtensorMap y, const __grid_constant__ WideArguments a) {
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
  cudaGridDependencySynchronize();  // x; and y may be read still
  const int first = static_cast<int>(blockIdx.x) / Wide::kBlocks;
  const int step = static_cast<int>(gridDim.x) / Wide::kBlocks;
  if (warp >= kConsumerWarps) {
    give_registers<Wide::kOfBringer>();
    if (threadIdx.x == kConsumers) bring_wide(weight, x, a, ring, rank, first, step);
  } else {
    take_registers<Wide::kOfConsumer>();
    const int group = warp / 4;
    const bool stores = threadIdx.x % kWarpgroup == 0;
    const std::uint32_t room =
        ring.memory + Wide::kSlots * Wide::kSlotBytes + group * Wide::kRoomBytes;
    const std::uint32_t release = in_block(ring.empty(), threadIdx.x % 32 % Wide::kBlocks);
    const Gate gate(a.gate);
    for (int number = first; number < a.items(); number += step) {
      float sums[kWideTile / 2];
      multiply_wide<Op>(sums, ring, group, a.chunks, release);
      if (stores) stored();  // the item before
      sync_warpgroup(group);
      gate_to_room<Op>(sums, gate, room);
      fence_copies();
      sync_warpgroup(group);
      if (stores) {
        const WideItem item(a, number);
        const int part = 2 * (Wide::kBlocks * item.pair + rank) + group;  // of y's outputs
        store_box(&y, room, part * Wide::kOutputBytes, item.x_tile * kWideTile);
      }
    }
    if (stores) all_stored();
  }
  __syncwarp();
  sync_cluster();  // nobody ends while others still write to it
#endif
}

template <typename Op>
void launch_wide(const Launch& launch, const Product& product, const TilePlan& plan) {
  const std::int64_t row_bytes = static_cast<std::int64_t>(sizeof(Op)) * product.columns;
  const CUtensorMap weight = gated_boxes(product.weight, product.outputs, row_bytes, kWideRows, 1);
  const CUtensorMap x = matrix_boxes(product.x, product.rows, row_bytes,
                                     static_cast<std::int64_t>(sizeof(Op)) * product.x_stride,
                                     kWideTile / Wide::kBlocks, 1);
  const CUtensorMap y =
      output_boxes(product.y, product.rows, 2 * product.outputs, 2 * product.y_stride, kWideTile);
  WideArguments a;
  a.pairs = (plan.tiles + Wide::kBlocks - 1) / Wide::kBlocks;
  a.x_tiles = plan.x_tiles;
  a.chunks = plan.chunks;
  a.gate = *product.gate;
  const auto kernel = wide_kernel<Op>;
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, plan.shared_bytes));
  const int clusters = std::clamp(launch.processors / Wide::kBlocks, 1, a.items());
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(Wide::kBlocks * clusters)),
                dim3(Wide::kThreads), static_cast<std::size_t>(plan.shared_bytes), weight, x, y, a);
}

}  // namespace hangar::cuda::tiles
