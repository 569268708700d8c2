// How the decode kernel's blocks share out a step: decided on the card, by each for itself.
//
// Promise: the work of a sequence is pairs (of a KV head and a tile of up to 16 rows: the group's
//   query heads of one row, then of the next), each of units of slabs of keys and values. All
//   sequences' units stand in one line; block c has units [c * each, (c + 1) * each) of it. A run
//   is what one block does of one pair in one go: all it has of it, or with `fixed` one unit, so
//   that where a context is cut, and which warp has what of it, depends on nothing else. Then
//   either every unit has a place of its own for its result, or, where they do not fit, a block
//   does the whole pairs that begin in its share. Without `fixed` a unit is a slab, blocks do whole
//   pairs where that is as even, and warps have as many slabs of all the block's runs.
// Units: slabs and units count from position 0; a unit that no row of a tile attends to is in no
//   run.
// Threads: find_share is called by a whole block; a Runs is a thread's own, and the same in all.
#pragma once

#include <cstdint>

#include "backend/cuda/attention_tiles.cuh"

namespace hangar::cuda::attend {

// A tile's rows, as powers of 2: by rows, and as columns (attention_heads.cuh).
inline constexpr int kRowBits = 4;
inline constexpr int kColumnBits = 3;
static_assert(1 << kColumnBits == kColumnRows);
inline constexpr int kTileRows = 1 << kRowBits;  // at most
// Pairs of so few slabs are not cut: that blocks meet would take longer than the rest.
inline constexpr int kWholeSlabs = 32;
inline constexpr int kDecodeWarps = 4;

__device__ __forceinline__ int ceil_div(int n, int by) {
  return (n + by - 1) / by;
}

struct Plan {
  std::int32_t most_rows = 0;  // sequences of more rows are another kernel's
  std::int32_t tile_bits = kRowBits;
  std::int32_t grain_bits = 0;  // a unit's slabs are this power of 2
  std::int32_t least = 1;       // units of a block that has any
  bool fixed = false;
  std::int32_t places = 0;  // for the results of units, where fixed

  __device__ __forceinline__ int tiles(int rows) const {
    return (rows + (1 << tile_bits) - 1) >> tile_bits;
  }
  __device__ __forceinline__ int units_before(int slab) const { return slab >> grain_bits; }
  __device__ __forceinline__ int units_up_to(int slab) const {
    return (slab + (1 << grain_bits) - 1) >> grain_bits;
  }
};

// A sequence's part of the line.
struct Line {
  RaggedBatch::Sequence sequence;
  int first_unit = 0;  // of its context
  int units = 0;       // of each pair
  int pairs = 0;

