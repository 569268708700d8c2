// A warp's 16 query rows on their way through keys and values: masks, softmax, sums.
//
// Promise: attend() takes in the next tokens; what it has summed up is relative to the largest
//   score so far, and rescaled only when that grows. A row that attends to none of the tokens is
//   left as it was, bit for bit.
// Scales: where values have scales, a token's weight with its scale in it is 2^(score + the scale's
//   logarithm): that is what the running softmax is of, so that no product of weight and scale is
//   out of a half's range, and the sum takes the scale out again.
// Source: FlashAttention's running softmax.
// Threads: all lanes of a warp together.
#pragma once

#include <cstdint>

#include "backend/cuda/attention_slabs.cuh"
#include "backend/cuda/attention_tiles.cuh"

namespace hangar::cuda::attend {

// What weights are taken relative to: the largest score, but never kNone.
__device__ __forceinline__ float reference_of(float largest) {
  return largest == kNone ? 0.0F : largest;
}

// Rows of the scores of one or more slabs that a lane holds: of row g and row g + 8.
struct Softmax {
  float largest[2] = {kNone, kNone};  // score, before its factor
  float sum[2] = {0.0F, 0.0F};        // of the lane's own columns

  // Turns scores, of which `factor` times are powers of 2, into weights, the largest of them
  // 2^lift, and says what the results so far are to be multiplied by. False: by 1, in every lane.
  // The sum is of weights times counts(tile), of columns 2t and 2t + 1.
  template <int kTiles, typename Counts>
  __device__ __forceinline__ bool weigh(float (&s)[kTiles][4], float factor, float lift,
                                        float (&correction)[2], const Counts& counts) {
    float most[2] = {largest[0], largest[1]};
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      most[0] = fmaxf(most[0], fmaxf(s[i][0], s[i][1]));
      most[1] = fmaxf(most[1], fmaxf(s[i][2], s[i][3]));
    }
    float reference[2];
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      most[row] = fmaxf(most[row], __shfl_xor_sync(0xFFFFFFFFU, most[row], 1));
      most[row] = fmaxf(most[row], __shfl_xor_sync(0xFFFFFFFFU, most[row], 2));
      reference[row] = reference_of(most[row]);
      correction[row] = power_of_2((largest[row] - reference[row]) * factor);
      reference[row] = reference[row] * factor - lift;
    }
    const bool changed = __any_sync(0xFFFFFFFFU, most[0] != largest[0] || most[1] != largest[1]);
    if (changed) {
#pragma unroll
      for (int row = 0; row < 2; ++row) {
        largest[row] = most[row];
        sum[row] *= correction[row];
      }
    }
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      const float2 count = counts(i);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        s[i][j] = power_of_2(__fmaf_rn(s[i][j], factor, -reference[j / 2]));
        sum[j / 2] += s[i][j] * (j % 2 == 0 ? count.x : count.y);
      }
    }
    return changed;
  }

  // The sums of all columns, in each of a row's lanes.
  __device__ __forceinline__ void add_up() {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      sum[row] += __shfl_xor_sync(0xFFFFFFFFU, sum[row], 1);
      sum[row] += __shfl_xor_sync(0xFFFFFFFFU, sum[row], 2);
    }
  }
};

// Which tokens the rows of a tile attend to. Its rows are packed: query heads of the group for one
// row of the sequence, then for the next.
struct Mask {
  int position[2];  // of the lane's two rows
  int first;        // of the tile's first row and of its last
  int last;
  int window;

