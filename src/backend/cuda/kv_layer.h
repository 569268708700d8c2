// KvLayer: where a kernel finds one layer's keys and values, and how they lie there.
//
// Promise: a block of one head is {block_tokens, head_dim}, each token's row permuted by chunks of
//   8 elements (16 bytes): a kernel that reads the same chunk of 8 tokens at once, as ldmatrix
//   does, then finds them in 8 different banks of shared memory, though the block came there in one
//   piece. Nothing that copies whole blocks needs to know.
// Units: elements, unless named otherwise.
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/cuda/launch.h"
#include "base/block_copy.h"
#include "tensor/kv_type.h"

namespace hangar::cuda {

// What kernels are given of one layer.
struct KvLayer {
  void* keys = nullptr;
  void* values = nullptr;
  KvType type = KvType::kBF16;  // kBF16 or kF16
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  std::int32_t block_tokens = 16;

  constexpr std::int64_t head_stride() const { return std::int64_t{block_tokens} * head_dim; }
  constexpr std::int64_t block_stride() const { return head_stride() * kv_heads; }
};

// Where a token's chunk of 8 elements lies in its row; `slot` is the token's place in the block.
constexpr std::int32_t kv_chunk(std::int32_t head_dim, std::int32_t slot, std::int32_t chunk) {
  if (head_dim % 64 == 0) return chunk ^ (slot & 7);
  if (head_dim % 32 == 0) return chunk ^ ((slot >> 1) & 3);
  return chunk;
}

// Where element `d` of a token lies, from the start of its head's block.
constexpr std::int64_t kv_element(std::int32_t head_dim, std::int32_t slot, std::int32_t d) {
  return std::int64_t{slot} * head_dim + kv_chunk(head_dim, slot, d / 8) * 8 + d % 8;
}

// All tensors (of equal size, one after the other) of a cache: CudaKvCache's copy_kv_blocks.
struct KvTensors {
  void* memory = nullptr;
  std::int32_t count = 0;
  std::int64_t elements = 0;  // of each, of 16 bits
  std::int64_t block_elements = 0;
};
void copy_kv_blocks(const Launch& launch, const KvTensors& tensors, const BlockCopy* copies,
                    std::span<const std::int32_t> wave_ends);

}  // namespace hangar::cuda
