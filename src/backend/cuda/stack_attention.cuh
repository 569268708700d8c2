// Attention of one row in a stack: 16 blocks share a KV head's context, each its own tokens.
//
// Promise: Attention::hear() takes a head's q, k and v as their products gave them, norms and turns
//   them, keeps q for run() and writes k and v to the cache. run() tells 32 outputs of a query
//   head, unnormalized, with their weight, to each of the 16 blocks; combine() makes outputs of
//   what all 16 told. q and the softmax's weights are two numbers of T each, the second what the
//   first leaves: together about float32's 16 upper bits.
// Shapes: a warp takes blocks of 16 tokens, by itself, with a softmax of its own. Columns of its
//   products (mma.cuh) are query heads 0 to 3 and again 0 to 3, of the second numbers; rows are
//   tokens, then dims.
// Source: FlashAttention's running softmax; its split along the context.
// Threads: device functions, of all warps that multiply (combine(): of one).
#pragma once

#include <cstdint>

#include "backend/cuda/attention_tiles.cuh"
#include "backend/cuda/ordered_key.cuh"
#include "backend/cuda/rope_heads.cuh"
#include "backend/cuda/stack_ring.cuh"
#include "backend/cuda/stack_words.cuh"
#include "backend/cuda/warp.cuh"

namespace hangar::cuda::stack {

#if __CUDA_ARCH__ >= 900

__device__ __forceinline__ void sync_multipliers() {
  asm volatile("bar.sync 1, %0;" ::"n"(kMultipliers) : "memory");
}

// Two floats as two of T, and what that leaves of them.
template <typename T>
__device__ __forceinline__ void split(float a, float b, std::uint32_t& first,
                                      std::uint32_t& second) {
  first = attend::pack<T>(a, b);
  const float2 kept = attend::floats_of(first, std::is_same_v<T, __half>);
  second = attend::pack<T>(a - kept.x, b - kept.y);
}
__device__ __forceinline__ float warp_largest(float value) {
  return value_of_key(__reduce_max_sync(~0U, key_of(value)));
}

template <typename T>
class Attention {
 public:
  __device__ __forceinline__ Attention(const StackArguments& a, const StackMemory& at,
                                       std::byte* memory, const Context& context, int warp,
                                       int lane)
      : a_(a),
        at_(at),
        memory_(memory),
        position_(context.position),
        warp_(warp),
        lane_(lane),
        head_(static_cast<int>(blockIdx.x) / kSources),
        rank_(static_cast<int>(blockIdx.x) % kSources) {
    const int blocks = context.blocks();
    count_ = (blocks - rank_ + kSources - 1) / kSources;  // of no block: 0
    last_ = (blocks - 1) % kSources == rank_ ? count_ - 1 : -1;
    own_block_ = context.table[blocks - 1];
  }

  // Sines and cosines of the row's position: by 64 threads, before the first hear().
  __device__ __forceinline__ void find_angles(int thread) const {
    if (thread >= kStackHeadDim / 2) return;
    float2 both;
    rotation::sine_and_cosine(a_.angles, position_, thread, both.x, both.y);
    angles()[thread] = both;
  }

  // A warp a vector: four dims a lane. The block meets before run().
  __device__ __forceinline__ void hear(const uint4* words, std::uint32_t flag, int layer) const {
    if (warp_ >= kVectors) return;
    const StackLayer& l = a_.layers[layer];
    const float* const norm = warp_ < kStackGroup    ? l.q_norm
                              : warp_ == kStackGroup ? l.k_norm
                                                     : nullptr;
    float4 by{};
    if (norm != nullptr) by = *reinterpret_cast<const float4*>(norm + 4 * lane_);
    const uint4* const from = words + (head_ * kVectors + warp_) * 32 + lane_;
    until<4>(lane_, flag, from);
    uint4 word = get_word(from);
    complete(word, from, flag);
    float x[4];
    open_four(word, x);
    if (norm != nullptr) {
      const float squares = warp_sum(x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3]);
      const float factor = rsqrtf(squares / kStackHeadDim + a_.eps);
      x[0] *= factor * by.x;
      x[1] *= factor * by.y;
      x[2] *= factor * by.z;
      x[3] *= factor * by.w;
    }
    if (warp_ <= kStackGroup) turn(x);
    if (warp_ < kStackGroup) {
      keep_query(x);
    } else {
      keep_own(x, warp_ == kStackGroup ? kOwnKey : kOwnValue,
               static_cast<std::byte*>(warp_ == kStackGroup ? a_.kv.keys : a_.kv.values) +
                   layer * a_.kv_layer_bytes);
    }
  }

