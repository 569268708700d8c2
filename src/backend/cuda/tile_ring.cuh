// What a tile product's block is given, and the ring through which its slots come.
//
// Promise: Producer::run() starts the copies of a block's items, slot after slot (bring_slots());
//   W's before the kernel before has ended.
// Threads: device functions; one thread produces.
#pragma once

#include "backend/cuda/hopper.cuh"
#include "backend/cuda/product_output.cuh"
#include "backend/cuda/tensor_map.h"
#include "backend/cuda/tile_items.cuh"
#include "backend/cuda/tile_plan.h"
#include "tensor/gate_function.h"

namespace hangar::cuda::tiles {

inline constexpr int kWarpgroup = 128;             // threads
inline constexpr int kConsumers = 2 * kWarpgroup;  // two warpgroups multiply, others bring
inline constexpr int kConsumerWarps = kConsumers / 32;
inline constexpr int kStepBytes = 32;  // of a row, to an instruction
static_assert(kTileRoomBytes == kConsumerWarps * kOutputRoom * static_cast<int>(sizeof(float)));

struct TileArguments {
  std::int32_t tile_rows = 0;
  std::int32_t boxes = 0;
  TileItems items;
  std::int32_t slots = 0;
  std::int32_t slot_bytes = 0;
  bool turns = false;  // tile_turns.cuh
  OutputTarget y;
  GateFunction gate = GateFunction::kSilu;
  const float* weight_scales = nullptr;
  const float* x_scales = nullptr;
};

#if __CUDA_ARCH__ >= 900

enum NamedBarrier {
  kSumsThere = 1,
  kSumsRead = 2,
  kScalesThere = 3,
  kItemScalesThere = 4  // of the first warpgroup, the next are the others': tile_many.cuh
};  // of the block; 0 is __syncthreads

__device__ __forceinline__ void sync_at(NamedBarrier barrier) {
  asm volatile("bar.sync %0, %1;" ::"r"(static_cast<int>(barrier)), "n"(kConsumers) : "memory");
}

// The ring of slots; producer and consumers step through it in the same order. It begins where a
// block's memory is aligned; open() makes its barriers, for so many warps that read, by the block's
// thread `maker`, and ends with the block's barrier.
struct Ring {
  std::uint32_t memory;
  std::uint32_t barriers;
  int slots;
  int slot_bytes;
  int at = 0;
  std::uint32_t parity = 0;

  __device__ Ring(const std::byte* dynamic, const std::uint64_t* barriers, int slots,
                  int slot_bytes)
      : memory(shared_address(dynamic) + before(dynamic)),
        barriers(shared_address(barriers)),
        slots(slots),
        slot_bytes(slot_bytes) {}
  __device__ void open(int maker, int readers, const CUtensorMap& weight,
                       const CUtensorMap& x) const {
    if (static_cast<int>(threadIdx.x) == maker) {
      for (int i = 0; i < slots; ++i) {
        init_barrier(barriers + 16 * i);
        init_barrier(barriers + 16 * i + 8, readers * kWarpArrivals);
      }
      publish_barriers();
      prefetch_map(&weight);
      prefetch_map(&x);
    }
    __syncthreads();
    cudaTriggerProgrammaticLaunchCompletion();
  }
  // Behind the slots.
  __device__ std::byte* end(std::byte* dynamic) const {
    return dynamic + before(dynamic) + slots * slot_bytes;
  }
  __device__ static std::uint32_t before(const std::byte* dynamic) {
    return (kTileAlignment - shared_address(dynamic) % kTileAlignment) % kTileAlignment;
  }

  __device__ std::uint32_t slot() const { return memory + at * slot_bytes; }
  __device__ std::uint32_t full() const { return barriers + 16 * at; }
  __device__ std::uint32_t empty() const { return barriers + 16 * at + 8; }
  __device__ void step() {
    if (++at < slots) return;
    at = 0;
    parity ^= 1;
  }
};

// One thread: so many slots, in order, through a ring of `slots`. Producers: bring_weight() and
// bring_x() start the copies of the chunk that `at` is at; W's expects the bytes of both.
template <typename Producer, typename AnyRing>
__device__ __forceinline__ void bring_slots(AnyRing ring, Producer producer, int slots, int total) {
  const int first = min(slots, total);
  // Weights are nobody's output: they come before the wait.
  Producer ahead = producer;
  AnyRing filled = ring;
  for (int i = 0; i < first; ++i) {
    ahead.bring_weight(filled);
    ahead.at.step();
    filled.step();
  }
  cudaGridDependencySynchronize();
  for (int i = 0; i < first; ++i) {
    producer.bring_x(ring);
    producer.at.step();
    ring.step();
  }
  ring.parity = 0;  // of the first time that the slots are empty again
  for (int i = first; i < total; ++i) {
    wait_for(ring.empty(), ring.parity);
    producer.bring_weight(ring);
    producer.bring_x(ring);
    producer.at.step();
    ring.step();
  }
}

template <int kWidth, bool kGated>
struct Producer {
  const CUtensorMap& weight;
  const CUtensorMap& x;
  const TileArguments& a;
  ItemWalk at;

  __device__ void bring_weight(const Ring& ring) const {
    expect(ring.full(), a.slot_bytes);
    const int box = at.column_chunk() * a.boxes;
    const int tile = at.item.tile;
    if constexpr (kGated) {
      copy_box(ring.slot(), &weight, ring.full(), CacheFor::kOnce, 0, 0, 0,
               tile * (a.tile_rows / 16), box);
    } else {
      copy_box(ring.slot(), &weight, ring.full(), CacheFor::kOnce, 0, tile * a.tile_rows, box);
    }
  }
  __device__ void bring_x(const Ring& ring) const {
    copy_box(ring.slot() + a.boxes * a.tile_rows * kTileBoxBytes, &x, ring.full(), CacheFor::kOften,
             0, at.item.x_tile * kWidth, at.column_chunk() * a.boxes);
  }
  __device__ void run(const Ring& ring, int slots_to_fill) {
    bring_slots(ring, *this, a.slots, slots_to_fill);
  }
};

#endif

}  // namespace hangar::cuda::tiles