  // The lane's rows are g and g + 8.
  __device__ __forceinline__ Mask(const AttentionArguments& a,
                                  const RaggedBatch::Sequence& sequence, int first_packed,
                                  int packed)
      : Mask(a, sequence, first_packed, packed, threadIdx.x % 32 / 4, threadIdx.x % 32 / 4 + 8) {}
  __device__ __forceinline__ Mask(const AttentionArguments& a,
                                  const RaggedBatch::Sequence& sequence, int first_packed,
                                  int packed, int row, int other)
      : window(a.window) {
    const int context = sequence.context_tokens;
    first = context + a.by_group.quotient(first_packed);
    last = context + a.by_group.quotient(first_packed + packed - 1);
    // A row beyond the tile's is computed as its last, and dropped.
    position[0] = context + a.by_group.quotient(first_packed + min(row, packed - 1));
    position[1] = context + a.by_group.quotient(first_packed + min(other, packed - 1));
  }
  // Every row attends to all of the `tokens` tokens from this one on.
  __device__ __forceinline__ bool all(int token, int tokens) const {
    return token + tokens - 1 <= first && (window == 0 || token > last - window);
  }
  // No row attends to any of them.
  __device__ __forceinline__ bool none(int token, int tokens) const {
    return token > last || (window > 0 && token + tokens - 1 <= first - window);
  }
  __device__ __forceinline__ bool attends(int half, int token) const {
    return token <= position[half] && (window == 0 || token > position[half] - window);
  }
};

template <int kDim>
struct TileState {
  Softmax softmax;
  float out[kDim / 8][4] = {};
  // Of a dot product of the lane's rows, where keys have scales: inner_scale, and what the queries
  // were divided by.
  float row_scale[2] = {1.0F, 1.0F};

  // The sums of all columns, in each of a row's lanes.
  __device__ __forceinline__ void add_up() { softmax.add_up(); }

  // kCount slabs from `token` on. query(m, step) gives the rows' fragments of dims 16 step .. + 15.
  template <int kCount, typename Slabs, typename Query>
  __device__ __forceinline__ void attend(const AttentionArguments& a, const Mask& mask,
                                         const Query& query, const Slabs& slabs, int token) {
    using T = typename Slabs::Operand;
    constexpr int kTiles = 2 * kCount;
    float s[kTiles][4] = {};
    slabs.score(s, query);
    if constexpr (Slabs::kScaled) scale(slabs, s);
    if (a.softcap > 0.0F) {
      const float factor = Slabs::kScaled ? 1.0F : a.inner_scale;
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) s[i][j] = capped(a, s[i][j] * factor);
      }
    }
    if constexpr (Slabs::kScaled) {
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
        const float2 logs = slabs.value_logs(i);
#pragma unroll
        for (int j = 0; j < 4; ++j) s[i][j] += j % 2 == 0 ? logs.x : logs.y;
      }
    }
    if (!mask.all(token, kCount * kSlabTokens)) {
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int column = token + 8 * i + 2 * static_cast<int>(threadIdx.x % 4) + j % 2;
          if (!mask.attends(j / 2, column)) s[i][j] = kNone;
        }
      }
    }
    float correction[2];
    if (weigh(a, slabs, s, correction)) {
#pragma unroll
      for (int i = 0; i < kDim / 8; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) out[i][j] *= correction[j / 2];
      }
    }
#pragma unroll
    for (int slab = 0; slab < kCount; ++slab) {
      const float(&low)[4] = s[2 * slab];
      const float(&high)[4] = s[2 * slab + 1];
      const std::uint32_t p[4] = {pack<T>(low[0], low[1]), pack<T>(low[2], low[3]),
                                  pack<T>(high[0], high[1]), pack<T>(high[2], high[3])};
      slabs.add(out, p, slab);
    }
  }

 private:
  template <int kTiles, typename Slabs>
  __device__ __forceinline__ void scale(const Slabs& slabs, float (&s)[kTiles][4]) const {
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      const float2 keys = slabs.key_scales(i);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        s[i][j] = s[i][j] * row_scale[j / 2] * (j % 2 == 0 ? keys.x : keys.y);
      }
    }
  }
  template <int kTiles, typename Slabs>
  __device__ __forceinline__ bool weigh(const AttentionArguments& a, const Slabs& slabs,
                                        float (&s)[kTiles][4], float (&correction)[2]) {
    if constexpr (Slabs::kScaled) {
      // Far above the least of halves, for weights beside that of a value much larger than others.
      constexpr float kLift = 15.0F;
      return softmax.weigh(s, 1.0F, kLift, correction,
                           [&](int tile) { return slabs.value_inverses(tile); });
    } else {
      return softmax.weigh(s, score_factor<typename Slabs::Operand>(a), 0.0F, correction,
                           [](int) { return make_float2(1.0F, 1.0F); });
    }
  }
};

}  // namespace hangar::cuda::attend
