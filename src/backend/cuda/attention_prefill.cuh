// The prefill kernel of cards before Hopper: many query rows of a sequence at once.
//
// Promise: see attention.h. A block has 128 packed query rows (the group's heads of as many rows as
//   fit, so that a KV head's keys and values are loaded once for all of them), 16 for each of its 8
//   warps, and goes through the keys and values that any of them attends to, 64 tokens at a time
//   (32 where a head has 256), two stages of shared memory in turn. Rows are cut in windows of as
//   many as a block takes; a block does the tiles that begin in its window, so that no tile holds
//   rows of two sequences and no list of tiles is needed. Later windows first: they are longest.
//   FP8: a stage becomes halves in shared memory before it is used, once for all warps of the
//   block, and is free for the next copies as soon as that is done.
// Source: FlashAttention-2's order of loops.
// Threads: device code. Compiled for Hopper it is a trap: that has its own
//   (attention_prefill_hopper.cuh).
#pragma once

#include <cstdint>

#include "backend/cuda/attention_state.cuh"
#include "backend/cuda/attention_tiles.cuh"

namespace hangar::cuda::attend {

inline constexpr int kPrefillWarps = 8;
inline constexpr int kPrefillThreads = 32 * kPrefillWarps;
inline constexpr int kPrefillRows = 16 * kPrefillWarps;

template <typename T, int kDim>
struct PrefillSizes {
  static constexpr int kSlabs = kDim > 128 ? 2 : 4;  // of a stage
  static constexpr int kTokens = kSlabs * kSlabTokens;
  static constexpr int kSlabBytes = attend::kSlabBytes<T, kDim>;
  static constexpr int kStageBytes = 2 * kSlabs * kSlabBytes;  // keys, then values
  static constexpr int kQueryBytes = kPrefillRows * kDim * 2;
  static constexpr int kUnpackedBytes = kIsFp8<T> ? UnpackedSlabs<kDim, kSlabs>::kBytes : 0;
  static constexpr int kSharedBytes = kQueryBytes + 2 * kStageBytes + kUnpackedBytes;
};

#if __CUDA_ARCH__ < 900

// Rows of one sequence, and the tokens they attend to.
struct RowTile {
  RaggedBatch::Sequence sequence;
  int kv_head;
  int first_packed;
  int packed;
  int token_begin;
  int token_end;

  __device__ __forceinline__ RowTile(const AttentionArguments& a, const RaggedBatch::Sequence& of,
                                     int head, int first_row, int rows)
      : sequence(of), kv_head(head), first_packed(first_row * a.group), packed(rows * a.group) {
    const int position = of.context_tokens + first_row;
    token_begin = a.window > 0 ? max(0, position + 1 - a.window) : 0;
    token_end = position + rows;
  }
};

// Two stages of keys and values, filled while the other is worked on.
template <typename T, int kDim>
class Stages {
 public:
  using Sizes = PrefillSizes<T, kDim>;

  __device__ __forceinline__ Stages(const AttentionArguments& a, std::byte* memory)
      : a_(a), memory_(memory), address_(shared_address(memory)) {}

