// Attention of one row in a stack: 16 blocks share a KV head's context, each its own tokens.
//
// Promise: Attention::run() takes a head's q, k and v, as products gave them, out of shared memory,
//   turns q and k, writes k and v to the cache, and tells 32 outputs of a query head, unnormalized,
//   with their weight, to each of the 16 blocks; combine() makes outputs of what all 16 told.
// Shapes: a warp scores token `warp` of each block of 16; then it has 32 dims of a query head, as
//   lanes 0 to 15 and again 16 to 31, of odd tokens.
// Source: FlashAttention's running softmax; its split along the context.
// Threads: device functions, of all warps that multiply (combine(): of one).
#pragma once

#include <cstdint>

#include "backend/cuda/ordered_key.cuh"
#include "backend/cuda/rope_heads.cuh"
#include "backend/cuda/stack_ring.cuh"
#include "backend/cuda/stack_words.cuh"

namespace hangar::cuda::stack {

#if __CUDA_ARCH__ >= 900

__device__ __forceinline__ void sync_multipliers() {
  asm volatile("bar.sync 1, %0;" ::"n"(kMultipliers) : "memory");
}

// Two elements of T as one word.
__device__ __forceinline__ float2 open_two(std::uint32_t bits, __nv_bfloat16 /*T*/) {
  return {__uint_as_float(bits << 16U), __uint_as_float(bits & 0xFFFF0000U)};
}
__device__ __forceinline__ float2 open_two(std::uint32_t bits, __half /*T*/) {
  return int4::pair_of(bits);
}
template <typename T>
__device__ __forceinline__ std::uint32_t close_two(float a, float b) {
  const T two[2] = {from_float<T>(a), from_float<T>(b)};
  std::uint32_t bits = 0;
  memcpy(&bits, two, sizeof(bits));
  return bits;
}

// Sums over a warp of kCount numbers, a power of 2: of number lane / (32 / kCount).
template <int kCount>
__device__ __forceinline__ float sums_of(float (&values)[kCount], int lane) {
  int offset = 16;
#pragma unroll
  for (int left = kCount; left > 1; left /= 2, offset /= 2) {
    const bool upper = (lane & offset) != 0;
#pragma unroll
    for (int i = 0; i < left / 2; ++i) {
      const float mine = upper ? values[i + left / 2] : values[i];
      const float theirs = upper ? values[i] : values[i + left / 2];
      values[i] = mine + __shfl_xor_sync(~0U, theirs, offset);
    }
  }
  float sum = values[0];
  for (; offset > 0; offset /= 2) sum += __shfl_xor_sync(~0U, sum, offset);
  return sum;
}
__device__ __forceinline__ float warp_largest(float value) {
  return value_of_key(__reduce_max_sync(~0U, key_of(value)));
}
__device__ __forceinline__ float power(float x) {  // 2^x
  float y = 0.0F;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

template <typename T>
class Attention {
 public:
  __device__ __forceinline__ Attention(const StackArguments& a, const StackMemory& at,
                                       std::byte* memory, const Context& context, int warp,
                                       int lane)
      : a_(a), at_(at), memory_(memory), context_(context), warp_(warp), lane_(lane) {}

  // Sines and cosines of the row's position: by 64 threads, before the first run().
  __device__ __forceinline__ void find_angles(int thread) const {
    if (thread >= kStackHeadDim / 2) return;
    float2 both;
    rotation::sine_and_cosine(a_.angles, context_.position, thread, both.x, both.y);
    angles()[thread] = both;
  }

  __device__ __forceinline__ void run(Ring& ring, int layer, uint4* parts,
                                      std::uint32_t flag) const {
    constexpr float kLog2E = 1.44269504F;
    const int head = static_cast<int>(blockIdx.x) / 16;
    const int rank = static_cast<int>(blockIdx.x) % 16;
    const int blocks = context_.blocks();
    float q[kStackGroup][4];
#pragma unroll
    for (int h = 0; h < kStackGroup; ++h) {
      turn(h, a_.layers[layer].q_norm, q[h]);
#pragma unroll
      for (float& x : q[h]) x *= a_.scale * kLog2E;
    }
    float most = -kInfinity;
    float weight = 0.0F;  // of the lane's tokens
    float out[2] = {};
    float* scores = floats(at_.scores);
    for (int b = rank; b < blocks; b += 32) {
      wait_for(ring.full(), ring.parity);
      const std::byte* const slot = memory_ + at_.ring + ring.at * kSlotBytes;
      score(q, slot, b, layer, head, scores);
      sync_multipliers();
      add(scores + warp_ / 4 * kChunk, slot, b, warp_ % 4, most, weight, out);
      __syncwarp();
      arrive_warp(ring.empty());
      ring.step();
      scores = scores == floats(at_.scores) ? scores + kStackGroup * kChunk : floats(at_.scores);
    }
    for (int offset = 16; offset > 0; offset /= 2) {
      weight += __shfl_xor_sync(~0U, weight, offset);
    }
#pragma unroll
    for (float& x : out) x += __shfl_xor_sync(~0U, x, 16);
    // To the block that makes the warp's outputs.
    uint4* const to = parts + ((head * 16 + warp_) * kSources + rank) * kPartWords;
    const int from = lane_ % 8 * 2;
    const float a = __shfl_sync(~0U, out[0], from);
    const float b = __shfl_sync(~0U, out[1], from);
    const float c = __shfl_sync(~0U, out[0], from + 1);
    const float d = __shfl_sync(~0U, out[1], from + 1);
    if (lane_ < 8) say_four(to + lane_, a, b, c, d, flag);
    if (lane_ == 8) {
      put_word(to + 8, __float_as_uint(most), __float_as_uint(weight), 0, flag);
    }
  }

  // One warp: output `lane` of the 32 that are the block's.
  __device__ __forceinline__ float combine(const uint4* parts, std::uint32_t flag) const {
    const uint4* const from = parts + static_cast<int>(blockIdx.x) * (kSources * kPartWords);
    float* const room = floats(at_.parts);
    const int source = lane_ / 2;
    const uint4* const numbers = from + kPartWords * source + 4 * (lane_ % 2);
    const uint4* const weights = from + kPartWords * source + 8;
    until<2>(lane_, flag, weights);
    uint4 words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) words[i] = get_word(numbers + i);
    uint4 last = get_word(weights);
#pragma unroll
    for (int i = 0; i < 4; ++i) complete(words[i], numbers + i, flag);
    complete(last, weights, flag);
    const float most = __uint_as_float(last.x);
    const float largest = warp_largest(most);
    const float factor = most == -kInfinity ? 0.0F : power(most - largest);
    float weight = __uint_as_float(last.y) * factor;
    for (int offset = 16; offset > 1; offset /= 2) weight += __shfl_xor_sync(~0U, weight, offset);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float four[4];
      open_four(words[i], four);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        room[source * kPartStride + 16 * (lane_ % 2) + 4 * i + k] = four[k] * factor;
      }
    }
    __syncwarp();
    float sum = 0.0F;
#pragma unroll
    for (int i = 0; i < kSources; ++i) sum += room[i * kPartStride + lane_];
    __syncwarp();
    return sum / weight;
  }

 private:
  static constexpr int kRowBytes = 2 * kStackHeadDim;  // of a token in a slab
  static constexpr float kInfinity = __builtin_huge_valf();

  __device__ __forceinline__ float* floats(int at) const {
    return reinterpret_cast<float*>(memory_ + at);
  }
  __device__ __forceinline__ float2* angles() const {
    return reinterpret_cast<float2*>(memory_ + at_.angles);
  }
  __device__ __forceinline__ void apply(const float* norm, float (&x)[4]) const {
    constexpr int kHalf = kStackHeadDim / 2;
    const float2 first = *reinterpret_cast<const float2*>(norm + 2 * lane_);
    const float2 second = *reinterpret_cast<const float2*>(norm + kHalf + 2 * lane_);
    float squares = x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3];
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
      squares += __shfl_xor_sync(~0U, squares, offset);
    }
    const float factor = rsqrtf(squares / kStackHeadDim + a_.eps);
    x[0] *= factor * first.x;
    x[1] *= factor * first.y;
    x[2] *= factor * second.x;
    x[3] *= factor * second.y;
  }
  // A lane's elements 2 lane, 2 lane + 1, and 64 further on, of one of the head's vectors, normed
  // where `norm` is given, and turned.
  __device__ __forceinline__ void turn(int vector, const float* norm, float (&x)[4]) const {
    const float* const from = floats(at_.heads) + vector * kStackHeadDim + 2 * lane_;
    const float2 first = *reinterpret_cast<const float2*>(from);
    const float2 second = *reinterpret_cast<const float2*>(from + kStackHeadDim / 2);
    x[0] = first.x, x[1] = first.y, x[2] = second.x, x[3] = second.y;
    if (norm != nullptr) apply(norm, x);
    if (a_.angles.interleaved) {
      const float2 one = angles()[lane_];
      const float2 other = angles()[lane_ + 32];
      rotation::turn(x[0], x[1], one.x, one.y);
      rotation::turn(x[2], x[3], other.x, other.y);
    } else {
      const float2 one = angles()[2 * lane_];
      const float2 other = angles()[2 * lane_ + 1];
      rotation::turn(x[0], x[2], one.x, one.y);
      rotation::turn(x[1], x[3], other.x, other.y);
    }
  }
  // Of a token's row of a slab: elements 2 lane and on; the other half's are 128 bytes on.
  __device__ __forceinline__ int word_at(int token) const {
    return token * kRowBytes + kv_chunk(kRowBytes, token, lane_ / 4) * 16 + lane_ % 4 * 4;
  }

  // The warp's tokens of blocks b and b + 16, by all query heads.
  __device__ __forceinline__ void score(const float (&q)[kStackGroup][4], const std::byte* slot,
                                        int b, int layer, int head, float* scores) const {
    float sums[2 * kStackGroup];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int token = (b + 16 * i) * kTokens + warp_;
      float k[4] = {};
      if (token < context_.position) {
        const std::byte* const at = slot + i * kTokenBlockBytes + word_at(warp_);
        const float2 first = open_two(*reinterpret_cast<const std::uint32_t*>(at), T());
        const float2 second = open_two(*reinterpret_cast<const std::uint32_t*>(at + 128), T());
        k[0] = first.x, k[1] = first.y, k[2] = second.x, k[3] = second.y;
      } else if (token == context_.position) {
        store_row(b + 16 * i, layer, head, k);
      }
#pragma unroll
      for (int h = 0; h < kStackGroup; ++h) {
        sums[i * kStackGroup + h] =
            q[h][0] * k[0] + q[h][1] * k[1] + q[h][2] * k[2] + q[h][3] * k[3];
      }
    }
    const float sum = sums_of(sums, lane_);
    constexpr int kLanes = 32 / (2 * kStackGroup);
    if (lane_ % kLanes != 0) return;
    const int i = lane_ / kLanes / kStackGroup;
    const bool attended = (b + 16 * i) * kTokens + warp_ <= context_.position;
    scores[lane_ / kLanes % kStackGroup * kChunk + i * kTokens + warp_] =
        attended ? sum : -kInfinity;
  }
  // The row's own key, turned, and value go to the cache; k: as it is there.
  __device__ __forceinline__ void store_row(int b, int layer, int head, float (&k)[4]) const {
    turn(kStackGroup, a_.layers[layer].k_norm, k);
    const std::uint32_t first = close_two<T>(k[0], k[1]);
    const std::uint32_t second = close_two<T>(k[2], k[3]);
    const float2 one = open_two(first, T());
    const float2 other = open_two(second, T());
    k[0] = one.x, k[1] = one.y, k[2] = other.x, k[3] = other.y;
    const std::int64_t at =
        layer * a_.kv_layer_bytes +
        (context_.table[b] * a_.kv.block_stride() + head * a_.kv.head_stride()) *
            a_.kv.element_bytes() +
        word_at(warp_);
    std::byte* const keys = static_cast<std::byte*>(a_.kv.keys) + at;
    std::byte* const values = static_cast<std::byte*>(a_.kv.values) + at;
    *reinterpret_cast<std::uint32_t*>(keys) = first;
    *reinterpret_cast<std::uint32_t*>(keys + 128) = second;
    const float* const v = floats(at_.heads) + (kStackGroup + 1) * kStackHeadDim + 2 * lane_;
    *reinterpret_cast<std::uint32_t*>(values) = close_two<T>(v[0], v[1]);
    *reinterpret_cast<std::uint32_t*>(values + 128) = close_two<T>(v[64], v[65]);
  }

  // 32 dims of a query head: what its tokens of blocks b and b + 16 add.
  __device__ __forceinline__ void add(const float* scores, const std::byte* slot, int b,
                                      int quarter, float& most, float& weight,
                                      float (&out)[2]) const {
    const float mine = scores[lane_];
    const float now = fmaxf(most, warp_largest(mine));
    const float again = power(most - now);
    const float share = power(mine - now);
    most = now;
    weight = weight * again + share;
    out[0] *= again;
    out[1] *= again;
    const int odd = lane_ / 16;
    const int dim = quarter * 32 + lane_ % 16 * 2;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int before = context_.position - (b + 16 * i) * kTokens;  // tokens of the block
      const std::byte* const values = slot + (2 + i) * kTokenBlockBytes;
#pragma unroll
      for (int pair = 0; pair < kTokens / 2; ++pair) {
        const int token = 2 * pair + odd;
        const float by = __shfl_sync(~0U, share, i * kTokens + token);
        if (token >= before) continue;
        const float2 v = open_two(*reinterpret_cast<const std::uint32_t*>(
                                      values + token * kRowBytes +
                                      kv_chunk(kRowBytes, token, dim / 8) * 16 + dim % 8 * 2),
                                  T());
        out[0] += by * v.x;
        out[1] += by * v.y;
      }
      if (before < 0 || before >= kTokens) continue;  // the row's own token
      const float by = __shfl_sync(~0U, share, i * kTokens + before);
      if (odd != 0) continue;
      const float* const v = floats(at_.heads) + (kStackGroup + 1) * kStackHeadDim + dim;
      out[0] += by * to_float(from_float<T>(v[0]));
      out[1] += by * to_float(from_float<T>(v[1]));
    }
  }

  const StackArguments& a_;
  const StackMemory& at_;
  std::byte* memory_;
  Context context_;
  int warp_;
  int lane_;
};

#endif

}  // namespace hangar::cuda::stack
