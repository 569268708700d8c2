// CpuKvCache: keys and values in half precision, laid out for vectors.
//
// Promise: [layer][block][kv_head] units; in a unit first the keys in tiles of 16 tokens,
//   [tile][head_dim][16], so that one register holds the same element of 16 keys; then the values,
//   [token][head_dim rounded up to 16, zeros beyond]. A tile's lanes beyond block_tokens are
//   unused.
// Threads: write_kv_row may run for different rows (tokens) at once.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "backend/host_memory.h"

namespace hangar::cpu {

inline constexpr std::int64_t kTileTokens = 16;

// Offsets in elements of 2 bytes.
struct KvLayout {
  explicit KvLayout(const KvShape& shape);

  std::int64_t head_dim;
  std::int64_t value_stride;  // head_dim rounded up to 16
  std::int64_t block_tokens;
  std::int64_t values_at;  // from the unit's start
  std::int64_t unit;       // of one KV head of one block, a multiple of 64 bytes
  std::int64_t block;      // all KV heads
};

class CpuKvCache final : public KvCache {
 public:
  explicit CpuKvCache(const KvShape& kv_shape) : layout(kv_shape) { shape = kv_shape; }
  KvLayout layout;
  HostMemory memory;

  std::uint16_t* unit(std::int64_t layer, std::int64_t block_index, std::int64_t kv_head) const {
    return memory.as<std::uint16_t>() + (layer * shape.blocks + block_index) * layout.block +
           kv_head * layout.unit;
  }
};

// Stores one token's key and value of all KV heads in slot `slot` of the block at `block`.
void write_kv_row(const KvLayout& layout, std::int64_t kv_heads, std::uint16_t* block,
                  std::int64_t slot, const float* k, const float* v);

}  // namespace hangar::cpu