  __device__ __forceinline__ Line(const AttentionArguments& a, const Plan& plan,
                                  const RaggedBatch::Sequence& of)
      : sequence(of) {
    if (sequence.rows <= 0 || sequence.rows > plan.most_rows) return;
    const int slabs = ceil_div(sequence.context_tokens + sequence.rows, kSlabTokens);
    first_unit = plan.units_before(first_token(a, 0) / kSlabTokens);
    units = plan.units_up_to(slabs) - first_unit;
    pairs = a.kv_heads * plan.tiles(sequence.rows * a.group);
  }
  // The first that a row attends to.
  __device__ __forceinline__ int first_token(const AttentionArguments& a, int row) const {
    return a.window > 0 ? max(0, sequence.context_tokens + row + 1 - a.window) : 0;
  }
  __device__ __forceinline__ int length() const { return units * pairs; }
};

struct Share {
  int begin = 0;  // units of the line; begin == end: nothing to do
  int end = 0;
  int each = 1;      // of every block
  int sequence = 0;  // that `begin` is in
  int sequence_begin = 0;
  bool whole_pairs = false;
};

// Whether blocks do whole pairs: where that is as even as cutting them, nobody need meet.
__device__ __forceinline__ bool takes_whole_pairs(int total, int pairs, int longest, int blocks) {
  if (longest <= kWholeSlabs && total <= kWholeSlabs * blocks) return true;
  const float share = static_cast<float>(total) / static_cast<float>(blocks);
  const auto of_longest = static_cast<float>(longest);
  // A block may have one pair more than its share.
  if (16.0F * of_longest <= share) return true;
  // All alike, it has the next whole number of them.
  const bool alike = static_cast<float>(total) >= 0.97F * static_cast<float>(pairs) * of_longest;
  return alike && static_cast<float>(ceil_div(pairs, blocks)) * of_longest <= 1.06F * share;
}

// `scratch`: 16 ints of shared memory. Ends with a barrier of the block.
template <int kThreads>
__device__ Share find_share(const AttentionArguments& a, const Plan& plan, int* scratch) {
  constexpr int kWarps = kThreads / 32;
  static_assert(kWarps <= 4);
  const int thread = threadIdx.x;
  const int each = ceil_div(a.sequence_count, kThreads);
  const int first = min(thread * each, a.sequence_count);
  const int last = min(first + each, a.sequence_count);
  int sum = 0;
  int pairs = 0;
  int longest = 0;
  for (int s = first; s < last; ++s) {
    const Line line(a, plan, a.sequences[s]);
    sum += line.length();
    pairs += line.pairs;
    longest = max(longest, line.units);
  }
  int before = sum;  // of the warp's threads up to this one
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const int other = __shfl_up_sync(0xFFFFFFFFU, before, step);
    if (thread % 32 >= step) before += other;
  }
  pairs = __reduce_add_sync(0xFFFFFFFFU, pairs);
  longest = __reduce_max_sync(0xFFFFFFFFU, longest);
  int* const all_pairs = scratch + kWarps + 2;
  int* const all_longest = all_pairs + kWarps;
  if (thread % 32 == 31) {
    scratch[thread / 32] = before;
    all_pairs[thread / 32] = pairs;
    all_longest[thread / 32] = longest;
  }
  __syncthreads();
  int total = 0;
  pairs = 0;
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) {
    if (warp < thread / 32) before += scratch[warp];
    total += scratch[warp];
    pairs += all_pairs[warp];
    longest = max(longest, all_longest[warp]);
  }
  before -= sum;

  Share share;
  const int blocks = gridDim.x;
  const bool whole = !plan.fixed && takes_whole_pairs(total, pairs, longest, blocks);
  share.each = max(whole ? 1 : plan.least, ceil_div(total, blocks));
  // Not each * block: that could pass what an int holds.
  const int block = blockIdx.x;
  share.begin = block < ceil_div(total, share.each) ? block * share.each : total;
  share.end = min(total, share.begin + share.each);
  share.whole_pairs = whole || (plan.fixed && total > plan.places);
  if (share.begin < share.end && before <= share.begin && share.begin < before + sum) {
    int s = first;
    const auto length = [&] { return Line(a, plan, a.sequences[s]).length(); };
    for (int next = length(); before + next <= share.begin; next = length()) {
      before += next;
      ++s;
    }
    scratch[kWarps] = s;
    scratch[kWarps + 1] = before;
  }
  __syncthreads();
  share.sequence = scratch[kWarps];
  share.sequence_begin = scratch[kWarps + 1];
  return share;
}

struct Run {
  RaggedBatch::Sequence sequence;
  int kv_head = 0;
  int first_packed = 0;  // the tile's first row of query heads: row * group + head of the group
  int packed = 0;        // its rows
  int slab_begin = 0;
  int slab_end = 0;
  int first_warp = 0;  // that has the first of its slabs; the next has the next
  int pair_begin = 0;  // the pair's units that are not empty
  int pair_end = 0;
  int unit_begin = 0;  // the run's
  int unit_end = 0;

  __device__ __forceinline__ int tokens() const { return sequence.context_tokens + sequence.rows; }
  // A warp's first.
  __device__ __forceinline__ int first_slab(int warp) const {
    return slab_begin + ((warp - first_warp) & (kDecodeWarps - 1));
  }
};

