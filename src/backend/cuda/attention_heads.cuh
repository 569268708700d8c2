// A warp's few query rows, up to 8, on their way through keys and values: as attention_state.cuh,
// the other way round.
//
// Promise: a tile's rows are the columns of the matrix instructions, and tokens the rows of the
//   scores, dims those of the results: half as many instructions and registers as by rows, of which
//   most would be empty where a token's few query heads are all there is.
// Fragments (lane l, g = l / 4, t = l % 4): scores s[c + 2 h] are of token g + 8 h and tile row
//   2t + c; results out[i][c + 2 h] of row 2t + c, dim 16 i + g + 8 h, of FP8 16 i + 2 g + h.
//   Queries q[step] are row g's, of the dims that CodeSlabs and ElementSlabs say.
// Threads: all lanes of a warp together.
#pragma once

#include <cstdint>

#include "backend/cuda/attention_slabs.cuh"
#include "backend/cuda/attention_state.cuh"
#include "backend/cuda/attention_tiles.cuh"

namespace hangar::cuda::attend {

template <typename T, int kDim>
struct ElementColumns {
  static constexpr bool kScaled = false;
  using Operand = T;
  std::uint32_t keys;
  std::uint32_t values;

  // d(step, a) is given the keys' fragment of dims 16 step .. + 15.
  template <typename Do>
  __device__ __forceinline__ void each_key(const Do& d) const {
#pragma unroll
    for (int step = 0; step < kDim / 16; ++step) {
      std::uint32_t a[4];
      load_rows<kDim>(a, keys, step);
      d(step, a);
    }
  }
  // And here the values', across.
  template <typename Do>
  __device__ __forceinline__ void each_value(const Do& d) const {
    const int lane = threadIdx.x % 32;
    const int token = (lane & 7) + (lane >> 4) * 8;
#pragma unroll
    for (int step = 0; step < kDim / 16; ++step) {
      std::uint32_t a[4];
      const int chunk = 2 * step + ((lane >> 3) & 1);
      load_matrices_transposed(a,
                               values + token * kDim * 2 + kv_chunk(2 * kDim, token, chunk) * 16);
      d(step, a);
    }
  }
};

template <int kDim>
class CodeColumns {
 public:
  static constexpr bool kScaled = true;
  using Operand = __half;

  __device__ __forceinline__ CodeColumns(std::uint32_t keys, std::uint32_t values)
      : codes_(keys, values) {
    const std::uint32_t scales = kSlabTokens * kDim + threadIdx.x % 32 / 4 * 4;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      key_scales_[half] = load_float(keys + scales + 32 * half);
      value_scales_[half] = load_float(values + scales + 32 * half);
    }
  }
  // Of token g + 8 half.
  __device__ __forceinline__ float key_scale(int half) const { return key_scales_[half]; }
  __device__ __forceinline__ float value_log(int half) const {
    return logarithm(value_scales_[half]);
  }
  __device__ __forceinline__ float value_inverse(int half) const {
    return inverse(value_scales_[half]);
  }

  template <typename Do>
  __device__ __forceinline__ void each_key(const Do& d) const {
#pragma unroll
    for (int two = 0; two < kDim / 32; ++two) {
      std::uint32_t codes[4];
      codes_.load_keys(codes, two);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        std::uint32_t a[4];
        e4m3_to_halves(codes[2 * half], a[0], a[2]);
        e4m3_to_halves(codes[2 * half + 1], a[1], a[3]);
        d(2 * two + half, a);
      }
    }
  }
  template <typename Do>
  __device__ __forceinline__ void each_value(const Do& d) const {
#pragma unroll
    for (int two = 0; two < kDim / 32; ++two) {
      std::uint32_t codes[4];
      codes_.load_values(codes, two);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        std::uint32_t a[4];  // even dims, odd ones; of tokens 0 to 7, 8 to 15 (CodeSlabs::add())
        e4m3_to_halves(__byte_perm(codes[2 * half], 0, 0x3120), a[0], a[1]);
        e4m3_to_halves(__byte_perm(codes[2 * half + 1], 0, 0x3120), a[2], a[3]);
        d(2 * two + half, a);
      }
    }
  }

 private:
  __device__ static __forceinline__ float load_float(std::uint32_t address) {
    float value;
    asm volatile("ld.shared.f32 %0, [%1];" : "=f"(value) : "r"(address) : "memory");
    return value;
  }
  Codes<kDim> codes_;
  float key_scales_[2];
  float value_scales_[2];
};