  // Begins at stage `index` (kTokens tokens each, from 0) of the tile's sequence.
  __device__ __forceinline__ void start(int index) { next_ = index; }
  // Starts the copies of the tile's next kTokens tokens, if it has any.
  __device__ __forceinline__ void fill(const RowTile& tile) {
    const int first = max(next_ * Sizes::kSlabs, tile.token_begin / kSlabTokens);
    const int last =
        min((next_ + 1) * Sizes::kSlabs, (tile.token_end + kSlabTokens - 1) / kSlabTokens);
    const std::uint32_t to = address_ + (filled_ & 1) * Sizes::kStageBytes;
    for (int slab = first; slab < last; ++slab) {
      const int block = block_of(tile, slab);
      const std::byte* keys = slab_at(tile, a_.keys, slab, block);
      const std::byte* values = slab_at(tile, a_.values, slab, block);
      const std::uint32_t at = to + slab % Sizes::kSlabs * Sizes::kSlabBytes;
      for (int byte = threadIdx.x * 16; byte < Sizes::kSlabBytes; byte += kPrefillThreads * 16) {
        copy_16(at + byte, keys + byte);
        copy_16(at + Sizes::kSlabs * Sizes::kSlabBytes + byte, values + byte);
      }
    }
    close_copies();
    if (first < last) ++filled_;
    ++next_;
  }
  // For the oldest filled stage, `index` of the tile's sequence. Its values are zeros where the
  // tile has no tokens, except in FP8: unpack() sees to that.
  __device__ __forceinline__ void wait(const RowTile& tile, int index) {
    wait_for_copies<1>();
    __syncthreads();
    if constexpr (!kIsFp8<T>) {
      const int token = index * Sizes::kTokens;
      const bool all =
          token + Sizes::kTokens <= tile.token_end && token + kSlabTokens > tile.token_begin;
      if (all) return;
#pragma unroll
      for (int i = 0; i < Sizes::kSlabs; ++i) {
        clear_rows<T, kDim>(
            memory_ + (used_ & 1) * Sizes::kStageBytes + (Sizes::kSlabs + i) * Sizes::kSlabBytes,
            there(tile, index, i), threadIdx.x, kPrefillThreads);
      }
      __syncthreads();
    }
  }
  // The same stage's slabs as halves, to `to`; FP8 only.
  __device__ __forceinline__ void unpack(const RowTile& tile, int index, std::byte* to) const {
    UnpackedSlabs<kDim, Sizes::kSlabs>::template unpack<kPrefillThreads>(
        to, memory_ + (used_ & 1) * Sizes::kStageBytes,
        [&](int slab) { return there(tile, index, slab); });
  }
  __device__ __forceinline__ std::uint32_t keys() const {
    return address_ + (used_ & 1) * Sizes::kStageBytes;
  }
  __device__ __forceinline__ std::uint32_t values() const {
    return keys() + Sizes::kSlabs * Sizes::kSlabBytes;
  }
  // Every thread of the block has read it.
  __device__ __forceinline__ void release() { ++used_; }

 private:
  // How many tokens of a stage's slab the tile has.
  __device__ static __forceinline__ int there(const RowTile& tile, int index, int slab) {
    const int begin = index * Sizes::kTokens + slab * kSlabTokens;
    if (begin + kSlabTokens <= tile.token_begin) return 0;  // not copied
    return max(0, min(kSlabTokens, tile.token_end - begin));
  }
  __device__ __forceinline__ int block_of(const RowTile& tile, int slab) const {
    return a_.block_tables[tile.sequence.first_block + slab * kSlabTokens / a_.block_tokens];
  }
  __device__ __forceinline__ const std::byte* slab_at(const RowTile& tile, const void* tensor,
                                                      int slab, int block) const {
    const std::int64_t element =
        block * a_.block_stride + tile.kv_head * a_.head_stride +
        slab * kSlabTokens % a_.block_tokens / kSlabTokens * kSlabStride<T, kDim>;
    return reinterpret_cast<const std::byte*>(static_cast<const T*>(tensor) + element);
  }

  const AttentionArguments& a_;
  std::byte* memory_;
  std::uint32_t address_;
  int next_ = 0;         // stage of the sequence
  unsigned filled_ = 0;  // stages so far
  unsigned used_ = 0;
};

template <typename T, int kDim>
class PrefillTile {
 public:
  using Sizes = PrefillSizes<T, kDim>;

  // `unpacked`: for FP8.
  __device__ __forceinline__ PrefillTile(const AttentionArguments& a, std::byte* queries,
                                         std::byte* unpacked)
      : a_(a), queries_(queries), unpacked_(unpacked) {}

