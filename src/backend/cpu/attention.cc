#include "backend/cpu/attention.h"

#include <algorithm>

#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/attention-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

void MergePartial(const AttentionPartial& to, const AttentionPartial& from, std::int64_t queries,
                  std::int64_t value_stride) {
  merge_chunk(to, from, queries, value_stride);
}

void FinishTile(const AttentionTile& tile, const AttentionPartial& partial) {
  const DF df;
  const KvLayout& layout = tile.cache->layout;
  for (std::int64_t m = 0; m < tile.queries(); ++m) {
    float* out = tile.out + m / tile.heads_per_kv * tile.row_stride +
                 m % tile.heads_per_kv * layout.head_dim;
    const VF factor = hn::Set(df, 1.0F / partial.sum[m]);
    const float* values = partial.values + m * layout.value_stride;
    for (std::int64_t d = 0; d < layout.head_dim; d += kLanes) {
      store_first(hn::Mul(hn::LoadU(df, values + d), factor), df, out + d, layout.head_dim - d);
    }
  }
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(MergePartial);
HWY_EXPORT(FinishTile);

std::int64_t attention_chunk_tokens(std::int64_t block_tokens) {
  return std::max<std::int64_t>(1, 128 / block_tokens) * block_tokens;
}

std::int64_t AttentionTile::first_chunk() const {
  return first_seen(first_position) / attention_chunk_tokens(cache->layout.block_tokens);
}
std::int64_t AttentionTile::end_chunk() const {
  const std::int64_t chunk_tokens = attention_chunk_tokens(cache->layout.block_tokens);
  return (end_position() + chunk_tokens - 1) / chunk_tokens;
}

std::int64_t attention_partial_floats(std::int64_t queries, std::int64_t value_stride) {
  return (queries + 15) / 16 * 16 * 2 + queries * value_stride;
}

AttentionPartial attention_partial(float* memory, std::int64_t queries) {
  const std::int64_t padded = (queries + 15) / 16 * 16;
  return {memory, memory + padded, memory + 2 * padded};
}

std::int64_t attention_scratch_floats(std::int64_t queries, const KvLayout& layout) {
  const std::int64_t chunk_tokens = attention_chunk_tokens(layout.block_tokens);
  return attention_partial_floats(queries, layout.value_stride) +
         queries * (chunk_tokens + 2 * kTileTokens + layout.head_dim) + kTileTokens;
}

void compute_chunks(const AttentionTile& tile, std::int64_t first_chunk, std::int64_t end_chunk,
                    float* scratch, const AttentionPartial& to) {
  switch (tile.cache->layout.type) {
    case KvType::kF32:  // check_kv_type keeps them away
    case KvType::kFp8:
      return;
    case KvType::kF16:
      return compute_chunks_f16(tile, first_chunk, end_chunk, scratch, to);
    case KvType::kBF16:
      return compute_chunks_bf16(tile, first_chunk, end_chunk, scratch, to);
    case KvType::kInt8:
      return compute_chunks_int8(tile, first_chunk, end_chunk, scratch, to);
  }
}
void merge_partial(const AttentionPartial& to, const AttentionPartial& from, std::int64_t queries,
                   std::int64_t value_stride) {
  HWY_DYNAMIC_DISPATCH(MergePartial)(to, from, queries, value_stride);
}
void finish_tile(const AttentionTile& tile, const AttentionPartial& partial) {
  HWY_DYNAMIC_DISPATCH(FinishTile)(tile, partial);
}

}  // namespace hangar::cpu
#endif
