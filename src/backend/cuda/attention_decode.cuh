// The decode kernel: few query rows, long contexts: as fast as the cache can be read.
//
// Promise: see attention.h. A block goes through its runs (attention_runs.cuh); its four warps take
//   the run's slabs in turn, from one run into the next, each through a ring of its own and with a
//   softmax of its own, so that they need no barrier before the run's end; then their results are
//   folded into one (attention_finish.cuh). The ring runs on from one run into the next.
// Source: flash-decoding's split of the context; the even line of work is stream-K's idea.
// Threads: device code.
#pragma once

#include <cstdint>

#include "backend/cuda/attention_decode_tiles.cuh"
#include "backend/cuda/attention_finish.cuh"
#include "backend/cuda/attention_ring.cuh"
#include "backend/cuda/attention_runs.cuh"
#include "backend/cuda/attention_state.cuh"
#include "backend/cuda/attention_tiles.cuh"

namespace hangar::cuda::attend {

template <typename T, int kDim>
struct DecodeSizes {
  static constexpr int kSlabBytes = attend::kSlabBytes<T, kDim>;
  static constexpr int kOlderStages = 2;  // before Hopper: less shared memory
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
  // 24 KiB a warp and two blocks a multiprocessor: about 190 KiB on their way at once.
  static constexpr int kStages = (kDim > 128 ? 49152 : 24576) / (2 * kSlabBytes);
#else
  static constexpr int kStages = kOlderStages;
#endif
  static constexpr int kMergeBytes = kDecodeWarps * kMergeRows * kDim * 4;
  static constexpr int kRowBytes = kDecodeWarps * kMergeRows * 8;
  static constexpr int shared_bytes(int stages) {
    return kDecodeWarps * stages * (2 * kSlabBytes + 8) + kMergeBytes + kRowBytes + 64;
  }
};

// What a warp brings into its ring: its slabs of all the block's runs, in order.
template <typename T, int kDim, typename Ring>
class Feed {
 public:
  __device__ __forceinline__ Feed(const AttentionArguments& a, const Plan& plan, const Share& share,
                                  int warp)
      : a_(a), runs_(a, plan, share), warp_(warp) {
    next_run();
  }

  // Nothing is left.
  __device__ __forceinline__ bool done() const { return done_; }
  // The next slab was in the cache before this step.
  __device__ __forceinline__ bool is_old() const {
    return (slab_ + 1) * kSlabTokens <= run_.sequence.context_tokens;
  }
  __device__ __forceinline__ void fill(Ring& ring) {
    if (found_ == 32) find_slabs();
    const std::int64_t block = __shfl_sync(0xFFFFFFFFU, found_block_, found_);
    ++found_;
    const std::int64_t at = block * a_.block_stride + run_.kv_head * a_.head_stride +
                            a_.slabs_in_block.remainder(slab_) * kSlabStride<T, kDim>;
    const T* keys = static_cast<const T*>(a_.keys) + at;
    if constexpr (kIsFp8<T>) {
      ring.fill(keys);  // its values are behind it
    } else {
      ring.fill(keys, static_cast<const T*>(a_.values) + at);
    }
    slab_ += kDecodeWarps;
    if (slab_ >= run_.slab_end) next_run();
  }

 private:
  __device__ __forceinline__ void next_run() {
    do {
      done_ = !runs_.next(run_);
      slab_ = run_.first_slab(warp_);
    } while (!done_ && slab_ >= run_.slab_end);
    if (!done_) find_slabs();  // long before it is filled
  }
  // The blocks of the warp's next 32 slabs, one in each lane.
  __device__ __forceinline__ void find_slabs() {
    const int mine = slab_ + static_cast<int>(threadIdx.x % 32) * kDecodeWarps;
    if (mine < run_.slab_end) {
      found_block_ = a_.block_tables[run_.sequence.first_block + a_.slabs_in_block.quotient(mine)];
    }
    found_ = 0;
  }

  const AttentionArguments& a_;
  Runs runs_;
  Run run_;
  int warp_;
  int slab_ = 0;
  bool done_ = false;
  std::int32_t found_block_ = 0;
  int found_ = 32;
};

// Tile: RowTile or ColumnTile. kFew: a kernel of its own, as the usual one would be slower for
// what it does not do.
template <typename T, int kDim, typename Tile, bool kFew>
__global__ void __launch_bounds__(kDecodeThreads, kDim > 128 ? 1 : 2)
    decode_kernel(const __grid_constant__ AttentionArguments a, const __grid_constant__ Plan plan,
                  void* scratch) {
  using Sizes = DecodeSizes<T, kDim>;
  using Ring = WarpRing<Sizes::kSlabBytes, Sizes::kStages>;
  extern __shared__ __align__(128) std::byte shared[];
  __shared__ Shared cut[2];
  const int warp = threadIdx.x / 32;
  std::byte* merge = shared + kDecodeWarps * Ring::kBytes;
  auto* rows = reinterpret_cast<float2*>(merge + Sizes::kMergeBytes);
  auto* barriers = reinterpret_cast<std::uint64_t*>(merge + Sizes::kMergeBytes + Sizes::kRowBytes);
  int* few = reinterpret_cast<int*>(barriers + kDecodeWarps * Sizes::kStages);  // 16

  Ring ring(shared + warp * Ring::kBytes, barriers + warp * Sizes::kStages);
#if __CUDA_ARCH__ >= 900
  if (!a.context_ready) cudaGridDependencySynchronize();
#endif
  const Share share = find_share<kDecodeThreads>(a, plan, few);
  Feed<T, kDim, Ring> feed(a, plan, share, warp);
  int filled = 0;
  for (; filled < Sizes::kStages && !feed.done() && feed.is_old(); ++filled) feed.fill(ring);
#if __CUDA_ARCH__ >= 900
  if (a.context_ready) cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
#endif
  for (; filled < Sizes::kStages; ++filled) {
    if (feed.done()) {
      ring.skip();
    } else {
      feed.fill(ring);
    }
  }

  Finish<T, kDim, typename Tile::State, kFew> finish(a, plan, share, merge, rows, cut, scratch);
  Runs runs(a, plan, share);
  Run run;
  Tile tile;
  constexpr bool kAhead = kDim <= 128;  // registers allow it
  bool more = runs.next(run);
  if (kAhead && more) tile.load(a, run);
  while (more) {
    typename Tile::State state;
    if constexpr (!kAhead) tile.load(a, run);
    tile.prepare(a, state);
    const Mask mask = Tile::mask(a, run);
    for (int slab = run.first_slab(warp); slab < run.slab_end; slab += kDecodeWarps) {
      const std::uint32_t keys = ring.wait();
      const int token = slab * kSlabTokens;
      if (token + kSlabTokens > run.tokens()) {
        clear_rows<T, kDim>(ring.values(), run.tokens() - token, threadIdx.x % 32, 32);
        __syncwarp();
      }
      tile.attend(a, state, mask, keys, token);
      ring.release();
      if (feed.done()) {
        ring.skip();
      } else {
        feed.fill(ring);
      }
    }
    if constexpr (kAhead) {
      const Run done = run;
      more = runs.next(run);
      if (more) tile.load(a, run);  // on its way meanwhile
      finish.run(done, state);
    } else {
      finish.run(run, state);
      more = runs.next(run);
    }
  }
  finish.end();
  if constexpr (kFew) {
    if (blockIdx.x == 0) finish.clear_others();
  }
}

}  // namespace hangar::cuda::attend
