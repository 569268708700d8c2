// CudaKvCache: keys and values in the card's memory.
//
// Promise: one allocation, given by whoever makes it; layer l's keys are {blocks + 1, kv_heads,
//   block_tokens, head_dim} and so are its values: one block of one head is contiguous (4 KiB for
//   16 tokens of 128 in 16 bits), so that one bulk copy brings it; kv_layer.h says how elements lie
//   in it. With FP8 a layer's values lie between its keys, 16 tokens' behind the same 16 tokens'
//   keys. Block `blocks` is the spare one: padding rows of a graph write there.
//   Nothing is written at first; blocks may be copied whole by anyone.
// Errors: check_kv_type: kUnsupported. copy_kv_blocks: CudaError.
// Threads: as Backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/kv_layer.h"
#include "backend/cuda/launch.h"

namespace hangar::cuda {

class CudaKvCache final : public KvCache {
 public:
  // `memory` is kv_cache_bytes(kv_shape) long, aligned to 256 bytes, and outlives this.
  CudaKvCache(const KvShape& kv_shape, void* memory);

  KvLayer layer(std::int32_t index) const;
  std::int32_t spare_block() const { return shape.blocks; }

 private:
  void* memory_;
};

// kUnsupported for what this backend does not keep: float32 and int8.
Status check_kv_type(KvType type);
// Of one block, all layers; of the shape's blocks and the spare one.
std::size_t kv_block_bytes(const KvShape& shape);
std::size_t kv_cache_bytes(const KvShape& shape);
// Blocks that fit in so many bytes with the spare one.
std::int32_t kv_blocks_in(std::uint64_t bytes, const KvShape& shape);

// Copies that may be made at once: the list is cut where a copy reads or writes what one before it
// in the same part writes, or writes what one reads. The ends of the parts; {} for no copies.
std::vector<std::int32_t> copy_waves(std::span<const BlockCopy> copies);

// All layers' blocks, one launch for each of `wave_ends` (usually one). `copies` is in the card's
// memory; wave_ends are copy_waves() of the same list.
void copy_kv_blocks(const Launch& launch, const CudaKvCache& cache, const BlockCopy* copies,
                    std::span<const std::int32_t> wave_ends);

}  // namespace hangar::cuda
