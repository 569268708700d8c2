// Hopper's prefill kernel: what a warpgroup does with 64 packed query rows.
//
// Promise: attend_rows() does each tile: queries (attention_prefill_queries.cuh), scores, softmax,
//   sums over values, the output. While a stage's scores become weights, the weights of the one
//   before meet their values; and the warpgroups begin their products in turn, so that one's
//   softmax lies beside the other's products.
// Source: FlashAttention-3's order of products and softmax.
// Threads: device code; all threads of the warpgroups that multiply.
#pragma once

#include <cstdint>

#include "backend/cuda/attention_prefill_queries.cuh"
#include "backend/cuda/attention_prefill_sizes.cuh"
#include "backend/cuda/attention_state.cuh"
#include "backend/cuda/wgmma.cuh"

namespace hangar::cuda::attend::hopper {

#if __CUDA_ARCH__ >= 900

// The running softmax of a warp's rows over stages.
template <typename S>
struct StageSoftmax {
  static constexpr int kTiles = S::kTokens / 8;
  Softmax softmax;
  float row_scale[2] = {1.0F, 1.0F};

  // Scores of a stage from `token` on become weights. False: results so far stay as they are.
  __device__ __forceinline__ bool weigh(const AttentionArguments& a, const Mask& mask,
                                        std::uint32_t scales, int token, float (&s)[kTiles][4],
                                        float (&correction)[2]) {
    const int column = 2 * static_cast<int>(threadIdx.x % 4);
    const std::uint32_t pair = scales + column * 4;
    if constexpr (S::kCodes) {
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
        const float2 keys = load_pair(pair + i * 32);
#pragma unroll
        for (int j = 0; j < 4; ++j) s[i][j] *= j % 2 == 0 ? keys.x : keys.y;
      }
    }
    float factor[2];  // of what s is now
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      factor[half] = S::kCodes ? row_scale[half] : a.inner_scale;
    }
    if (a.softcap > 0.0F) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float twice = 2.0F * kLog2E * factor[half];
#pragma unroll
        for (int i = 0; i < kTiles; ++i) {
#pragma unroll
          for (int j = 2 * half; j < 2 * half + 2; ++j) {
            // tanh x = 1 - 2 / (1 + e^2x)
            const float under = inverse(1.0F + power_of_2(s[i][j] * twice));
            s[i][j] = __fmaf_rn(under, -2.0F * a.softcap, a.softcap);
          }
        }
        factor[half] = 1.0F;
      }
    }
    if constexpr (S::kCodes) {
#pragma unroll
      for (int i = 0; i < kTiles; ++i) {
        const float2 logs = load_pair(pair + i * 32 + S::kTokens * 4);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          s[i][j] = __fmaf_rn(s[i][j], factor[j / 2], j % 2 == 0 ? logs.x : logs.y);
        }
      }
    }
    if (!mask.all(token, S::kTokens)) hide(mask, token + column, s);
    if constexpr (S::kCodes) {
      // Far above the least of halves, for weights beside that of a value much larger than others.
      constexpr float kLift = 15.0F;
      return softmax.weigh(s, 1.0F, kLift, correction,
                           [&](int tile) { return load_pair(pair + tile * 32 + S::kTokens * 8); });
    } else {
      return softmax.weigh(s, factor[0], 0.0F, correction,
                           [](int) { return make_float2(1.0F, 1.0F); });
    }
  }

 private:
  static constexpr float kLog2E = 1.44269504F;

  // What rows do not attend to; `column`: the lane's first token.
  __device__ static __forceinline__ void hide(const Mask& mask, int column, float (&s)[kTiles][4]) {
    const int last[2] = {mask.position[0] - column, mask.position[1] - column};
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (8 * i + j % 2 > last[j / 2]) s[i][j] = kNone;
      }
    }
    if (mask.window == 0) return;
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (8 * i + j % 2 <= last[j / 2] - mask.window) s[i][j] = kNone;
      }
    }
  }
};

// Weights as the first operand of the product with values.
template <typename T, int kTiles>
__device__ __forceinline__ void pack_weights(std::uint32_t (&p)[kTiles / 2][4],
                                             const float (&s)[kTiles][4]) {
#pragma unroll
  for (int i = 0; i < kTiles / 2; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      p[i][j] = pack<T>(s[2 * i + j / 2][j % 2 * 2], s[2 * i + j / 2][j % 2 * 2 + 1]);
    }
  }
}

