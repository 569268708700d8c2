// The end of the decode kernel's runs: four warps' results, then several blocks', become one.
//
// Promise: what covers a pair is folded in the order of its context and written to `out`, as soon
//   as all of it is there: by the block itself, or by the last of the blocks that share the pair.
//   Results so far lie in `places`, past the L1 cache; a counter for each block, at 0 between
//   launches, says who is last.
// Threads: device code; a whole block calls run().
#pragma once

#include <cstdint>

#include "backend/cuda/attention_heads.cuh"
#include "backend/cuda/attention_runs.cuh"
#include "backend/cuda/attention_state.cuh"
#include "backend/cuda/attention_tiles.cuh"
#include "backend/cuda/int4_few_inputs.cuh"

namespace hangar::cuda::attend {

inline constexpr int kDecodeThreads = 32 * kDecodeWarps;
inline constexpr int kMergeRows = 8;  // of a tile at a time
inline constexpr int kFewRows = kMergeRows / 2;

// A row's result over part of its context: sums of weights, and of values times weights, relative
// to the largest score.
template <int kDim>
struct Place {
  float values[kTileRows][kDim];
  float2 rows[kTileRows];  // largest, sum
};

struct Partial {
  float largest = kNone;
  float sum = 0.0F;
  float4 values = {0.0F, 0.0F, 0.0F, 0.0F};

  __device__ __forceinline__ void fold(const Partial& next) {
    const float both = fmaxf(largest, next.largest);
    const float reference = reference_of(both);
    const float mine = power_of_2(largest - reference);
    const float its = power_of_2(next.largest - reference);
    const auto add = [&](float& a, float b) { a = __fmaf_rn(a, mine, __fmul_rn(b, its)); };
    add(sum, next.sum);
    add(values.x, next.values.x);
    add(values.y, next.values.y);
    add(values.z, next.values.z);
    add(values.w, next.values.w);
    largest = both;
  }
};

// Which rows of `out` a pair's are.
struct PackedRows {
  int first_row;
  int first_packed;
  int packed;
  int kv_head;
  PackedRows() = default;
  __device__ explicit __forceinline__ PackedRows(const Run& run)
      : first_row(run.sequence.first_row),
        first_packed(run.first_packed),
        packed(run.packed),
        kv_head(run.kv_head) {}
};

// A pair that several units or blocks have parts of.
struct Shared {
  PackedRows rows;
  int pair_begin;
  int pair_end;
  int first_block;
  int last_block;
  bool is_last;
  Shared() = default;
  __device__ __forceinline__ Shared(const Run& run, int each)
      : rows(run),
        pair_begin(run.pair_begin),
        pair_end(run.pair_end),
        first_block(run.pair_begin / each),
        last_block((run.pair_end - 1) / each),
        is_last(false) {}
};

// The end of a run: four warps' results become one, which goes to `out` or to a place. kFew: to few
// rows' inputs, of which a head is a block, instead of `out`.
template <typename T, int kDim, typename State, bool kFew>
class Finish {
 public:
  __device__ __forceinline__ Finish(const AttentionArguments& a, const Plan& plan,
                                    const Share& share, std::byte* merge, float2* rows,
                                    Shared* shared, void* scratch)
      : a_(a),
        share_(share),
        fixed_(plan.fixed),
        factor_(score_factor<T>(a)),
        merge_(reinterpret_cast<float*>(merge)),
        rows_(rows),
        shared_(shared),
        counters_(static_cast<int*>(scratch)),
        places_(reinterpret_cast<Place<kDim>*>(counters_ + counter_room())) {}

  __device__ static __forceinline__ int counter_room() { return ceil_div(gridDim.x, 64) * 64; }

