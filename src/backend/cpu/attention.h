// Causal attention over the KV cache, for a tile of a sequence's rows and one KV head at a time.
//
// Promise: a row's result depends on its own query, position and the cache alone, bit for bit: not
//   on the rows beside it, on how work is shared out, or on the number of threads.
// Method: online softmax (Milakov and Gimelshein, arXiv:1805.02867) over chunks of the context
//   whose borders depend on the cache's block size only. Each chunk gives its maximum, sum and
//   weighted values; chunks are merged in order, whether one thread made them all or several.
//   Blocks that lie before every row's window are never read.
// Shapes: the queries of a tile are its rows times the query heads that share the KV head,
//   row-major.
// Threads: compute_chunks may run at once for tiles or chunks with results of their own.
#pragma once

#include <cstdint>

#include "backend/cpu/kv_cache.h"

namespace hangar::cpu {

// The tokens of a chunk: whole blocks, about 128 tokens.
std::int64_t attention_chunk_tokens(std::int64_t block_tokens);

struct AttentionTile {
  const CpuKvCache* cache = nullptr;
  std::int64_t layer = 0;
  std::int64_t kv_head = 0;
  const std::int32_t* blocks = nullptr;  // the sequence's block table
  std::int64_t rows = 0;
  std::int64_t first_position = 0;  // of the tile's first row
  std::int64_t heads_per_kv = 0;
  float scale = 0.0F;
  float softcap = 0.0F;      // 0: none
  std::int64_t window = 0;   // 0: none
  const float* q = nullptr;  // first row, first of the heads that share the KV head
  float* out = nullptr;
  std::int64_t row_stride = 0;  // floats from a row to the next in q and out

  std::int64_t queries() const { return rows * heads_per_kv; }
  std::int64_t end_position() const { return first_position + rows; }
  // The first position that a row at `position` attends to.
  std::int64_t first_seen(std::int64_t position) const {
    return window > 0 && position >= window ? position - window + 1 : 0;
  }
  // Chunks [first_chunk(), end_chunk()) hold all that the tile's rows attend to.
  std::int64_t first_chunk() const;
  std::int64_t end_chunk() const;
};

// For each query of a tile what has been seen so far: values are weighted by e^(score - maximum).
struct AttentionPartial {
  float* maximum = nullptr;  // [queries]
  float* sum = nullptr;      // [queries]; 0: nothing seen
  float* values = nullptr;   // [queries][value_stride]
};
// Floats that a partial takes, a multiple of 16, and one laid out in such memory.
std::int64_t attention_partial_floats(std::int64_t queries, std::int64_t value_stride);
AttentionPartial attention_partial(float* memory, std::int64_t queries);

// Floats of scratch for compute_chunks.
std::int64_t attention_scratch_floats(std::int64_t queries, const KvLayout& layout);

// Sets `to` to what chunks [first_chunk, end_chunk) give.
void compute_chunks(const AttentionTile& tile, std::int64_t first_chunk, std::int64_t end_chunk,
                    float* scratch, const AttentionPartial& to);
// The same for the cache's type that the name says.
void compute_chunks_f16(const AttentionTile& tile, std::int64_t first_chunk, std::int64_t end_chunk,
                        float* scratch, const AttentionPartial& to);
void compute_chunks_bf16(const AttentionTile& tile, std::int64_t first_chunk,
                         std::int64_t end_chunk, float* scratch, const AttentionPartial& to);
void compute_chunks_int8(const AttentionTile& tile, std::int64_t first_chunk,
                         std::int64_t end_chunk, float* scratch, const AttentionPartial& to);
// `to` becomes what it and the later chunk `from` give together.
void merge_partial(const AttentionPartial& to, const AttentionPartial& from, std::int64_t queries,
                   std::int64_t value_stride);
// Writes values / sum to the tile's rows of out.
void finish_tile(const AttentionTile& tile, const AttentionPartial& partial);

}  // namespace hangar::cpu