// out += p v of a stage's values.
template <typename S, int kStep = 0, int kOut, int kSteps>
__device__ __forceinline__ void add_values(float (&out)[kOut][4],
                                           const std::uint32_t (&p)[kSteps][4],
                                           std::uint64_t values) {
  wgmma::multiply_rows<typename S::Operand, false, true>(
      out, p[kStep], values + kStep * (2 * S::kGroupBytes / 16));
  if constexpr (kStep + 1 < kSteps) add_values<S, kStep + 1>(out, p, values);
}

// What lies beyond a sequence's last token may be anything, NaN too, and a weight of 0 would not
// hide that: zeros for the rest of its slab. By a warpgroup, each for itself.
template <typename S>
__device__ __forceinline__ void clear_values(std::uint32_t values, int from, int group) {
  constexpr int kChunks = 2 * S::kDim / 16;
  constexpr int kPartChunks = S::kPartBytes / 16;
  const int rows = (kSlabTokens - from % kSlabTokens) % kSlabTokens;
  for (int i = threadIdx.x % 128; i < rows * kChunks; i += 128) {
    const int row = from + i / kChunks;
    const int chunk = i % kChunks;
    asm volatile("st.shared.v4.u32 [%0], {%1, %1, %1, %1};" ::"r"(
                     values + row / 8 * S::kGroupBytes + row % 8 * S::kPartBytes +
                     chunk / kPartChunks * S::kPartGroupBytes + chunk % kPartChunks * 16),
                 "r"(0)
                 : "memory");
  }
  fence_copies();
  sync_at(kGroupBarriers + group, 128);
}

// The four words of a quad's lanes change places with those of its four chunks: lane t then has all
// of chunk t.
__device__ __forceinline__ void gather_chunk(std::uint32_t (&w)[4]) {
  const bool odd = threadIdx.x % 2 != 0;
  const bool upper = threadIdx.x % 4 >= 2;
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const std::uint32_t got = __shfl_xor_sync(~0U, odd ? w[i] : w[i + 1], 1);
    (odd ? w[i] : w[i + 1]) = got;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const std::uint32_t got = __shfl_xor_sync(~0U, upper ? w[i] : w[i + 2], 2);
    (upper ? w[i] : w[i + 2]) = got;
  }
}

template <typename S, int kOut>
__device__ __forceinline__ void write_rows(const AttentionArguments& a, const QueryTile& tile,
                                           int first_packed, const float (&out)[kOut][4],
                                           const float (&sum)[2]) {
  const int lane = threadIdx.x % 32;
  auto* to = static_cast<std::uint16_t*>(a.out);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int packed = first_packed + lane / 4 + 8 * half;
    const bool there = packed < tile.rows * a.group;
    const int row = packed / a.group;
    const int head = tile.kv_head * a.group + packed - row * a.group;
    std::uint16_t* at = to + (tile.first_row + row) * a.out_stride + head * S::kDim + lane % 4 * 8;
    const float factor = 1.0F / sum[half];
#pragma unroll
    for (int i = 0; i < kOut; i += 4) {
      std::uint32_t w[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        w[j] =
            pack_output(out[i + j][2 * half] * factor, out[i + j][2 * half + 1] * factor, a.half);
      }
      gather_chunk(w);
      if (there) *reinterpret_cast<uint4*>(at + i * 8) = make_uint4(w[0], w[1], w[2], w[3]);
    }
  }
}

