// CpuKvCache: keys and values in 16 or 8 bits, laid out for vectors.
//
// Promise: [layer][block][kv_head] units; in a unit first the keys in tiles of 16 tokens,
//   [tile][head_dim][16], so that one register holds the same element of 16 keys; then the values,
//   [token][head_dim rounded up to 16, zeros beyond]; with 8 bits then a float scale for each key,
//   [tokens rounded up to 16], and so for each value. A tile's lanes beyond block_tokens are
//   unused. A token's row of 8 bits that holds a number that is not finite has the scale NaN.
// Threads: write_kv_row may run for different rows (tokens) at once.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "backend/host_memory.h"

namespace hangar::cpu {

inline constexpr std::int64_t kTileTokens = 16;

struct KvLayout {
  explicit KvLayout(const KvShape& shape);

  KvType type;
  std::int64_t head_dim;
  std::int64_t value_stride;  // elements: head_dim rounded up to 16
  std::int64_t block_tokens;
  std::int64_t values_at;        // elements from the unit's start
  std::int64_t key_scales_at;    // bytes from the unit's start; 8 bits only
  std::int64_t value_scales_at;  // likewise
  std::int64_t unit_bytes;       // of one KV head of one block, a multiple of 64
  std::int64_t block_bytes;      // all KV heads
};

class CpuKvCache final : public KvCache {
 public:
  explicit CpuKvCache(const KvShape& kv_shape) : layout(kv_shape) { shape = kv_shape; }
  KvLayout layout;
  HostMemory memory;

  std::byte* unit(std::int64_t layer, std::int64_t block_index, std::int64_t kv_head) const {
    return memory.data() + (layer * shape.blocks + block_index) * layout.block_bytes +
           kv_head * layout.unit_bytes;
  }
};

// kUnsupported for what this backend does not keep: float32 and fp8.
Status check_kv_type(KvType type);

// Stores one token's key and value of all KV heads in slot `slot` of the block at `block`.
void write_kv_row(const KvLayout& layout, std::int64_t kv_heads, std::byte* block,
                  std::int64_t slot, const float* k, const float* v);

}  // namespace hangar::cpu
