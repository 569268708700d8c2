// A warp's 16 query rows on their way through keys and values: masks, softmax, sums.
//
// Promise: attend() takes in the next tokens; what it has summed up is relative to the largest
//   score so far, and rescaled only when that grows. A row that attends to none of the tokens is
//   left as it was, bit for bit.
// Source: FlashAttention's running softmax.
// Threads: all lanes of a warp together.
#pragma once

#include <cstdint>

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

  // Turns scores, of which `factor` times are powers of 2, into weights, and says what the results
  // so far are to be multiplied by. False: by 1, in every lane.
  template <int kTiles>
  __device__ __forceinline__ bool weigh(float (&s)[kTiles][4], float factor,
                                        float (&correction)[2]) {
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
      reference[row] *= factor;
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
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        s[i][j] = power_of_2(__fmaf_rn(s[i][j], factor, -reference[j / 2]));
        sum[j / 2] += s[i][j];
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
  int position[2];  // of the lane's rows, g and g + 8
  int first;        // of the tile's first row and of its last
  int last;
  int window;

  __device__ __forceinline__ Mask(const AttentionArguments& a,
                                  const RaggedBatch::Sequence& sequence, int first_packed,
                                  int packed)
      : window(a.window) {
    const int lane = threadIdx.x % 32;
    const int context = sequence.context_tokens;
    first = context + first_packed / a.group;
    last = context + (first_packed + packed - 1) / a.group;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      // A row beyond the tile's is computed as its last, and dropped.
      position[half] = context + (first_packed + min(lane / 4 + 8 * half, packed - 1)) / a.group;
    }
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

template <typename T, int kDim>
struct TileState {
  Softmax softmax;
  float out[kDim / 8][4] = {};

  // kSlabs slabs from `token` on, one behind the other at `keys` and `values`. query(m, step) gives
  // the rows' fragments of dims 16 step .. + 15.
  template <int kSlabs, typename Query>
  __device__ __forceinline__ void attend(const AttentionArguments& a, const Mask& mask,
                                         const Query& query, std::uint32_t keys,
                                         std::uint32_t values, int token) {
    constexpr int kSlabBytes = kSlabTokens * kDim * 2;
    float s[2 * kSlabs][4] = {};
#pragma unroll
    for (int step = 0; step < kDim / 16; ++step) {
      std::uint32_t q[4];
      query(q, step);
#pragma unroll
      for (int slab = 0; slab < kSlabs; ++slab) {
        std::uint32_t k[4];
        load_keys<kDim>(k, keys + slab * kSlabBytes, step);
        mma<T>(s[2 * slab], q, k[0], k[1]);
        mma<T>(s[2 * slab + 1], q, k[2], k[3]);
      }
    }
    if (a.softcap > 0.0F) {
#pragma unroll
      for (int i = 0; i < 2 * kSlabs; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) s[i][j] = capped(a, s[i][j]);
      }
    }
    if (!mask.all(token, kSlabs * kSlabTokens)) {
#pragma unroll
      for (int i = 0; i < 2 * kSlabs; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int column = token + 8 * i + 2 * static_cast<int>(threadIdx.x % 4) + j % 2;
          if (!mask.attends(j / 2, column)) s[i][j] = kNone;
        }
      }
    }
    float correction[2];
    if (softmax.weigh(s, score_factor(a), correction)) {
#pragma unroll
      for (int i = 0; i < kDim / 8; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) out[i][j] *= correction[j / 2];
      }
    }
#pragma unroll
    for (int slab = 0; slab < kSlabs; ++slab) {
      const float(&low)[4] = s[2 * slab];
      const float(&high)[4] = s[2 * slab + 1];
      const std::uint32_t p[4] = {pack<T>(low[0], low[1]), pack<T>(low[2], low[3]),
                                  pack<T>(high[0], high[1]), pack<T>(high[2], high[3])};
#pragma unroll
      for (int step = 0; step < kDim / 16; ++step) {
        std::uint32_t v[4];
        load_values<kDim>(v, values + slab * kSlabBytes, step);
        mma<T>(out[2 * step], p, v[0], v[1]);
        mma<T>(out[2 * step + 1], p, v[2], v[3]);
      }
    }
  }
};

}  // namespace hangar::cuda::attend