  __device__ __forceinline__ void run(const RowTile& tile, Stages<T, kDim>& stages) {
    const int begin = tile.token_begin / Sizes::kTokens;
    const int end = (tile.token_end + Sizes::kTokens - 1) / Sizes::kTokens;
    stages.start(begin);
    stages.fill(tile);
    stages.fill(tile);
    load_queries(tile);
    __syncthreads();

    const int warp_packed = threadIdx.x / 32 * 16;
    const int packed = min(16, tile.packed - warp_packed);  // the warp's
    std::byte* rows = queries_ + warp_packed * kDim * 2;
    const std::uint32_t rows_address = shared_address(rows);
    TileState<kDim> state;
    if constexpr (kIsFp8<T>) shift_rows(rows, state.row_scale);
    std::uint32_t kept[kKept ? kDim / 16 : 1][4];
    if constexpr (kKept) {
#pragma unroll
      for (int step = 0; step < kDim / 16; ++step) load_rows<kDim>(kept[step], rows_address, step);
    }
    const auto query = [&](std::uint32_t(&m)[4], int step) {
      if constexpr (kKept) {
#pragma unroll
        for (int i = 0; i < 4; ++i) m[i] = kept[step][i];
      } else {
        load_rows<kDim>(m, rows_address, step);
      }
    };
    const Mask mask(a_, tile.sequence, tile.first_packed + warp_packed, max(packed, 1));
    for (int stage = begin; stage < end; ++stage) {
      stages.wait(tile, stage);
      const int token = stage * Sizes::kTokens;
      const bool attended = packed > 0 && !mask.none(token, Sizes::kTokens);
      if constexpr (kIsFp8<T>) {
        stages.unpack(tile, stage, unpacked_);
        __syncthreads();
        stages.release();
        stages.fill(tile);
        const UnpackedSlabs<kDim, Sizes::kSlabs> slabs(shared_address(unpacked_));
        if (attended) state.template attend<Sizes::kSlabs>(a_, mask, query, slabs, token);
        __syncthreads();
      } else {
        const ElementSlabs<T, kDim> slabs{stages.keys(), stages.values()};
        if (attended) state.template attend<Sizes::kSlabs>(a_, mask, query, slabs, token);
        __syncthreads();
        stages.release();
        stages.fill(tile);
      }
    }
    if (packed > 0) write(tile, state, rows, warp_packed, packed);
    __syncthreads();  // before the next tile's queries
  }

 private:
  static constexpr bool kKept = kDim <= 128;  // the queries, in registers
  static constexpr int kChunks = kDim / 8;

  // Where a packed row of the tile is in q or out, in elements.
  __device__ __forceinline__ std::int64_t element(const RowTile& tile, int packed,
                                                  std::int64_t stride) const {
    const int query = tile.first_packed + packed;
    const std::int64_t row = tile.sequence.first_row + query / a_.group;
    return row * stride + (tile.kv_head * a_.group + query % a_.group) * kDim;
  }
  __device__ static __forceinline__ uint4* chunk_at(std::byte* rows, int row, int chunk) {
    return reinterpret_cast<uint4*>(rows + row * kDim * 2) + kv_chunk(2 * kDim, row, chunk);
  }

  __device__ __forceinline__ void load_queries(const RowTile& tile) {
    const auto* q = static_cast<const std::uint16_t*>(a_.q);
#pragma unroll 4
    for (int i = threadIdx.x; i < kPrefillRows * kChunks; i += kPrefillThreads) {
      const int packed = i / kChunks;
      const int chunk = i % kChunks;
      uint4 words = make_uint4(0, 0, 0, 0);
      if (packed < tile.packed) {
        words = *reinterpret_cast<const uint4*>(q + element(tile, packed, a_.q_stride) + chunk * 8);
      }
      if constexpr (!kIsFp8<T>) {
        words.x = recode<T>(words.x, a_.half);
        words.y = recode<T>(words.y, a_.half);
        words.z = recode<T>(words.z, a_.half);
        words.w = recode<T>(words.w, a_.half);
      }
      *chunk_at(queries_, packed, chunk) = words;
    }
  }

  // The warp's rows as halves, in place; what dot products with them are to be multiplied by.
  __device__ __forceinline__ void shift_rows(std::byte* rows, float (&row_scale)[2]) const {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = lane / 4 + 8 * half;
      const auto both = [&](int chunk) -> std::uint32_t& {
        return reinterpret_cast<std::uint32_t*>(chunk_at(rows, row, chunk))[lane % 4];
      };
      float largest = 0.0F;
#pragma unroll 8
      for (int i = 0; i < kChunks; ++i) {
        const float2 values = floats_of(both(i), a_.half);
        largest = fmaxf(largest, fmaxf(fabsf(values.x), fabsf(values.y)));
      }
      largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, 1));
      largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, 2));
      const RowShift shift(largest);
