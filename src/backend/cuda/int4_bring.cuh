// The thread that brings what the kernels of 4-bit products of many rows multiply.
//
// Promise: bring_all() has a producer bring so many slots through a ring of `slots`, in order; W's
//   before the kernel before has ended. `empty`: the slots' barriers, one behind the other.
// Producers: bring_weight(slot) and bring_x(slot) start the copies of the chunk that `at`, an
//   ItemWalk, is at; W's expects the bytes of both.
// Threads: a device function, of one thread.
#pragma once

#include "backend/cuda/hopper.cuh"
#include "backend/cuda/tile_items.cuh"

namespace hangar::cuda::int4 {

#if __CUDA_ARCH__ >= 900

template <typename Producer>
__device__ __forceinline__ void bring_all(Producer producer, int slots, std::uint32_t empty,
                                          int total) {
  const int first = min(slots, total);
  Producer ahead = producer;
  for (int i = 0; i < first; ++i) {
    ahead.bring_weight(i);
    ahead.at.step();
  }
  cudaGridDependencySynchronize();
  for (int i = 0; i < first; ++i) {
    producer.bring_x(i);
    producer.at.step();
  }
  int slot = 0;
  std::uint32_t parity = 0;
  for (int i = first; i < total; ++i) {
    wait_for(empty + 8 * slot, parity);
    producer.bring_weight(slot);
    producer.bring_x(slot);
    producer.at.step();
    if (++slot < slots) continue;
    slot = 0;
    parity ^= 1;
  }
}

#endif

}  // namespace hangar::cuda::int4
