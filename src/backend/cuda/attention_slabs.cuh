// Keys and values in shared memory, as a warp multiplies by them.
//
// Promise: score() adds q k^T: tile i of s has the columns of tokens 8 i to 8 i + 7; add() adds
//   p v of 16 tokens. ElementSlabs are of 16 bits. CodeSlabs are FP8 as cached, which becomes
//   halves on its way into the products, each of a lane's words in one piece: 4 codes of a row are
//   its dims 4t .. 4t + 3 of 16, so that the queries' fragments are of these dims too (pairs 4t and
//   4t + 2 where m16n8k16 has 2t and 2t + 8), and of the results columns 2t and 2t + 1 of tile 2i
//   are dims 16 i + 4t and + 2, of tile 2i + 1 dims + 1 and + 3. UnpackedSlabs are FP8 that others
//   made halves of.
// Scales: where kScaled, key_scales() and its kin give what belongs to columns 2t, 2t + 1 of a
//   tile: the key's scale, the logarithm (to 2) of the value's scale, and its inverse.
// Threads: all lanes of a warp together.
#pragma once

#include <cstdint>

#include "backend/cuda/attention_tiles.cuh"
#include "backend/cuda/e4m3.cuh"

namespace hangar::cuda::attend {

__device__ __forceinline__ float2 load_pair(std::uint32_t address) {
  float2 pair;
  asm volatile("ld.shared.v2.f32 {%0,%1}, [%2];"
               : "=f"(pair.x), "=f"(pair.y)
               : "r"(address)
               : "memory");
  return pair;
}
__device__ __forceinline__ float logarithm(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ float inverse(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// Slabs lie one behind the other.
template <typename T, int kDim>
struct ElementSlabs {
  static constexpr bool kScaled = false;
  using Operand = T;
  std::uint32_t keys;
  std::uint32_t values;

  template <int kTiles, typename Query>
  __device__ __forceinline__ void score(float (&s)[kTiles][4], const Query& query) const {
#pragma unroll
    for (int step = 0; step < kDim / 16; ++step) {
      std::uint32_t q[4];
      query(q, step);
#pragma unroll
      for (int slab = 0; slab < kTiles / 2; ++slab) {
        std::uint32_t k[4];
        load_keys(k, slab, step);
        mma<T>(s[2 * slab], q, k[0], k[1]);
        mma<T>(s[2 * slab + 1], q, k[2], k[3]);
      }
    }
  }
  __device__ __forceinline__ void add(float (&out)[kDim / 8][4], const std::uint32_t (&p)[4],
                                      int slab) const {
#pragma unroll
    for (int step = 0; step < kDim / 16; ++step) {
      std::uint32_t v[4];
      load_values(v, slab, step);
      mma<T>(out[2 * step], p, v[0], v[1]);
      mma<T>(out[2 * step + 1], p, v[2], v[3]);
    }
  }

 private:
  static constexpr int kBytes = kSlabTokens * kDim * 2;
  // b0, b1 of tokens 0 to 7, then of tokens 8 to 15, for dims 16 step .. + 15.
  __device__ __forceinline__ void load_keys(std::uint32_t (&m)[4], int slab, int step) const {
    const int lane = threadIdx.x % 32;
    const int token = (lane & 7) + (lane >> 4) * 8;
    const int chunk = 2 * step + ((lane >> 3) & 1);
    load_matrices(m,
                  keys + slab * kBytes + token * kDim * 2 + kv_chunk(2 * kDim, token, chunk) * 16);
  }
  // b0, b1 of dims 16 step .. + 7, then of the next 8, for all tokens.
  __device__ __forceinline__ void load_values(std::uint32_t (&m)[4], int slab, int step) const {
    const int lane = threadIdx.x % 32;
    const int token = (lane & 7) + ((lane >> 3) & 1) * 8;
    const int chunk = 2 * step + (lane >> 4);
    load_matrices_transposed(
        m, values + slab * kBytes + token * kDim * 2 + kv_chunk(2 * kDim, token, chunk) * 16);
  }
};

// The words of a slab's codes, keys and values, that a lane has.
template <int kDim>
class Codes {
 public:
  __device__ __forceinline__ Codes(std::uint32_t keys, std::uint32_t values)
      : keys_(keys), values_(values) {
    const int lane = threadIdx.x % 32;
    const int token = (lane & 7) + ((lane >> 3) & 1) * 8;
    first_ = token * kDim + kv_chunk(kDim, token, lane >> 4) * 16;
  }
  // Of dims 32 two .. + 31: tokens 0 to 7, 8 to 15 of the first 16 dims; the same of the next.
  __device__ __forceinline__ void load_keys(std::uint32_t (&codes)[4], int two) const {
    load_matrices(codes, keys_ + at(two));
  }
  // The same transposed by pairs of codes: of tokens 2t and 2t + 1, dims 2g and 2g + 1 of each.
  __device__ __forceinline__ void load_values(std::uint32_t (&codes)[4], int two) const {
    load_matrices_transposed(codes, values_ + at(two));
  }

 private:
  // The lane's row of the matrices: chunks differ in bits that the permutation only flips, or
  // leaves alone.
  __device__ __forceinline__ std::uint32_t at(int two) const {
    return kDim % 64 == 0 ? first_ ^ (two * 32U) : first_ + two * 32U;
  }

  std::uint32_t keys_;
  std::uint32_t values_;
  std::uint32_t first_;
};

// One slab.
template <int kDim>
class CodeSlabs {
 public:
  static constexpr bool kScaled = true;
  using Operand = __half;

  __device__ __forceinline__ CodeSlabs(std::uint32_t keys, std::uint32_t values)
      : codes_(keys, values) {
    const int lane = threadIdx.x % 32;
    const int scales = kSlabTokens * kDim + lane % 4 * 8;
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
      key_scales_[tile] = load_pair(keys + scales + tile * 32);
      value_scales_[tile] = load_pair(values + scales + tile * 32);
    }
  }

  __device__ __forceinline__ float2 key_scales(int tile) const { return key_scales_[tile]; }
  __device__ __forceinline__ float2 value_logs(int tile) const {
    return make_float2(logarithm(value_scales_[tile].x), logarithm(value_scales_[tile].y));
  }
  __device__ __forceinline__ float2 value_inverses(int tile) const {
    return make_float2(inverse(value_scales_[tile].x), inverse(value_scales_[tile].y));
  }

  template <typename Query>
  __device__ __forceinline__ void score(float (&s)[2][4], const Query& query) const {
#pragma unroll
    for (int two = 0; two < kDim / 32; ++two) {
      std::uint32_t codes[4];
      codes_.load_keys(codes, two);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        std::uint32_t q[4];
        query(q, 2 * two + half);
#pragma unroll
        for (int tile = 0; tile < 2; ++tile) {
          std::uint32_t b0;
          std::uint32_t b1;
          e4m3_to_halves(codes[2 * half + tile], b0, b1);
          mma<Operand>(s[tile], q, b0, b1);
        }
      }
    }
  }
  __device__ __forceinline__ void add(float (&out)[kDim / 8][4], const std::uint32_t (&p)[4],
                                      int /*the one*/) const {
#pragma unroll
    for (int two = 0; two < kDim / 32; ++two) {
      std::uint32_t codes[4];
      codes_.load_values(codes, two);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        // Even dims come together, and odd ones.
        std::uint32_t even[2];
        std::uint32_t odd[2];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          e4m3_to_halves(__byte_perm(codes[2 * half + i], 0, 0x3120), even[i], odd[i]);
        }
        const int step = 2 * two + half;
        mma<Operand>(out[2 * step], p, even[0], even[1]);
        mma<Operand>(out[2 * step + 1], p, odd[0], odd[1]);
      }
    }
  }

 private:
  Codes<kDim> codes_;
  float2 key_scales_[2];
  float2 value_scales_[2];
};

