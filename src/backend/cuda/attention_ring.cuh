// A warp's own ring of shared memory, through which its slabs of keys and values stream.
//
// Promise: fill() starts the copies of one slab of each into the next free stage, from where each
//   lies or from where both lie together (FP8: the cache has them so); wait() gives the oldest
//   filled one when it is there: first the keys, then the values behind them; release() frees it.
//   Exactly kStages fills or skips come before the first wait, and one between a release and the
//   next wait, so that the oldest stage is known to be there by counting, where there are no
//   barriers that count (before Hopper).
// Shapes: a ring is kStages * 2 * kSlabBytes, aligned to 128 bytes.
// Threads: all lanes of the warp call each function together.
#pragma once

#include <cstdint>

#include "backend/cuda/attention_tiles.cuh"

namespace hangar::cuda::attend {

template <int kSlabBytes, int kStages>
class WarpRing {
 public:
  static constexpr int kBytes = kStages * 2 * kSlabBytes;

  // `barriers`: kStages of the warp's own.
  __device__ __forceinline__ WarpRing(std::byte* memory, std::uint64_t* barriers)
      : memory_(memory), address_(shared_address(memory)), barriers_(shared_address(barriers)) {
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x % 32 == 0) {
      for (int i = 0; i < kStages; ++i) init_barrier(barriers_ + i * 8);
      publish_barriers();
    }
    __syncwarp();
#endif
  }

  __device__ __forceinline__ void fill(const void* keys, const void* values) {
    static_assert(kSlabBytes % 512 == 0);
    const std::uint32_t to = address_ + filled_ * (2 * kSlabBytes);
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x % 32 == 0) {
      const std::uint32_t barrier = barriers_ + filled_ * 8;
      expect(barrier, 2 * kSlabBytes);
      copy_bulk(to, keys, kSlabBytes, barrier);
      copy_bulk(to + kSlabBytes, values, kSlabBytes, barrier);
    }
#else
#pragma unroll
    for (int at = 0; at < kSlabBytes; at += 512) {
      const int byte = at + (threadIdx.x % 32) * 16;
      copy_16(to + byte, static_cast<const std::byte*>(keys) + byte);
      copy_16(to + kSlabBytes + byte, static_cast<const std::byte*>(values) + byte);
    }
    close_copies();
#endif
    filled_ = filled_ + 1 == kStages ? 0 : filled_ + 1;
  }
  __device__ __forceinline__ void fill(const void* both) {
    const std::uint32_t to = address_ + filled_ * (2 * kSlabBytes);
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x % 32 == 0) {
      const std::uint32_t barrier = barriers_ + filled_ * 8;
      expect(barrier, 2 * kSlabBytes);
      copy_bulk(to, both, 2 * kSlabBytes, barrier);
    }
#else
#pragma unroll
    for (int at = 0; at < 2 * kSlabBytes; at += 512) {
      const int byte = at + (threadIdx.x % 32) * 16;
      if (byte < 2 * kSlabBytes) copy_16(to + byte, static_cast<const std::byte*>(both) + byte);
    }
    close_copies();
#endif
    filled_ = filled_ + 1 == kStages ? 0 : filled_ + 1;
  }
  // There is nothing more to fill.
  __device__ __forceinline__ void skip() {
#if __CUDA_ARCH__ < 900
    close_copies();
#endif
  }

  __device__ __forceinline__ std::uint32_t wait() {
#if __CUDA_ARCH__ >= 900
    wait_for(barriers_ + oldest_ * 8, parity_);
#else
    wait_for_copies<kStages - 1>();
#endif
    __syncwarp();
    return address_ + oldest_ * (2 * kSlabBytes);
  }
  // The same stage's values, to write to.
  __device__ __forceinline__ std::byte* values() const {
    return memory_ + oldest_ * (2 * kSlabBytes) + kSlabBytes;
  }
  __device__ __forceinline__ void release() {
    __syncwarp();
    if (++oldest_ == kStages) {
      oldest_ = 0;
      parity_ ^= 1U;
    }
  }

 private:
  static_assert(2 * kSlabBytes % 128 == 0);
  std::byte* memory_;
  std::uint32_t address_;
  std::uint32_t barriers_;
  int filled_ = 0;  // the stage that is filled next
  int oldest_ = 0;
  std::uint32_t parity_ = 0;
};

}  // namespace hangar::cuda::attend