class Runs {
 public:
  __device__ __forceinline__ Runs(const AttentionArguments& a, const Plan& plan, const Share& share)
      : a_(a),
        plan_(plan),
        at_(share.begin),
        end_(share.end),
        whole_pairs_(share.whole_pairs),
        index_(share.sequence),
        line_begin_(share.sequence_begin),
        pair_begin_(share.sequence_begin),
        line_(a, plan, a.sequences[share.begin < share.end ? share.sequence : 0]) {
    if (at_ >= end_) return;
    look_ahead();
    const int pair = (at_ - line_begin_) / line_.units;
    tile_ = pair / a.kv_heads;
    kv_head_ = pair - tile_ * a.kv_heads;
    pair_begin_ += pair * line_.units;
    // The pair may be another block's.
    if (whole_pairs_ && at_ > pair_begin_) at_ = pair_begin_ + line_.units;
  }

  // False: that was all.
  __device__ __forceinline__ bool next(Run& run) {
    while (at_ < end_ || at_ < pair_stop_) {
      find_pair();
      const RaggedBatch::Sequence& sequence = line_.sequence;
      const int first_packed = tile_ << plan_.tile_bits;
      const int packed = min(1 << plan_.tile_bits, sequence.rows * a_.group - first_packed);
      const int first_row = a_.by_group.quotient(first_packed);
      const int last_row = a_.by_group.quotient(first_packed + packed - 1);
      const int slab_begin = line_.first_token(a_, first_row) / kSlabTokens;
      const int slab_end = ceil_div(sequence.context_tokens + last_row + 1, kSlabTokens);
      const int first_unit = line_.first_unit - pair_begin_;
      run.pair_begin = plan_.units_before(slab_begin) - first_unit;
      run.pair_end = plan_.units_up_to(slab_end) - first_unit;
      run.unit_begin = max(at_, run.pair_begin);
      run.unit_end = whole_pairs_ ? run.pair_end : min(run.pair_end, end_);
      if (plan_.fixed) run.unit_end = min(run.unit_end, run.unit_begin + 1);
      if (whole_pairs_) pair_stop_ = pair_begin_ + line_.units;
      if (run.unit_begin >= run.unit_end) {
        at_ = pair_begin_ + line_.units;
        continue;
      }
      at_ = run.unit_end < run.pair_end ? run.unit_end : pair_begin_ + line_.units;
      run.sequence = sequence;
      run.kv_head = kv_head_;
      run.first_packed = first_packed;
      run.packed = packed;
      run.slab_begin = max(slab_begin, (run.unit_begin + first_unit) << plan_.grain_bits);
      run.slab_end = min(slab_end, (run.unit_end + first_unit) << plan_.grain_bits);
      run.first_warp = plan_.fixed ? run.slab_begin % kDecodeWarps : warp_;
      warp_ = (warp_ + run.slab_end - run.slab_begin) % kDecodeWarps;
      return true;
    }
    return false;
  }

 private:
  // The pair that at_ is in: that before, or the next.
  __device__ __forceinline__ void find_pair() {
    if (at_ >= pair_begin_ + line_.units) {
      pair_begin_ += line_.units;
      if (++kv_head_ == a_.kv_heads) {
        kv_head_ = 0;
        ++tile_;
      }
    }
    while (at_ >= line_begin_ + line_.length()) {
      line_begin_ += line_.length();
      line_ = Line(a_, plan_, next_);
      ++index_;
      look_ahead();
      pair_begin_ = line_begin_;
      kv_head_ = 0;
      tile_ = 0;
    }
  }
  __device__ __forceinline__ void look_ahead() {
    if (index_ + 1 < a_.sequence_count) next_ = a_.sequences[index_ + 1];
  }

  const AttentionArguments& a_;
  const Plan& plan_;
  int at_;
  int end_;
  int pair_stop_ = 0;  // of the pair last begun, where pairs are done whole
  bool whole_pairs_;
  int index_;
  int line_begin_;
  int pair_begin_;
  int tile_ = 0;
  int kv_head_ = 0;
  int warp_ = 0;  // whose turn it is
  Line line_;
  RaggedBatch::Sequence next_;  // brought while this one is done
};

}  // namespace hangar::cuda::attend