// kSlabs slabs of FP8 as halves: keys, values, and then the scales, as floats.
template <int kDim, int kSlabs>
class UnpackedSlabs {
  static constexpr int kTokens = kSlabs * kSlabTokens;
  static constexpr int kTensorBytes = kTokens * kDim * 2;

 public:
  static constexpr bool kScaled = true;
  using Operand = __half;
  static constexpr int kBytes = 2 * kTensorBytes + 3 * kTokens * static_cast<int>(sizeof(float));

  // By a whole block: from slabs of keys, and behind them slabs of values, as they came.
  // there(slab) of a slab's tokens are attended to; of others values may be anything.
  template <int kThreads, typename There>
  __device__ static __forceinline__ void unpack(std::byte* to, const std::byte* from,
                                                const There& there) {
    constexpr int kPieces = kDim / 8;
    constexpr int kCodeBytes = kSlabBytes<__nv_fp8_e4m3, kDim>;
#pragma unroll 4
    for (int i = threadIdx.x; i < 2 * kTokens * kPieces; i += kThreads) {
      const int piece = i % kPieces;
      const int row = i / kPieces;
      const int slab = row / kSlabTokens;
      const int token = row % kSlabTokens;
      uint4 halves = make_uint4(0, 0, 0, 0);
      if (slab < kSlabs || token < there(slab - kSlabs)) {
        const uint2 codes =
            *reinterpret_cast<const uint2*>(from + slab * kCodeBytes + token * kDim +
                                            kv_chunk(kDim, token, piece / 2) * 16 + piece % 2 * 8);
        e4m3_to_halves(codes.x, halves.x, halves.y);
        e4m3_to_halves(codes.y, halves.z, halves.w);
      }
      *reinterpret_cast<uint4*>(to + row * kDim * 2 + kv_chunk(2 * kDim, token, piece) * 16) =
          halves;
    }
    auto* factors = reinterpret_cast<float*>(to + 2 * kTensorBytes);
    for (int i = threadIdx.x; i < kTokens; i += kThreads) {
      const int slab = i / kSlabTokens;
      const int token = i % kSlabTokens;
      const auto* key =
          reinterpret_cast<const float*>(from + slab * kCodeBytes + kSlabTokens * kDim + token * 4);
      const bool attended = token < there(slab);
      const float value = attended ? key[kSlabs * kCodeBytes / 4] : 1.0F;
      factors[i] = *key;
      factors[kTokens + i] = logarithm(value);
      factors[2 * kTokens + i] = inverse(value);
    }
  }