template <int kDim>
struct ColumnState {
  float largest[2] = {kNone, kNone};  // of rows 2t, 2t + 1: score, before its factor
  float sum[2] = {0.0F, 0.0F};        // of the lane's own tokens
  float out[kDim / 16][4] = {};
  float row_scale[2] = {1.0F, 1.0F};  // as TileState's

  template <typename Columns>
  __device__ __forceinline__ void attend(const AttentionArguments& a, const Mask& mask,
                                         const std::uint32_t (&q)[kDim / 16][2],
                                         const Columns& slab, int token) {
    using T = typename Columns::Operand;
    float s[4];
    score<T>(s, q, slab);
    if (a.softcap > 0.0F) {
      const float factor = Columns::kScaled ? 1.0F : a.inner_scale;
#pragma unroll
      for (float& of : s) of = capped(a, of * factor);
    }
    if constexpr (Columns::kScaled) {
#pragma unroll
      for (int j = 0; j < 4; ++j) s[j] += slab.value_log(j / 2);
    }
    if (!mask.all(token, kSlabTokens)) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int at = token + static_cast<int>(threadIdx.x % 32 / 4) + j / 2 * 8;
        if (!mask.attends(j % 2, at)) s[j] = kNone;
      }
    }
    weigh(a, s, slab);
    const std::uint32_t low = transposed(pack<T>(s[0], s[1]));
    const std::uint32_t high = transposed(pack<T>(s[2], s[3]));
    slab.each_value([&](int step, const std::uint32_t(&v)[4]) { mma<T>(out[step], v, low, high); });
  }

  // The sums of all tokens, in each of a row's lanes.
  __device__ __forceinline__ void add_up() {
#pragma unroll
    for (float& of : sum) {
#pragma unroll
      for (int apart = 4; apart < 32; apart *= 2) of += __shfl_xor_sync(0xFFFFFFFFU, of, apart);
    }
  }

 private:
  template <typename T, typename Columns>
  __device__ __forceinline__ void score(float (&s)[4], const std::uint32_t (&q)[kDim / 16][2],
                                        const Columns& slab) const {
    float parts[2][4] = {};  // two chains of products: each waits for its own
    slab.each_key([&](int step, const std::uint32_t(&k)[4]) {
      mma<T>(parts[step % 2], k, q[step][0], q[step][1]);
    });
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      s[j] = parts[0][j] + parts[1][j];
      if constexpr (Columns::kScaled) s[j] *= row_scale[j % 2] * slab.key_scale(j / 2);
    }
  }
  // Scores become weights (Softmax::weigh()).
  template <typename Columns>
  __device__ __forceinline__ void weigh(const AttentionArguments& a, float (&s)[4],
                                        const Columns& slab) {
    const float factor = Columns::kScaled ? 1.0F : score_factor<typename Columns::Operand>(a);
    constexpr float kLift = Columns::kScaled ? 15.0F : 0.0F;
    float most[2];
    float reference[2];
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      most[row] = fmaxf(largest[row], fmaxf(s[row], s[2 + row]));
#pragma unroll
      for (int apart = 4; apart < 32; apart *= 2) {
        most[row] = fmaxf(most[row], __shfl_xor_sync(0xFFFFFFFFU, most[row], apart));
      }
      reference[row] = reference_of(most[row]);
    }
    if (__any_sync(0xFFFFFFFFU, most[0] != largest[0] || most[1] != largest[1])) {
#pragma unroll
      for (int row = 0; row < 2; ++row) {
        const float correction = power_of_2((largest[row] - reference[row]) * factor);
        largest[row] = most[row];
        sum[row] *= correction;
#pragma unroll
        for (int i = 0; i < kDim / 16; ++i) {
          out[i][row] *= correction;
          out[i][2 + row] *= correction;
        }
      }
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      s[j] = power_of_2(__fmaf_rn(s[j], factor, kLift - reference[j % 2] * factor));
      if constexpr (Columns::kScaled) {
        sum[j % 2] += s[j] * slab.value_inverse(j / 2);
      } else {
        sum[j % 2] += s[j];
      }
    }
  }
};

}  // namespace hangar::cuda::attend
