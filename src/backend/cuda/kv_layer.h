// KvLayer: where a kernel finds one layer's keys and values, and how they lie there.
//
// Promise: in 16 bits a block of one head is {block_tokens, head_dim}. In FP8 it is a slab pair for
//   each 16 tokens (or less, the last): a slab of keys, a slab of values; a slab is {16, head_dim}
//   codes and then 16 float scales, so that one bulk copy brings 16 tokens. In both each token's
//   row is permuted by chunks of 16 bytes: a kernel that reads the same chunk of 8 tokens at once,
//   as ldmatrix does, then finds them in 8 different banks of shared memory, though the block came
//   there in one piece. Nothing that copies whole blocks needs to know.
// Units: elements, unless named otherwise; an element of FP8 is a byte, and scales are 4 of them.
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/cuda/launch.h"
#include "base/block_copy.h"
#include "tensor/kv_type.h"

namespace hangar::cuda {

inline constexpr std::int32_t kSlabTokens = 16;

// Of 16 tokens' keys, or values, of one head in FP8.
constexpr std::int64_t fp8_slab_bytes(std::int32_t head_dim) {
  return kSlabTokens * (head_dim + static_cast<std::int64_t>(sizeof(float)));
}

// What kernels are given of one layer.
struct KvLayer {
  void* keys = nullptr;
  void* values = nullptr;       // in FP8: fp8_slab_bytes() behind keys
  KvType type = KvType::kBF16;  // kBF16, kF16 or kFp8
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  std::int32_t block_tokens = 16;

  constexpr std::int64_t element_bytes() const { return type == KvType::kFp8 ? 1 : 2; }
  constexpr std::int64_t head_stride() const {
    if (type != KvType::kFp8) return std::int64_t{block_tokens} * head_dim;
    const std::int64_t slabs = (std::int64_t{block_tokens} + kSlabTokens - 1) / kSlabTokens;
    return slabs * 2 * fp8_slab_bytes(head_dim);
  }
  constexpr std::int64_t block_stride() const { return head_stride() * kv_heads; }
};

// Where a token's chunk of 16 bytes lies in its row; `slot` is the token's place in the block.
constexpr std::int32_t kv_chunk(std::int32_t row_bytes, std::int32_t slot, std::int32_t chunk) {
  if (row_bytes % 128 == 0) return chunk ^ (slot & 7);
  if (row_bytes % 64 == 0) return chunk ^ ((slot >> 1) & 3);
  if (row_bytes % 32 == 0) return chunk ^ ((slot >> 2) & 1);
  return chunk;
}

// Where element `d` of a token lies, from the start of its head's block: in 16 bits, and in FP8,
// where keys and values have the same places, each from its own start.
constexpr std::int64_t kv_element(std::int32_t head_dim, std::int32_t slot, std::int32_t d) {
  return std::int64_t{slot} * head_dim + kv_chunk(2 * head_dim, slot, d / 8) * 8 + d % 8;
}
constexpr std::int64_t fp8_element(std::int32_t head_dim, std::int32_t slot, std::int32_t d) {
  const std::int64_t slab = slot / kSlabTokens * 2 * fp8_slab_bytes(head_dim);
  return slab + slot % kSlabTokens * head_dim + kv_chunk(head_dim, slot, d / 16) * 16 + d % 16;
}
// The first byte of a token's scale.
constexpr std::int64_t fp8_scale(std::int32_t head_dim, std::int32_t slot) {
  const std::int64_t slab = slot / kSlabTokens * 2 * fp8_slab_bytes(head_dim);
  return slab + std::int64_t{kSlabTokens} * head_dim +
         slot % kSlabTokens * static_cast<std::int64_t>(sizeof(float));
}

// All tensors (of equal size, one after the other) of a cache: CudaKvCache's copy_kv_blocks.
struct KvTensors {
  void* memory = nullptr;
  std::int32_t count = 0;
  std::int64_t bytes = 0;  // of each
  std::int64_t block_bytes = 0;
};
void copy_kv_blocks(const Launch& launch, const KvTensors& tensors, const BlockCopy* copies,
                    std::span<const std::int32_t> wave_ends);

}  // namespace hangar::cuda
