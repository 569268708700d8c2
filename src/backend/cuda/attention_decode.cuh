// The decode kernel: few query rows, long contexts: as fast as the cache can be read.
//
// Promise: see attention.h. A block goes through its runs (attention_runs.cuh); its four warps take
//   the run's slabs in turn (slab s is warp s % 4's), each through a ring of its own and with a
//   softmax of its own, so that they need no barrier before the run's end; then their results are
//   folded into one (attention_finish.cuh). The ring runs on from one run into the next.
// Source: flash-decoding's split of the context; the even line of work is stream-K's idea.
// Threads: device code.
#pragma once

#include <cstdint>

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
    const std::int64_t at = __shfl_sync(0xFFFFFFFFU, found_at_, found_);
    ++found_;
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
      slab_ = run_.slab_begin + ((warp_ - run_.slab_begin) & (kDecodeWarps - 1));
    } while (!done_ && slab_ >= run_.slab_end);
    found_ = 32;
  }
  // Where the warp's next 32 slabs lie, one in each lane.
  __device__ __forceinline__ void find_slabs() {
    const int slabs_per_block = a_.block_tokens / kSlabTokens;
    const int mine = slab_ + static_cast<int>(threadIdx.x % 32) * kDecodeWarps;
    found_at_ = 0;
    if (mine < run_.slab_end) {
      const std::int64_t block =
          a_.block_tables[run_.sequence.first_block + mine / slabs_per_block];
      found_at_ = block * a_.block_stride + run_.kv_head * a_.head_stride +
                  mine % slabs_per_block * kSlabStride<T, kDim>;
    }
    found_ = 0;
  }

  const AttentionArguments& a_;
  Runs runs_;
  Run run_;
  int warp_;
  int slab_ = 0;
  bool done_ = false;
  std::int64_t found_at_ = 0;
  int found_ = 32;
};

// A row's elements that a lane has, as halves; what a dot product is to be multiplied by for it.
template <int kSteps>
__device__ __forceinline__ float shift_row(std::uint32_t (&q)[kSteps][4], int row, bool half) {
  float largest = 0.0F;
#pragma unroll
  for (int i = 0; i < 2 * kSteps; ++i) {
    const float2 values = floats_of(q[i / 2][row + i % 2 * 2], half);
    largest = fmaxf(largest, fmaxf(fabsf(values.x), fabsf(values.y)));
  }
  largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, 1));
  largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, 2));
  const RowShift shift(largest);
#pragma unroll
  for (int i = 0; i < 2 * kSteps; ++i) {
    std::uint32_t& both = q[i / 2][row + i % 2 * 2];
    const float2 values = floats_of(both, half);
    both = pack<__half>(values.x * shift.factor, values.y * shift.factor);
  }
  return shift.inverse;
}

// The queries of a run's tile as a warp multiplies by them: rows g and g + 8 of 16.
template <typename T, int kDim>
__device__ __forceinline__ void load_queries(std::uint32_t (&q)[kDim / 16][4],
                                             float (&row_scale)[2], const AttentionArguments& a,
                                             const Run& run) {
  // Of each 16 dims a lane has two pairs: 2t and 2t + 8, for codes 4t and 4t + 2 (CodeSlabs).
  constexpr int kApart = kIsFp8<T> ? 4 : 2;
  constexpr int kSecond = kIsFp8<T> ? 2 : 8;
  const int lane = threadIdx.x % 32;
  const auto* elements = static_cast<const std::uint16_t*>(a.q);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int packed = lane / 4 + 8 * half;
    const bool there = packed < run.packed;
    const int query = run.first_packed + packed;
    const std::int64_t row = run.sequence.first_row + query / a.group;
    const int head = run.kv_head * a.group + query % a.group;
    const std::uint16_t* from = elements + row * a.q_stride + head * kDim + kApart * (lane % 4);
#pragma unroll
    for (int step = 0; step < kDim / 16; ++step) {
      std::uint32_t low = 0;
      std::uint32_t high = 0;
      if (there) {
        low = *reinterpret_cast<const std::uint32_t*>(from + 16 * step);
        high = *reinterpret_cast<const std::uint32_t*>(from + 16 * step + kSecond);
      }
      if constexpr (kIsFp8<T>) {
        q[step][half] = low;
        q[step][half + 2] = high;
      } else {
        q[step][half] = recode<T>(low, a.half);
        q[step][half + 2] = recode<T>(high, a.half);
      }
    }
    if constexpr (kIsFp8<T>) row_scale[half] = a.inner_scale * shift_row(q, half, a.half);
  }
}

template <typename T, int kDim>
__global__ void __launch_bounds__(kDecodeThreads, kDim > 128 ? 1 : 2)
    decode_kernel(const __grid_constant__ AttentionArguments a, const __grid_constant__ Plan plan,
                  void* scratch) {
  using Sizes = DecodeSizes<T, kDim>;
  using Slabs = std::conditional_t<kIsFp8<T>, CodeSlabs<kDim>, ElementSlabs<T, kDim>>;
  using Ring = WarpRing<Sizes::kSlabBytes, Sizes::kStages>;
  extern __shared__ __align__(128) std::byte shared[];
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

  Finish<T, kDim> finish(a, plan, share, merge, rows, few + 8, scratch);
  Runs runs(a, plan, share);
  Run run;
  while (runs.next(run)) {
    std::uint32_t q[kDim / 16][4];
    TileState<kDim> state;
    load_queries<T, kDim>(q, state.row_scale, a, run);
    const Mask mask(a, run.sequence, run.first_packed, run.packed);
    for (int slab = run.slab_begin + ((warp - run.slab_begin) & (kDecodeWarps - 1));
         slab < run.slab_end; slab += kDecodeWarps) {
      const std::uint32_t keys = ring.wait();
      const int token = slab * kSlabTokens;
      if (token + kSlabTokens > run.tokens()) {
        clear_rows<T, kDim>(ring.values(), run.tokens() - token, threadIdx.x % 32, 32);
        __syncwarp();
      }
      const auto query = [&](std::uint32_t(&m)[4], int step) {
#pragma unroll
        for (int i = 0; i < 4; ++i) m[i] = q[step][i];
      };
      state.template attend<1>(a, mask, query, Slabs{keys, keys + Sizes::kSlabBytes}, token);
      ring.release();
      if (feed.done()) {
        ring.skip();
      } else {
        feed.fill(ring);
      }
    }
    finish.run(run, state);
  }
}

}  // namespace hangar::cuda::attend
