// What kernels of thread-block clusters share on Hopper, beside hopper.cuh.
//
// Promise: each function is one instruction of the PTX ISA or two. sync_cluster() is all threads of
//   all of the cluster's blocks; what they wrote before it the others see behind it. in_block() is
//   where another block has what is at this address here. copy_box_to_all() brings a box to the
//   same place of every block that `blocks` (a bit for each) names, and counts on the barrier at
//   the same place of each. store_box() writes a box; stored() waits until what the thread stored
//   so has been read from shared memory, all_stored() until it is written.
// Units: addresses in shared memory as shared_address() gives them.
// Source: PTX ISA 9.0, "barrier.cluster", "mapa", "mbarrier.arrive", "cp.async.bulk.tensor".
// Threads: device functions; one thread issues a copy.
#pragma once

#include <cstdint>

#include "backend/cuda/hopper.cuh"

namespace hangar::cuda {

#if __CUDA_ARCH__ >= 900

__device__ __forceinline__ int block_in_cluster() {
  int rank = 0;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
__device__ __forceinline__ void sync_cluster() {
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
__device__ __forceinline__ std::uint32_t in_block(std::uint32_t address, int rank) {
  std::uint32_t there = 0;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
  return there;
}
// barrier: as in_block() gives it. Releases nothing to the whole cluster, which would wait for all
// of the thread's writes: for slots that the matrix units have read.
__device__ __forceinline__ void arrive_there(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
}

__device__ __forceinline__ void copy_box_to_all(std::uint32_t to, const void* map,
                                                std::uint32_t barrier, std::uint16_t blocks,
                                                CacheFor use, int i0, int i1, int i2) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster.L2::cache_hint [%0], [%1, {%4, %5, %6}], [%2], %3, %7;" ::"r"(to),
      "l"(map), "r"(barrier), "h"(blocks), "r"(i0), "r"(i1), "r"(i2),
      "l"(static_cast<std::uint64_t>(use))
      : "memory");
}
__device__ __forceinline__ void store_box(const void* map, std::uint32_t from, int i0, int i1) {
  asm volatile(
      "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];" ::"l"(map),
      "r"(i0), "r"(i1), "r"(from)
      : "memory");
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}
__device__ __forceinline__ void stored() {
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}
__device__ __forceinline__ void all_stored() {
  asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}

#endif

}  // namespace hangar::cuda
