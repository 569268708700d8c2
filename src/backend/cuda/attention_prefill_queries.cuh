// Hopper's prefill kernel: the queries of a tile, as what is multiplied.
//
// Promise: take() waits for a warp's 16 packed rows, and makes of them what the cache's type is
//   multiplied with: for FP8 halves, each row times a power of 2 of its own (RowShift), with the
//   rest of a score's factor in row_scale. They stay in registers, and shared memory is free for
//   the next tile's at once; or, where registers do not hold them, in shared memory until done().
// Fragments: as ldmatrix gives m16n8k16's first operand; descriptors as wgmma.cuh has them.
// Threads: device code; all threads of a warpgroup together.
#pragma once

#include <cstdint>
#include <type_traits>

#include "backend/cuda/attention_prefill_sizes.cuh"
#include "backend/cuda/attention_slabs.cuh"
#include "backend/cuda/wgmma.cuh"

namespace hangar::cuda::attend::hopper {

#if __CUDA_ARCH__ >= 900

// A warp's 16 rows of queries.
template <typename S>
class Queries {
 public:
  using T = typename S::T;
  using Operand = typename S::Operand;

  // `warp`: of those that multiply.
  __device__ __forceinline__ void take(const AttentionArguments& a, const Shared<S>& shared,
                                       Turn<S::kQuerySlots>& turn, int warp,
                                       float (&row_scale)[2]) {
    slot_ = turn.slot;
    wait_for(shared.template full<Of::kQueries>(slot_), turn.parity);
    turn.step();
    const std::uint32_t rows = shared.queries(slot_) + warp * 16 * S::kPartBytes;
    first_ = wgmma::descriptor<S::kPartBytes>(shared.queries(slot_) + warp / 4 * 64 * S::kPartBytes,
                                              0, S::kPartGroupBytes);
    if constexpr (S::kKept) {
#pragma unroll
      for (int step = 0; step < kSteps; ++step) load_matrices(kept_[step], at(rows, step));
      release(shared);
      if constexpr (S::kCodes) {
        shift(a, row_scale, [&](int step) -> std::uint32_t(&)[4] { return kept_[step]; });
      } else if (a.half != std::is_same_v<T, __half>) {
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
#pragma unroll
          for (int i = 0; i < 4; ++i) kept_[step][i] = recode<T>(kept_[step][i], a.half);
        }
      }
    } else if (S::kCodes || a.half != std::is_same_v<T, __half>) {
      rewrite(a, rows, row_scale);
      fence_copies();
      sync_at(kGroupBarriers + warp / 4, 128);
    }
  }
  // s = q k^T of a stage's keys.
  template <int kTiles>
  __device__ __forceinline__ void score(float (&s)[kTiles][4], std::uint64_t keys) const {
    step_up<0>(s, keys);
  }
  // Nothing reads shared memory any more.
  __device__ __forceinline__ void done(const Shared<S>& shared) const {
    if constexpr (!S::kKept) release(shared);
  }

 private:
  static constexpr int kSteps = S::kDim / 16;

  template <int kStep, int kTiles>
  __device__ __forceinline__ void step_up(float (&s)[kTiles][4], std::uint64_t keys) const {
    constexpr int kPart = kStep / S::kPartSteps;
    constexpr int kWithin = kStep % S::kPartSteps * 2;  // of 16 bytes
    const std::uint64_t k = keys + kPart * S::kPartGroupBytes / 16 + kWithin;
    if constexpr (S::kKept) {
      wgmma::multiply_rows<Operand, kStep == 0, false>(s, kept_[kStep], k);
    } else {
      const std::uint64_t q = first_ + kPart * S::kQueryPartBytes / 16 + kWithin;
      wgmma::multiply_both<Operand, kStep == 0>(s, q, k);
    }
    if constexpr (kStep + 1 < kSteps) step_up<kStep + 1>(s, keys);
  }
  __device__ __forceinline__ void release(const Shared<S>& shared) const {
    __syncwarp();
    arrive_warp(shared.template empty<Of::kQueries>(slot_));
  }
  // Where the lane's row of a step's fragment begins.
  __device__ static __forceinline__ std::uint32_t at(std::uint32_t rows, int step) {
    const int lane = threadIdx.x % 32;
    const int row = lane % 16;
    const int part = step / S::kPartSteps;
    const int chunk = step % S::kPartSteps * 2 + lane / 16;
    return rows + part * S::kQueryPartBytes + row * S::kPartBytes +
           kv_chunk(S::kPartBytes, row, chunk) * 16;
  }
  // Makes halves of rows, and says what products with them are to be multiplied by.
  template <typename Fragment>
  __device__ static __forceinline__ void shift(const AttentionArguments& a, float (&row_scale)[2],
                                               const Fragment& fragment) {
    float largest[2] = {0.0F, 0.0F};
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      auto&& m = fragment(step);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 x = floats_of(m[i], a.half);
        largest[i % 2] = fmaxf(largest[i % 2], fmaxf(fabsf(x.x), fabsf(x.y)));
      }
    }
    float factor[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      largest[half] = fmaxf(largest[half], __shfl_xor_sync(~0U, largest[half], 1));
      largest[half] = fmaxf(largest[half], __shfl_xor_sync(~0U, largest[half], 2));
      const RowShift shift(largest[half]);
      factor[half] = shift.factor;
      row_scale[half] = a.inner_scale * shift.inverse;
    }
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      auto&& m = fragment(step);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 x = floats_of(m[i], a.half);
        m[i] = pack<__half>(x.x * factor[i % 2], x.y * factor[i % 2]);
      }
    }
  }
  // The warp's rows in memory, as what is multiplied.
  __device__ static __forceinline__ void rewrite(const AttentionArguments& a, std::uint32_t rows,
                                                 float (&row_scale)[2]) {
    std::uint32_t all[kSteps][4];
#pragma unroll
    for (int step = 0; step < kSteps; ++step) load_matrices(all[step], at(rows, step));
    if constexpr (S::kCodes) {
      shift(a, row_scale, [&](int step) -> std::uint32_t(&)[4] { return all[step]; });
    } else {
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
#pragma unroll
        for (int i = 0; i < 4; ++i) all[step][i] = recode<T>(all[step][i], a.half);
      }
    }
    __syncwarp();
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      asm volatile(
          "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(at(rows, step)),
          "r"(all[step][0]), "r"(all[step][1]), "r"(all[step][2]), "r"(all[step][3])
          : "memory");
    }
  }

  std::uint32_t kept_[S::kKept ? kSteps : 1][4];
  std::uint64_t first_;
  int slot_;
};

#endif

}  // namespace hangar::cuda::attend::hopper