  __device__ explicit __forceinline__ UnpackedSlabs(std::uint32_t address)
      : slabs_{address, address + kTensorBytes},
        scales_(address + 2 * kTensorBytes + threadIdx.x % 4 * 8) {}

  __device__ __forceinline__ float2 key_scales(int tile) const {
    return load_pair(scales_ + tile * 32);
  }
  __device__ __forceinline__ float2 value_logs(int tile) const {
    return load_pair(scales_ + tile * 32 + kTokens * 4);
  }
  __device__ __forceinline__ float2 value_inverses(int tile) const {
    return load_pair(scales_ + tile * 32 + kTokens * 8);
  }
  template <int kTiles, typename Query>
  __device__ __forceinline__ void score(float (&s)[kTiles][4], const Query& query) const {
    slabs_.score(s, query);
  }
  __device__ __forceinline__ void add(float (&out)[kDim / 8][4], const std::uint32_t (&p)[4],
                                      int slab) const {
    slabs_.add(out, p, slab);
  }

 private:
  ElementSlabs<__half, kDim> slabs_;
  std::uint32_t scales_;
};

// A row of queries as halves: times a power of 2 by which no half of it is too large, and few too
// small. `largest` is the row's largest magnitude.
struct RowShift {
  float factor;
  float inverse;

  __device__ explicit __forceinline__ RowShift(float largest) {
    constexpr int kOffset = 127;
    constexpr int kMost = 14;  // the largest becomes 2^14 or more, but less than 2^15
    const int exponent = static_cast<int>(__float_as_uint(largest) >> 23U) - kOffset;
    const int shift = min(kMost - exponent, 120);
    factor = __int_as_float((kOffset + shift) << 23);
    inverse = __int_as_float((kOffset - shift) << 23);
  }
};

}  // namespace hangar::cuda::attend