  __device__ __forceinline__ void run(const Run& run, State& state) {
    const bool whole = run.unit_begin == run.pair_begin && run.unit_end == run.pair_end;
    // A pair of several blocks has a place for each part; one block's units fold from one of its
    // own places into the other: threads of a row read what one of them writes.
    const bool alone = whole || share_.whole_pairs;
    const int block = blockIdx.x;
    const int turn = (run.unit_begin - run.pair_begin) & 1;
    const bool folds = share_.whole_pairs && run.unit_begin > run.pair_begin;
    const bool ends = alone && run.unit_end == run.pair_end;
    int place = 2 * block + turn;
    if (!alone) place = place_of(run.pair_begin, fixed_ ? run.unit_begin : block);

    state.add_up();
    // Few rows take one half of the room, the next run's the other: nobody waits for its readers.
    const bool few = run.packed <= kFewRows;
    if (!few && few_before_) __syncthreads();
    few_before_ = few;
    room_ = few ? room_ ^ kFewRows : 0;
    for (int first = 0; first < run.packed; first += kMergeRows) {
      put_warp(state, first / kMergeRows, few);
      __syncthreads();
      for (int i = threadIdx.x; i < kMergeRows * (kDim / 4); i += kDecodeThreads) {
        const int row = i / (kDim / 4);
        const int column = i % (kDim / 4) * 4;
        if (first + row >= run.packed) break;
        Partial partial = warp_result(0, room_ + row, column);
#pragma unroll
        for (int warp = 1; warp < kDecodeWarps; ++warp) {
          partial.fold(warp_result(warp, room_ + row, column));
        }
        if (folds) {
          Partial before = stored(2 * block + 1 - turn, first + row, column);
          before.fold(partial);
          partial = before;
        }
        if (ends) {
          write(PackedRows(run), first + row, column, partial);
        } else {
          keep(place, first + row, column, partial);
        }
      }
      if (!few) __syncthreads();
    }
    if (alone || (fixed_ && run.unit_end < min(run.pair_end, share_.end))) return;
    const Shared pair(run, share_.each);
    if (pair.first_block == pair.last_block) {
      __syncthreads();  // what others of the block keep
      finish_pair(pair);
    } else {
      // At most its first and its last.
      if (threadIdx.x == 0) shared_[shared_count_] = pair;
      ++shared_count_;
    }
  }

  // Rows that no sequence has, of few rows' inputs.
  __device__ __forceinline__ void clear_others() const {
    unsigned there = 0;
    for (int s = 0; s < a_.sequence_count; ++s) {
      const auto& sequence = a_.sequences[s];
      if (sequence.rows > 0) there |= ((1U << sequence.rows) - 1) << sequence.first_row;
    }
    const int heads = a_.kv_heads * a_.group;
    for (int i = threadIdx.x; i < a_.rows * heads; i += kDecodeThreads) {
      const int row = i / heads;
      if ((there >> row & 1) == 0) clear_few(a_.few, i - row * heads, row);
    }
  }

  // After the last run: what the block has of pairs that others have parts of is in its places.
  // Whoever comes last finishes the pair.
  __device__ __forceinline__ void end() {
    if (shared_count_ == 0) return;
    __syncthreads();
    if (threadIdx.x == 0) {
      fence();  // the whole block's writes, which the barrier put before
      for (int i = 0; i < shared_count_; ++i) {
        Shared& pair = shared_[i];
        int* const counter = counters_ + pair.first_block;
        pair.is_last = atomicAdd(counter, 1) == pair.last_block - pair.first_block;
        if (pair.is_last) *counter = 0;
      }
      fence();
    }
    __syncthreads();
    for (int i = 0; i < shared_count_; ++i) {
      const Shared pair = shared_[i];
      if (pair.is_last) finish_pair(pair);
    }
  }

 private:
  // Of unit or block `part`.
  __device__ __forceinline__ int place_of(int pair_begin, int part) const {
    if (fixed_) return part;
    // A block has at most two pairs that others have parts of: its first and its last.
    return 2 * part + (pair_begin > part * share_.each ? 1 : 0);
  }

