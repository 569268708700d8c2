// The ring of slots of a product of one or two rows: a thread fills it with W, the other warps
// multiply.
//
// Promise: fill() has the ring filled tile after tile of the block's, chunk after chunk, without a
//   wait for the kernel before: W is nobody's output. Who multiplies waits at full(), and says
//   done() once a warp, then step().
// Units: bytes; addresses in shared memory; barriers: kMostSlots full ones, then as many empty
// ones. Threads: device functions.
#pragma once

#include <cstdint>

#include "backend/cuda/hopper.cuh"

namespace hangar::cuda::direct {

inline constexpr int kMostSlots = 32;

#if __CUDA_ARCH__ >= 900

struct Ring {
  std::uint32_t barriers;
  int at = 0;
  std::uint32_t parity = 0;

  __device__ __forceinline__ std::uint32_t full() const { return barriers + 8 * at; }
  __device__ __forceinline__ std::uint32_t empty() const { return full() + 8 * kMostSlots; }
  __device__ __forceinline__ void step(int slots) {
    if (++at < slots) return;
    at = 0;
    parity ^= 1;
  }
  // One thread, before the block's barrier. warps: that multiply.
  __device__ __forceinline__ void init(int slots, int warps) const {
    for (int i = 0; i < slots; ++i) {
      init_barrier(barriers + 8 * i);
      init_barrier(barriers + 8 * (kMostSlots + i), warps);
    }
    publish_barriers();
  }
  // One thread. bring(slot, barrier, tile, chunk): copies of so many bytes; what lies outside W
  // comes as zeros.
  template <typename Bring>
  __device__ __forceinline__ void fill(int slots, int bytes, int tiles, int chunks,
                                       const Bring& bring) {
    int tile = static_cast<int>(blockIdx.x);
    parity = 1;  // the first time round nothing is waited for
    for (int i = 0; i < tiles; ++i) {
      for (int chunk = 0; chunk < chunks; ++chunk) {
        wait_for(empty(), parity);
        expect(full(), bytes);
        bring(at, full(), tile, chunk);
        step(slots);
      }
      tile += static_cast<int>(gridDim.x);
    }
  }
};

// Of so many tiles, a block's: from its own number on every gridDim.x-th.
__device__ __forceinline__ int tiles_of_block(int tiles) {
  const int blocks = static_cast<int>(gridDim.x);
  return (tiles - static_cast<int>(blockIdx.x) + blocks - 1) / blocks;
}

#endif

}  // namespace hangar::cuda::direct