#pragma unroll 8
      for (int i = 0; i < kChunks; ++i) {
        const float2 values = floats_of(both(i), a_.half);
        both(i) = pack<__half>(values.x * shift.factor, values.y * shift.factor);
      }
      row_scale[half] = a_.inner_scale * shift.inverse;
    }
    __syncwarp();
  }

  // By way of the warp's rows of shared memory, so that whole chunks go out.
  __device__ __forceinline__ void write(const RowTile& tile, TileState<kDim>& state,
                                        std::byte* rows, int warp_packed, int packed) {
    const int lane = threadIdx.x % 32;
    state.softmax.add_up();
    __syncwarp();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = lane / 4 + 8 * half;
      const float factor = 1.0F / state.softmax.sum[half];
#pragma unroll
      for (int i = 0; i < kChunks; ++i) {
        auto* words = reinterpret_cast<std::uint32_t*>(chunk_at(rows, row, i));
        words[lane % 4] = pack_output(state.out[i][2 * half] * factor,
                                      state.out[i][2 * half + 1] * factor, a_.half);
      }
    }
    __syncwarp();
    auto* out = static_cast<std::uint16_t*>(a_.out);
    for (int i = lane; i < packed * kChunks; i += 32) {
      const int row = i / kChunks;
      const int chunk = i % kChunks;
      uint4* to = reinterpret_cast<uint4*>(out + element(tile, warp_packed + row, a_.out_stride) +
                                           chunk * 8);
      *to = *chunk_at(rows, row, chunk);
    }
  }

  const AttentionArguments& a_;
  std::byte* queries_;
  std::byte* unpacked_;
};

#endif

template <typename T, int kDim>
__global__ void __launch_bounds__(kPrefillThreads, 1)
    prefill_kernel(const __grid_constant__ AttentionArguments a, int fewest_rows) {
#if __CUDA_ARCH__ >= 900
  __trap();
#else
  using Sizes = PrefillSizes<T, kDim>;
  extern __shared__ __align__(128) std::byte shared[];
  std::byte* memory = shared + Sizes::kQueryBytes;
  std::byte* unpacked = memory + 2 * Sizes::kStageBytes;
  Stages<T, kDim> stages(a, memory);
  PrefillTile<T, kDim> tiles(a, shared, unpacked);
  const int tile_rows = kPrefillRows / a.group;
  const int kv_head = blockIdx.x % a.kv_heads;
  const int window = (gridDim.x - 1 - blockIdx.x) / a.kv_heads;
  const int begin = window * tile_rows;
  const int end = min(a.rows, begin + tile_rows);

  const int lane = threadIdx.x % 32;
  for (int first = a.row_sequence[begin]; first < a.sequence_count; first += 32) {
    // Each lane looks at one sequence: at most one of its tiles begins in the window.
    RaggedBatch::Sequence sequence;
    int row = 0;  // that tile's first
    bool begins = false;
    bool beyond = true;
    if (first + lane < a.sequence_count) {
      sequence = a.sequences[first + lane];
      row = (max(0, begin - sequence.first_row) + tile_rows - 1) / tile_rows * tile_rows;
      beyond = sequence.first_row >= end;
      begins = sequence.rows > fewest_rows && row < sequence.rows && sequence.first_row + row < end;
    }
    for (unsigned found = __ballot_sync(0xFFFFFFFFU, begins); found != 0; found &= found - 1) {
      const int from = __ffs(found) - 1;
      const RaggedBatch::Sequence of = a.sequences[first + from];
      const int first_row = __shfl_sync(0xFFFFFFFFU, row, from);
      const RowTile tile(a, of, kv_head, first_row, min(tile_rows, of.rows - first_row));
      tiles.run(tile, stages);
    }
    if (__any_sync(0xFFFFFFFFU, beyond)) break;
  }
#endif
}

}  // namespace hangar::cuda::attend