template <typename S>
__device__ __forceinline__ void attend_rows(const AttentionArguments& a, const Shared<S>& shared,
                                            int warp) {
  constexpr int kTiles = S::kTokens / 8;
  constexpr int kOut = S::kDim / 8;
  const int group = warp / 4;
  const int next_group = group + 1 == S::kGroups ? 0 : group + 1;
  Queue<S> queue = shared.queue();
  Turn<S::kQuerySlots> query;
  Turn<S::kStages> stage;     // of the keys
  Turn<S::kStages> finished;  // of the values
  const auto release = [&]<Of kOf>(std::integral_constant<Of, kOf>, int slot) {
    __syncwarp();
    arrive_warp(shared.template empty<kOf>(slot));
  };
  constexpr std::integral_constant<Of, Of::kKeys> kOfKeys;
  constexpr std::integral_constant<Of, Of::kValues> kOfValues;
  const auto keys_of = [&](int slot) {
    return wgmma::descriptor<S::kPartBytes>(shared.keys(slot), 0, S::kGroupBytes);
  };
  const auto values_of = [&](int slot) {
    return wgmma::descriptor<S::kPartBytes>(shared.values(slot), S::kPartGroupBytes,
                                            S::kGroupBytes);
  };

  if (group == S::kGroups - 1) arrive_at(kTurnBarriers, 256);
  Queries<S> queries;
  float s[kTiles][4];
  std::uint32_t p[kTiles / 2][4];
  float out[kOut][4];
  for (;;) {
    const QueryTile tile = queue.get();
    if (tile.rows == 0) return;
    const int first_packed = warp * 16;
    RaggedBatch::Sequence rows;
    rows.context_tokens = tile.position;
    const Mask mask(a, rows, first_packed, max(1, min(16, tile.rows * a.group - first_packed)));
    StageSoftmax<S> state;
    queries.take(a, shared, query, warp, state.row_scale);
    int token = tile.first_slab * kSlabTokens;
    float correction[2];
#pragma unroll
    for (int i = 0; i < kOut; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) out[i][j] = 0.0F;
    }

    // The first stage's scores.
    wait_for(shared.template full<Of::kKeys>(stage.slot), stage.parity);
    wgmma::pin(s);
    wgmma::fence();
    queries.score(s, keys_of(stage.slot));
    wgmma::end();
    wgmma::wait_for_all_but<0>();
    wgmma::pin(s);
    if (!S::kCodes) release(kOfKeys, stage.slot);
    state.weigh(a, mask, shared.scales(stage.slot), token, s, correction);
    if (S::kCodes) release(kOfKeys, stage.slot);
    pack_weights<typename S::Operand>(p, s);
    stage.step();

    for (int slabs = tile.slabs - S::kSlabs; slabs > 0; slabs -= S::kSlabs) {
      token += S::kTokens;
      wait_for(shared.template full<Of::kKeys>(stage.slot), stage.parity);
      sync_at(kTurnBarriers + group, 256);
      wgmma::pin(s);
      wgmma::pin(p);
      wgmma::pin(out);
      wgmma::fence();
      queries.score(s, keys_of(stage.slot));
      wgmma::end();
      wait_for(shared.template full<Of::kValues>(finished.slot), finished.parity);
      wgmma::fence();
      add_values<S>(out, p, values_of(finished.slot));
      wgmma::end();
      arrive_at(kTurnBarriers + next_group, 256);
      wgmma::wait_for_all_but<1>();
      wgmma::pin(s);
      if (!S::kCodes) release(kOfKeys, stage.slot);
      const bool changed = state.weigh(a, mask, shared.scales(stage.slot), token, s, correction);
      if (S::kCodes) release(kOfKeys, stage.slot);
      wgmma::wait_for_all_but<0>();
      wgmma::pin(out);
      wgmma::pin(p);
      release(kOfValues, finished.slot);
      if (changed) {
#pragma unroll
        for (int i = 0; i < kOut; ++i) {
#pragma unroll
          for (int j = 0; j < 4; ++j) out[i][j] *= correction[j / 2];
        }
      }
      pack_weights<typename S::Operand>(p, s);
      stage.step();
      finished.step();
    }
    queries.done(shared);

    // The last stage's values.
    wait_for(shared.template full<Of::kValues>(finished.slot), finished.parity);
    if (!S::kCodes && tile.token_end % kSlabTokens != 0) {
      clear_values<S>(shared.values(finished.slot), tile.token_end - token, group);
    }
    wgmma::pin(p);
    wgmma::pin(out);
    wgmma::fence();
    add_values<S>(out, p, values_of(finished.slot));
    wgmma::end();
    state.softmax.add_up();
    wgmma::wait_for_all_but<0>();
    wgmma::pin(out);
    release(kOfValues, finished.slot);
    finished.step();
    write_rows<S>(a, tile, first_packed, out, state.softmax.sum);
  }
}

#endif

}  // namespace hangar::cuda::attend::hopper
