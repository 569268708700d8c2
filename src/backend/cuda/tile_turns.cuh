// A tile product's arithmetic for many rows in 8 bits: without a pause.
//
// Promise: Turns::run() adds an item's slots to the sums of 64 rows of W by 128 rows of x or by one
//   half of them (takes_turns(), tile_plan.h). All numbers are known when compiling. Two
//   slots are a turn: while one's product is under way the other's sums are joined in float32, and
//   the next turn's first slot is waited for; a turn ends when both are done: the compiler would
//   have each product waited for, if it could not see which are under way.
// Threads: device functions; all 128 threads of a warpgroup call them together.
#pragma once

#include "backend/cuda/tile_ring.cuh"
#include "backend/cuda/wgmma.cuh"

namespace hangar::cuda::tiles {

#if __CUDA_ARCH__ >= 900

template <typename Op>
class Turns {
 public:
  static constexpr int kRows = kTurnsRows;  // of a tile
  static constexpr int kWidth = kWidestTile;
  static constexpr int kTurn = 2;

  // x_row: of a slot, the first that is multiplied.
  __device__ __forceinline__ Turns(Ring& ring, int group, int x_row)
      : ring_(ring),
        w_(wgmma::descriptor(ring.memory + group * (kRows / 2) * kTileBoxBytes)),
        x_(wgmma::descriptor(ring.memory + (kRows + x_row) * kTileBoxBytes)) {}

  // sums += an item's slots, `count`.
  template <int kCount>
  __device__ __forceinline__ void run(float (&sums)[kCount], int count) {
    wait(0);
    for (int done = 0; done < count; done += kTurn) {
      float first[kCount];
      float second[kCount];
      begin(first, 0);
      wait(1);
      begin(second, 1);
      const int now = ring_.at;
      for (int i = 0; i < kTurn; ++i) ring_.step();
      if (done + kTurn < count) wait(0);
      wgmma::wait_but_one(first);
      release(now);
      join(sums, first);
      wgmma::wait(second);
      release(now + 1);
      join(sums, second);
    }
  }

 private:
  static constexpr int kSlotBytes = (kRows + kWidth) * kTileBoxBytes;

  // Slot i of the turn that the ring is at.
  __device__ __forceinline__ void wait(int i) const {
    wait_for(ring_.full() + 16 * i, ring_.parity);
  }
  __device__ __forceinline__ void release(int slot) const {
    arrive_warp(ring_.barriers + 16 * slot + 8);
  }
  template <int kCount>
  __device__ __forceinline__ void begin(float (&part)[kCount], int i) const {
    const std::uint32_t at = (ring_.at + i) * (kSlotBytes / 16);
    wgmma::begin(part);
#pragma unroll
    for (int k = 0; k < kTileBoxBytes / kStepBytes; ++k) {
      const std::uint32_t step = at + k * (kStepBytes / 16);
      wgmma::multiply_64(part, w_ + step, x_ + step, Op{}, k > 0);
    }
    wgmma::end();
  }
  template <int kCount>
  __device__ __forceinline__ static void join(float (&sums)[kCount], const float (&part)[kCount]) {
#pragma unroll
    for (int k = 0; k < kCount; ++k) sums[k] += part[k];
  }

  Ring& ring_;
  const std::uint64_t w_;
  const std::uint64_t x_;
};

#endif

}  // namespace hangar::cuda::tiles
