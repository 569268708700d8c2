// What kernels of a Hopper card share: barriers in shared memory and the copy engine.
//
// Promise: each function is one instruction of the PTX ISA, or the loop around one. A barrier's
//   phase ends when as many arrivals and bytes have come as it was told; phases alternate in
//   parity, beginning with 0. Copies are asynchronous and count on a barrier of the block; those of
//   16 bytes, that older cards have too, are waited for by the thread that began them.
// Units: addresses in shared memory as shared_address() gives them; bytes.
// Source: PTX ISA 9.0, "mbarrier", "cp.async.bulk", "cp.async.bulk.tensor".
// Threads: device functions; one thread issues a copy.
#pragma once

#include <cstdint>

namespace hangar::cuda {

__device__ __forceinline__ std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

#if __CUDA_ARCH__ >= 900

__device__ __forceinline__ void init_barrier(std::uint32_t barrier, std::uint32_t arrivals = 1) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
// After init_barrier, in the same thread: the copy engine sees them too.
__device__ __forceinline__ void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ __forceinline__ void arrive(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// Whether this is code that compute-sanitizer's racecheck can follow (HANGAR_CUDA_RACECHECK).
#ifdef HANGAR_CUDA_FOR_RACECHECK
inline constexpr bool kForRacecheck = true;
#else
inline constexpr bool kForRacecheck = false;
#endif

// A warp's arrivals at a barrier: one, its first lane's, behind what all of its lanes did (they are
// together, or met at __syncwarp()). racecheck follows a barrier by threads alone: code for it has
// each lane arrive.
inline constexpr int kWarpArrivals = kForRacecheck ? 32 : 1;
__device__ __forceinline__ void arrive_warp(std::uint32_t barrier) {
  if (kForRacecheck || threadIdx.x % 32 == 0) arrive(barrier);
}
// Arrives, and lets the phase wait for so many bytes more.
__device__ __forceinline__ void expect(std::uint32_t barrier, std::uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}
// Until the phase of this parity is over.
__device__ __forceinline__ void wait_for(std::uint32_t barrier, std::uint32_t parity) {
  std::uint32_t over = 0;
  do {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n"
        "}\n"
        : "=r"(over)
        : "r"(barrier), "r"(parity)
        : "memory");
  } while (over == 0);
}

__device__ __forceinline__ void copy_bulk(std::uint32_t to, const void* from, std::uint32_t bytes,
                                          std::uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(to),
      "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(barrier)
      : "memory");
}

// How long the second-level cache keeps what a copy brings: the encoded policies that
// createpolicy.fractional makes for all of an access.
enum class CacheFor : std::uint64_t {
  kOnce = 0x12F0000000000000,   // evict first
  kOften = 0x14F0000000000000,  // evict last
};

__device__ __forceinline__ void copy_bulk(std::uint32_t to, const void* from, std::uint32_t bytes,
                                          std::uint32_t barrier, CacheFor use) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1], %2, [%3], %4;" ::"r"(to),
      "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(barrier),
      "l"(static_cast<std::uint64_t>(use))
      : "memory");
}

// A box of a tensor map (tensor_map.h), at these places of its dimensions, inner one first.
__device__ __forceinline__ void copy_box(std::uint32_t to, const void* map, std::uint32_t barrier,
                                         CacheFor use, int i0, int i1, int i2) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4, %5}], [%2], %6;" ::"r"(to),
      "l"(map), "r"(barrier), "r"(i0), "r"(i1), "r"(i2), "l"(static_cast<std::uint64_t>(use))
      : "memory");
}
__device__ __forceinline__ void copy_box(std::uint32_t to, const void* map, std::uint32_t barrier,
                                         CacheFor use, int i0, int i1, int i2, int i3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(to),
      "l"(map), "r"(barrier), "r"(i0), "r"(i1), "r"(i2), "r"(i3),
      "l"(static_cast<std::uint64_t>(use))
      : "memory");
}
__device__ __forceinline__ void copy_box(std::uint32_t to, const void* map, std::uint32_t barrier,
                                         CacheFor use, int i0, int i1, int i2, int i3, int i4) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4, %5, %6, %7}], [%2], %8;" ::"r"(to),
      "l"(map), "r"(barrier), "r"(i0), "r"(i1), "r"(i2), "r"(i3), "r"(i4),
      "l"(static_cast<std::uint64_t>(use))
      : "memory");
}
// Without a wish to the second-level cache.
__device__ __forceinline__ void copy_box(std::uint32_t to, const void* map, std::uint32_t barrier,
                                         int i0, int i1, int i2, int i3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(to),
      "l"(map), "r"(barrier), "r"(i0), "r"(i1), "r"(i2), "r"(i3)
      : "memory");
}
// Registers of a thread, which a warpgroup gives up or takes over.
template <int kCount>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
}
template <int kCount>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
}

// The map itself, from the kernel's parameters, before its first use.
__device__ __forceinline__ void prefetch_map(const void* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

#endif

// 16 bytes, past the L1 cache, into shared memory; copied(): all that the thread asked for so.
__device__ __forceinline__ void copy_16(std::uint32_t to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to),
               "l"(__cvta_generic_to_global(from))
               : "memory");
}
__device__ __forceinline__ void copied() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}

// Between a thread's own writes to shared memory and the copy engine's later ones.
__device__ __forceinline__ void fence_copies() {
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

}  // namespace hangar::cuda