  // The room's rows; pairs of columns are permuted so that 4 rows of a warp's lanes write to all
  // banks.
  __device__ __forceinline__ float* merge_at(int warp, int row, int column) const {
    const int pair = (column / 2) ^ ((row & 3) << 2);
    return merge_ + (warp * kMergeRows + row) * kDim + pair * 2 + column % 2;
  }
  // Rows 8 part to 8 part + 7 of the tile, few: the first kFewRows.
  __device__ __forceinline__ void put_warp(const TileState<kDim>& state, int part, bool few) {
    const int warp = threadIdx.x / 32;
    if (few && threadIdx.x % 32 / 4 >= kFewRows) return;
    const int row = room_ + threadIdx.x % 32 / 4;
    const int column = threadIdx.x % 4 * 2;
    if (column == 0) {
      rows_[warp * kMergeRows + row] =
          part == 0 ? make_float2(state.softmax.largest[0] * factor_, state.softmax.sum[0])
                    : make_float2(state.softmax.largest[1] * factor_, state.softmax.sum[1]);
    }
    const auto value = [&](int tile, int of_two) {
      return part == 0 ? state.out[tile][of_two] : state.out[tile][2 + of_two];
    };
    if constexpr (kIsFp8<T>) {  // columns of two tiles in turn: CodeSlabs
#pragma unroll
      for (int i = 0; i < kDim / 8; i += 2) {
        *reinterpret_cast<float4*>(merge_at(warp, row, 8 * i + 2 * column)) =
            make_float4(value(i, 0), value(i + 1, 0), value(i, 1), value(i + 1, 1));
      }
    } else {
#pragma unroll
      for (int i = 0; i < kDim / 8; ++i) {
        *reinterpret_cast<float2*>(merge_at(warp, row, 8 * i + column)) =
            make_float2(value(i, 0), value(i, 1));
      }
    }
  }
  __device__ __forceinline__ void put_warp(const ColumnState<kDim>& state, int /*part*/, bool few) {
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    if (few && 2 * (lane % 4) >= kFewRows) return;
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int row = room_ + 2 * (lane % 4) + c;
      if (lane / 4 == 0) {
        rows_[warp * kMergeRows + row] = make_float2(state.largest[c] * factor_, state.sum[c]);
      }
#pragma unroll
      for (int i = 0; i < kDim / 16; ++i) {
        if constexpr (kIsFp8<T>) {
          *reinterpret_cast<float2*>(merge_at(warp, row, 16 * i + lane / 4 * 2)) =
              make_float2(state.out[i][c], state.out[i][2 + c]);
        } else {
          *merge_at(warp, row, 16 * i + lane / 4) = state.out[i][c];
          *merge_at(warp, row, 16 * i + lane / 4 + 8) = state.out[i][2 + c];
        }
      }
    }
  }
  __device__ __forceinline__ Partial warp_result(int warp, int row, int column) const {
    const float2 sums = rows_[warp * kMergeRows + row];
    return {sums.x, sums.y, *reinterpret_cast<const float4*>(merge_at(warp, row, column))};
  }

  // Past the L1 cache, which does not see what other blocks write.
  __device__ __forceinline__ Partial stored(int place, int row, int column) const {
    const Place<kDim>& from = places_[place];
    const float2 sums = __ldcg(&from.rows[row]);
    return {sums.x, sums.y, __ldcg(reinterpret_cast<const float4*>(&from.values[row][column]))};
  }
  __device__ __forceinline__ void keep(int place, int row, int column, const Partial& partial) {
    Place<kDim>& to = places_[place];
    __stcg(reinterpret_cast<float4*>(&to.values[row][column]), partial.values);
    if (column == 0) __stcg(&to.rows[row], make_float2(partial.largest, partial.sum));
  }

  __device__ __forceinline__ void write(const PackedRows& rows, int packed, int column,
                                        const Partial& partial) {
    const int query = rows.first_packed + packed;
    const int of_sequence = a_.by_group.quotient(query);
    const std::int64_t row = rows.first_row + of_sequence;
    const int head = rows.kv_head * a_.group + query - of_sequence * a_.group;
    const float factor = 1.0F / partial.sum;
    const float4 v = partial.values;
    if constexpr (kFew) {
      static_assert(kDim == kInt4Columns);  // a warp has one head of one row
      return put_few(a_.few, head, static_cast<int>(row),
                     {v.x * factor, v.y * factor, v.z * factor, v.w * factor});
    }
    auto* to = static_cast<std::uint16_t*>(a_.out) + row * a_.out_stride + head * kDim + column;
    *reinterpret_cast<uint2*>(to) = make_uint2(pack_output(v.x * factor, v.y * factor, a_.half),
                                               pack_output(v.z * factor, v.w * factor, a_.half));
  }

  __device__ static __forceinline__ void fence() {
    asm volatile("fence.acq_rel.gpu;" ::: "memory");
  }
  __device__ __forceinline__ void finish_pair(const Shared& pair) {
    const int first = fixed_ ? pair.pair_begin : pair.first_block;
    const int last = fixed_ ? pair.pair_end - 1 : pair.last_block;
    for (int i = threadIdx.x; i < pair.rows.packed * (kDim / 4); i += kDecodeThreads) {
      const int row = i / (kDim / 4);
      const int column = i % (kDim / 4) * 4;
      Partial partial = stored(place_of(pair.pair_begin, first), row, column);
#pragma unroll 4
      for (int part = first + 1; part <= last; ++part) {
        partial.fold(stored(place_of(pair.pair_begin, part), row, column));
      }
      write(pair.rows, row, column, partial);
    }
  }

  const AttentionArguments& a_;
  const Share& share_;
  bool fixed_;
  int room_ = 0;  // the first row of the room that this run's lie in
  bool few_before_ = false;
  float factor_;  // of a score, as a power of 2
  float* merge_;
  float2* rows_;
  Shared* shared_;  // 2
  int shared_count_ = 0;
  int* counters_;
  Place<kDim>* places_;
};

}  // namespace hangar::cuda::attend
