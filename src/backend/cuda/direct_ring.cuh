// The ring of slots of a product of one or two rows: a thread fills it with W, the other warps
// multiply.
//
// Promise: fill() has the ring filled tile after tile of the block's (from its own number on every
//   gridDim.x-th), chunk after chunk, without a wait for the kernel before: W is nobody's output.
//   Whoever multiplies waits for full(), arrives at empty() once a warp, and takes a step(). at:
//   the slot; barriers: kMostDirectSlots full ones, then as many empty ones.
// Units: bytes; addresses in shared memory.
// Threads: device functions.
#pragma once

#include <cstdint>

#include "backend/cuda/direct.h"
#include "backend/cuda/hopper.cuh"

namespace hangar::cuda::direct {

#if __CUDA_ARCH__ >= 900

struct Ring {
  std::uint32_t barriers;
  int at = 0;
  std::uint32_t parity = 0;

  // words: of shared memory. Their address stays in a register: else every turn of a loop makes it
  // anew, of a number that takes long to read, and a warp waits for that.
  __device__ __forceinline__ explicit Ring(const std::uint64_t* words)
      : barriers(shared_address(words)) {
    asm volatile("" : "+r"(barriers));
  }

  __device__ __forceinline__ std::uint32_t full() const { return barriers + 8 * at; }
  __device__ __forceinline__ std::uint32_t empty() const { return full() + 8 * kMostDirectSlots; }
  __device__ __forceinline__ void step(int slots) {
    if (++at < slots) return;
    at = 0;
    parity ^= 1;
  }
  // One thread, before the block's barrier. warps: that multiply.
  __device__ __forceinline__ void init(int slots, int warps) const {
    for (int i = 0; i < slots; ++i) {
      init_barrier(barriers + 8 * i);
      init_barrier(barriers + 8 * (kMostDirectSlots + i), warps * kWarpArrivals);
    }
    publish_barriers();
  }
  // One thread. bring(slot, barrier, tile, chunk): copies of so many bytes; what lies outside W
  // comes as zeros. At most so many slots, of all, are under way at once.
  template <typename Bring>
  __device__ __forceinline__ void fill(int slots, int bytes, int tiles, int chunks, int most,
                                       const Bring& bring) {
    Ring landing = *this;  // the oldest slot that may be under way
    int under_way = 0;
    parity = 1;  // the first time round nothing is waited for
    for (int tile = static_cast<int>(blockIdx.x); tile < tiles;
         tile += static_cast<int>(gridDim.x)) {
      for (int chunk = 0; chunk < chunks; ++chunk) {
        if (under_way < most) {
          ++under_way;
        } else {
          wait_for(landing.full(), landing.parity);
          landing.step(slots);
        }
        wait_for(empty(), parity);
        expect(full(), bytes);
        bring(at, full(), tile, chunk);
        step(slots);
      }
    }
  }
};

#endif

}  // namespace hangar::cuda::direct
