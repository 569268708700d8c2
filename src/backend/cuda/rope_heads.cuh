// What rotation's kernels share: their arguments, a head's place, and how it goes to the cache.
//
// Promise: place_of() and head_of() say where a row's head lies and where it goes; turn() rotates a
//   pair; store_cached() puts elements where kv_layer.h has them, in FP8 by the head's RowScale.
// Threads: device functions.
#pragma once

#include "backend/cuda/e4m3.cuh"
#include "backend/cuda/element_io.cuh"
#include "backend/cuda/rope.h"

namespace hangar::cuda::rotation {

// q_heads of q are turned; kv_heads of k are turned and stored, of v stored.
struct Arguments {
  void* q;
  void* k;
  void* v;  // not written
  std::int64_t q_stride;
  std::int64_t k_stride;
  std::int64_t v_stride;
  std::int32_t q_heads;
  std::int32_t kv_heads;
  std::int32_t head_dim;
  std::int32_t head_threads;  // of rope_vectors, side by side
  bool few;                   // rows: one to a block
  std::int64_t rows;
  const std::int32_t* positions;
  RopeAngles angles;
  KvLayer layer;
  const std::int32_t* row_sequence;
  const RaggedBatch::Sequence* sequences;
  const std::int32_t* block_tables;
};

// Where one row's head is, and where it goes: to the cache as well, unless cached is nullptr.
template <typename T>
struct Head {
  const T* from = nullptr;
  T* back = nullptr;            // nullptr: is not written back
  std::byte* cached = nullptr;  // the head's block
};

// Whole turns are taken off in double: sinf's own way of large angles is slow and needs a stack.
__device__ inline void sine_and_cosine(const RopeAngles& angles, std::int32_t position,
                                       std::int32_t pair, float& sine, float& cosine) {
  const float angle = static_cast<float>(position) * __ldg(angles.inverse_frequency + pair);
  constexpr double kTurnsPerRadian = 0.15915494309189533577;
  const double turns = static_cast<double>(angle) * kTurnsPerRadian;
  sincospif(static_cast<float>(2.0 * (turns - rint(turns))), &sine, &cosine);
  sine *= angles.magnitude;
  cosine *= angles.magnitude;
}

__device__ inline void turn(float& a, float& b, float sine, float cosine) {
  const float first = a * cosine - b * sine;
  b = a * sine + b * cosine;
  a = first;
}

// Magnitudes compare as their bits do, and what is not finite comes last.
__device__ inline std::uint32_t magnitude(float x) {
  return __float_as_uint(x) & 0x7FFFFFFFU;
}

// Of a head's row in FP8, as KvType says.
struct RowScale {
  float scale = 1.0F;
  float inverse = 1.0F;

  RowScale() = default;
  __device__ explicit RowScale(std::uint32_t largest) {
    constexpr std::uint32_t kInfinity = 0x7F800000U;
    constexpr std::uint32_t kNan = 0x7FC00000U;
    scale = fmaxf(__uint_as_float(largest) / kFloat8E4m3Largest, kFp8LeastScale);
    if (largest >= kInfinity) scale = __uint_as_float(kNan);
    inverse = 1.0F / scale;
  }
};

template <int kWidth>
__device__ inline void store_cached(const KvLayer& layer, const RowScale& row, std::byte* block,
                                    std::int32_t slot, std::int32_t d,
                                    const float (&values)[kWidth]) {
  if (layer.type == KvType::kFp8) {
    std::byte* to = block + fp8_element(layer.head_dim, slot, d);
    if constexpr (kWidth == 1) {
      *to = static_cast<std::byte>(floats_to_e4m3(values[0] * row.inverse, 0.0F) & 0xFFU);
    } else {
      static_assert(kWidth == 8);
      std::uint32_t pairs[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        pairs[i] = floats_to_e4m3(values[2 * i] * row.inverse, values[2 * i + 1] * row.inverse);
      }
      *reinterpret_cast<uint2*>(to) =
          make_uint2(pairs[0] | (pairs[1] << 16U), pairs[2] | (pairs[3] << 16U));
    }
    return;
  }
  auto* to = reinterpret_cast<std::uint16_t*>(block) + kv_element(layer.head_dim, slot, d);
  if (layer.type == KvType::kF16) {
    store<kWidth>(reinterpret_cast<__half*>(to), values);
  } else {
    store<kWidth>(reinterpret_cast<__nv_bfloat16*>(to), values);
  }
}
__device__ inline void store_scale(const KvLayer& layer, const RowScale& row, std::byte* block,
                                   std::int32_t slot) {
  *reinterpret_cast<float*>(block + fp8_scale(layer.head_dim, slot)) = row.scale;
}

// Where a row's keys and values go in the cache.
struct Place {
  std::int64_t block;
  std::int32_t slot;
};

__device__ inline Place place_of(const Arguments& a, std::int64_t row, std::int32_t position) {
  const std::int32_t tokens = a.layer.block_tokens;
  const std::int32_t first = a.sequences[a.row_sequence[row]].first_block;
  return {a.block_tables[first + position / tokens], position % tokens};
}

// Heads are numbered: q's, k's, v's.
template <typename T>
__device__ inline T* source_of(const Arguments& a, std::int64_t row, std::int32_t head) {
  const std::int32_t key = head - a.q_heads;
  if (key < 0) return static_cast<T*>(a.q) + row * a.q_stride + head * a.head_dim;
  const std::int32_t value = key - a.kv_heads;
  if (value < 0) return static_cast<T*>(a.k) + row * a.k_stride + key * a.head_dim;
  return static_cast<T*>(a.v) + row * a.v_stride + value * a.head_dim;
}

template <typename T>
__device__ inline Head<T> head_of(const Arguments& a, std::int64_t row, std::int32_t head,
                                  const Place& place) {
  T* from = source_of<T>(a, row, head);
  const std::int32_t kv_head = head - a.q_heads;
  if (kv_head < 0) return {from, from, nullptr};
  const bool is_key = kv_head < a.kv_heads;
  const std::int32_t index = is_key ? kv_head : kv_head - a.kv_heads;
  const std::int64_t at = (place.block * a.layer.block_stride() + index * a.layer.head_stride()) *
                          a.layer.element_bytes();
  if (is_key) return {from, from, static_cast<std::byte*>(a.layer.keys) + at};
  return {from, nullptr, static_cast<std::byte*>(a.layer.values) + at};
}

}  // namespace hangar::cuda::rotation