  __device__ __forceinline__ void run(Ring& ring, uint4* parts, std::uint32_t flag) const {
    const int active = min(kWarps, count_);  // so many warps have tokens
    std::uint32_t q[16];
    State state;
    if (warp_ < active) load_queries(q);
    for (int i = 0; i < count_; i += 2) {
      wait_for(ring.full(), ring.parity);
      const int mine = i + warp_ % 2;
      if (i / 2 % (kWarps / 2) == warp_ / 2 && mine < count_) {
        add(state, q,
            shared_address(memory_ + at_.ring) + ring.at * kSlotBytes +
                warp_ % 2 * kTokenBlockBytes,
            mine == last_);
      }
      __syncwarp();
      arrive_warp(ring.empty());
      ring.step();
    }
    if (warp_ < active) keep(state);
    sync_multipliers();
    tell(active, parts, flag);
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
    const float factor = most == attend::kNone ? 0.0F : attend::power_of_2(most - largest);
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
  static constexpr int kVectors = kStackGroup + 2;
  static constexpr int kRowBytes = 2 * kStackHeadDim;  // of a token in a slab
  // In the room of heads: rows of q as in a slab, then the row's own key and value.
  static constexpr int kOwnKey = 2 * kStackGroup * kRowBytes;
  static constexpr int kOwnValue = kOwnKey + kRowBytes;
  static constexpr int kTiles = kStackHeadDim / 16;

  // Of a warp's tokens so far; of the heads that the lane's columns are.
  struct State {
    float most[2] = {attend::kNone, attend::kNone};
    float weight[2] = {};  // of the lane's tokens
    float out[kTiles][4] = {};
  };

  __device__ __forceinline__ float* floats(int at) const {
    return reinterpret_cast<float*>(memory_ + at);
  }
  __device__ __forceinline__ float2* angles() const {
    return reinterpret_cast<float2*>(memory_ + at_.angles);
  }

  // --- q, k and v
  __device__ __forceinline__ void turn(float (&x)[4]) const {
    if (a_.angles.interleaved) {
      const float2 one = angles()[2 * lane_];
      const float2 other = angles()[2 * lane_ + 1];
      rotation::turn(x[0], x[1], one.x, one.y);
      rotation::turn(x[2], x[3], other.x, other.y);
      return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float2 angle = angles()[lane_ % 16 * 4 + i];
      const float theirs = __shfl_xor_sync(~0U, x[i], 16);  // 64 dims on
      float first = lane_ < 16 ? x[i] : theirs;
      float second = lane_ < 16 ? theirs : x[i];
      rotation::turn(first, second, angle.x, angle.y);
      x[i] = lane_ < 16 ? first : second;
    }
  }
  __device__ __forceinline__ void keep_query(const float (&x)[4]) const {
    constexpr float kLog2E = 1.44269504F;
    const float by = a_.scale * kLog2E;
    uint2 first;
    uint2 second;
    split<T>(x[0] * by, x[1] * by, first.x, second.x);
    split<T>(x[2] * by, x[3] * by, first.y, second.y);
    const int other = warp_ + kStackGroup;
    std::byte* const rows = memory_ + at_.heads;
    *reinterpret_cast<uint2*>(rows + place_of(warp_)) = first;
    *reinterpret_cast<uint2*>(rows + place_of(other)) = second;
  }
  // The lane's four dims of a row that is permuted as in a slab.
  __device__ __forceinline__ int place_of(int row) const {
    return row * kRowBytes + kv_chunk(kRowBytes, row, lane_ / 2) * 16 + lane_ % 2 * 8;
  }
  __device__ __forceinline__ void keep_own(const float (&x)[4], int at, std::byte* cache) const {
    if (last_ < 0) return;
    const uint2 both{attend::pack<T>(x[0], x[1]), attend::pack<T>(x[2], x[3])};
    *reinterpret_cast<uint2*>(memory_ + at_.heads + at + lane_ * 8) = both;
    const std::int64_t block =
        (own_block_ * a_.kv.block_stride() + head_ * a_.kv.head_stride()) * a_.kv.element_bytes();
    *reinterpret_cast<uint2*>(cache + block + place_of(position_ % kTokens)) = both;
  }

  // --- a warp's tokens
  __device__ __forceinline__ void load_queries(std::uint32_t (&q)[16]) const {
    const int row = lane_ % 8;
    const std::uint32_t rows = shared_address(memory_ + at_.heads) + row * kRowBytes;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      std::uint32_t four[4];
      attend::load_matrices(four, rows + kv_chunk(kRowBytes, row, 4 * i + lane_ / 8) * 16);
#pragma unroll
      for (int k = 0; k < 4; ++k) q[4 * i + k] = four[k];
    }
  }
  // What came of the row's own place, and behind it, is not the row's: its value may be anything,
  // a NaN too.
  __device__ __forceinline__ void take_own(std::uint32_t keys) const {
    std::byte* const slab = memory_ + (keys - shared_address(memory_));
    const int own = position_ % kTokens;
    const int chunk = lane_ % 16;
    const bool value = lane_ >= 16;
    std::byte* const values = slab + 2 * kTokenBlockBytes;
    *reinterpret_cast<uint4*>((value ? values : slab) + own * kRowBytes +
                              kv_chunk(kRowBytes, own, chunk) * 16) =
        *reinterpret_cast<const uint4*>(memory_ + at_.heads + (value ? kOwnValue : kOwnKey) +
                                        chunk * 16);
    for (int i = (own + 1) * (kRowBytes / 16) + lane_; i < kTokenBlockBytes / 16; i += 32) {
      reinterpret_cast<uint4*>(values)[i] = {};
    }
    __syncwarp();
  }
  // 16 tokens: their keys, and two slabs on their values.
  __device__ __forceinline__ void add(State& state, const std::uint32_t (&q)[16],
                                      std::uint32_t keys, bool last) const {
    if (last) take_own(keys);
    float products[2][4] = {};
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      std::uint32_t rows[4];
      attend::load_rows<kStackHeadDim>(rows, keys, i);
      mma<T>(products[i % 2], rows, q[2 * i], q[2 * i + 1]);
    }
    float p[4];  // of tokens lane / 4 and 8 on, by two heads
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      p[i] = products[0][i] + products[1][i];
      p[i] += __shfl_xor_sync(~0U, p[i], 2);
      if (last && lane_ / 4 + i / 2 * 8 > position_ % kTokens) p[i] = attend::kNone;
    }
    float again[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float most = fmaxf(p[i], p[2 + i]);
#pragma unroll
      for (int offset = 4; offset < 32; offset *= 2) {
        most = fmaxf(most, __shfl_xor_sync(~0U, most, offset));
      }
      most = fmaxf(most, state.most[i]);
      again[i] = attend::power_of_2(state.most[i] - most);
      p[i] = attend::power_of_2(p[i] - most);
      p[2 + i] = attend::power_of_2(p[2 + i] - most);
      state.most[i] = most;
      state.weight[i] = state.weight[i] * again[i] + (p[i] + p[2 + i]);
    }
    std::uint32_t first[2];
    std::uint32_t second[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      split<T>(p[2 * i], p[2 * i + 1], first[i], second[i]);
      first[i] = transposed(lane_ % 4 < 2 ? first[i] : second[i]);
    }
    const int token = lane_ % 8 + lane_ / 16 * 8;
    const std::uint32_t values = keys + 2 * kTokenBlockBytes + token * kRowBytes;
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      float(&out)[4] = state.out[i];
#pragma unroll
      for (int k = 0; k < 4; ++k) out[k] *= again[k % 2];
      std::uint32_t dims[4];
      attend::load_matrices_transposed(
          dims, values + kv_chunk(kRowBytes, token, 2 * i + lane_ / 8 % 2) * 16);
      mma<T>(out, dims, first[0], first[1]);
    }
    if (last) fence_copies();  // what take_own() wrote, before the copy that comes there next
  }

  // --- a block's tokens
  // Of a warp and head: dims, from 64 on 16 floats on, so that lanes are in different banks.
  __device__ __forceinline__ float* part_of(int warp, int head) const {
    return floats(at_.sums) + (warp * kStackGroup + head) * kPartRow;
  }
  __device__ __forceinline__ float2* weight_of(int warp, int head) const {
    return reinterpret_cast<float2*>(part_of(kWarps, 0)) + warp * kStackGroup + head;
  }
  __device__ __forceinline__ void keep(State& state) const {
    const int column = lane_ % 4;
    const bool upper = column >= 2;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
#pragma unroll
      for (int offset = 4; offset < 32; offset *= 2) {
        state.weight[i] += __shfl_xor_sync(~0U, state.weight[i], offset);
      }
      const int head = column % 2 * 2 + i;
      if (lane_ < 2) *weight_of(warp_, head) = {state.most[i], state.weight[i]};
      float* const to = part_of(warp_, head) + lane_ / 4 + (upper ? kStackHeadDim / 2 + 16 : 0);
#pragma unroll
      for (int tile = 0; tile < kTiles / 2; ++tile) {
#pragma unroll
        for (int k = i; k < 4; k += 2) {
          const float low = state.out[tile][k];
          const float high = state.out[tile + kTiles / 2][k];
          const float theirs = __shfl_xor_sync(~0U, upper ? low : high, 2);
          to[16 * tile + k / 2 * 8] = (upper ? high : low) + theirs;
        }
      }
    }
  }
  // 32 dims of a query head, to the block that makes them.
  __device__ __forceinline__ void tell(int active, uint4* parts, std::uint32_t flag) const {
    const int head = warp_ / 4;
    const float2 one = lane_ < active ? *weight_of(lane_, head) : float2{attend::kNone, 0.0F};
    const float most = warp_largest(one.x);
    const float factor = one.x == attend::kNone ? 0.0F : attend::power_of_2(one.x - most);
    const float weight = warp_sum(one.y * factor);
    const int dim = warp_ % 4 * 32 + lane_ + warp_ % 4 / 2 * 16;
    float out = 0.0F;
    for (int i = 0; i < active; ++i) out += __shfl_sync(~0U, factor, i) * part_of(i, head)[dim];
    uint4* const to = parts + ((head_ * kSources + warp_) * kSources + rank_) * kPartWords;
    say_rows(to, out, lane_, 8, flag);
    if (lane_ == 8) put_word(to + 8, __float_as_uint(most), __float_as_uint(weight), 0, flag);
  }

  const StackArguments& a_;
  const StackMemory& at_;
  std::byte* memory_;
  int position_;
  int warp_;
  int lane_;
  int head_;
  int rank_;
  int count_;  // blocks of 16 tokens that are the block's
  int last_;   // that with the row's own place, if it is among them
  std::int64_t own_block_;
};

#endif

}  // namespace hangar::cuda::stack
