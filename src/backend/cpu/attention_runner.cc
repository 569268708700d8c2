#include "backend/cpu/attention_runner.h"

#include <algorithm>
#include <cstdlib>

namespace hangar::cpu {
namespace {

// Queries of a tile: enough to use each key and value several times, few enough for the caches.
constexpr std::int64_t kTileQueries = 24;

std::int64_t rounded_up(std::int64_t n, std::int64_t to) {
  return (n + to - 1) / to * to;
}

bool grow(HostMemory& memory, std::int64_t floats) {
  const auto bytes = static_cast<std::size_t>(floats) * sizeof(float);
  if (memory.size_bytes() >= bytes) return true;
  auto larger = HostMemory::allocate(bytes, "attention scratch");
  if (!larger) return false;
  memory = std::move(*larger);
  return true;
}

}  // namespace

void AttentionRunner::run(Activation out, Activation q, const CpuKvCache& cache, std::int32_t layer,
                          const RaggedBatch& batch, const AttentionShape& shape, ThreadPool& pool) {
  const std::int64_t heads_per_kv = shape.heads / shape.kv_heads;
  const std::int64_t tile_rows = std::max<std::int64_t>(1, kTileQueries / heads_per_kv);
  tiles_.clear();
  chunk_starts_.assign(1, 0);
  std::int64_t most_queries = 0;
  for (const RaggedBatch::Sequence& sequence : batch.sequences) {
    const std::int64_t tiles = (sequence.rows + tile_rows - 1) / tile_rows;
    // Later tiles see more: the largest pieces of work come first.
    for (std::int64_t t = tiles - 1; t >= 0; --t) {
      for (std::int64_t kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
        AttentionTile tile;
        tile.cache = &cache;
        tile.layer = layer;
        tile.kv_head = kv_head;
        tile.blocks = batch.block_tables.data() + sequence.first_block;
        tile.rows = std::min(tile_rows, sequence.rows - t * tile_rows);
        tile.first_position = sequence.context_tokens + t * tile_rows;
        tile.heads_per_kv = heads_per_kv;
        tile.scale = shape.scale;
        tile.softcap = shape.softcap;
        tile.window = shape.window;
        tile.row_stride = q.columns;
        const std::int64_t at = (sequence.first_row + t * tile_rows) * q.columns +
                                kv_head * heads_per_kv * shape.head_dim;
        tile.q = q.f32() + at;
        tile.out = out.f32() + at;
        most_queries = std::max(most_queries, tile.queries());
        tiles_.push_back(tile);
        chunk_starts_.push_back(chunk_starts_.back() + tile.end_chunk() - tile.first_chunk());
      }
    }
  }
  if (tiles_.empty()) return;
  scratch_stride_ =
      rounded_up(attention_scratch_floats(most_queries, cache.layout), 16) +
      rounded_up(attention_partial_floats(most_queries, cache.layout.value_stride), 16);
  if (!grow(scratch_, scratch_stride_ * pool.threads())) std::abort();

  const std::int64_t chunks = chunk_starts_.back();
  const bool few = std::ssize(tiles_) < 2 * pool.threads() && pool.threads() > 1;
  if (few && chunks > std::ssize(tiles_) && run_split(most_queries, chunks, pool)) return;
  run_whole(most_queries, pool);
}

void AttentionRunner::run_whole(std::int64_t most_queries, ThreadPool& pool) {
  const KvLayout& layout = tiles_.front().cache->layout;
  const std::int64_t partial_at = rounded_up(attention_scratch_floats(most_queries, layout), 16);
  const auto body = [&](std::int64_t begin, std::int64_t end, int worker) {
    for (std::int64_t i = begin; i < end; ++i) {
      const AttentionTile& tile = tiles_[static_cast<std::size_t>(i)];
      const AttentionPartial partial =
          attention_partial(scratch(worker) + partial_at, tile.queries());
      compute_chunks(tile, tile.first_chunk(), tile.end_chunk(), scratch(worker), partial);
      finish_tile(tile, partial);
    }
  };
  pool.parallel_for(std::ssize(tiles_), 1, body);
}

bool AttentionRunner::run_split(std::int64_t most_queries, std::int64_t chunks, ThreadPool& pool) {
  const std::int64_t value_stride = tiles_.front().cache->layout.value_stride;
  const std::int64_t stride = rounded_up(attention_partial_floats(most_queries, value_stride), 16);
  if (!grow(partials_, stride * chunks)) return false;
  const auto partial = [&](std::int64_t chunk, const AttentionTile& tile) {
    return attention_partial(partials_.as<float>() + chunk * stride, tile.queries());
  };
  const auto compute = [&](std::int64_t begin, std::int64_t end, int worker) {
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      const auto next = std::upper_bound(chunk_starts_.begin(), chunk_starts_.end(), chunk);
      const auto i = static_cast<std::size_t>(next - chunk_starts_.begin() - 1);
      const std::int64_t of_tile = tiles_[i].first_chunk() + chunk - chunk_starts_[i];
      compute_chunks(tiles_[i], of_tile, of_tile + 1, scratch(worker), partial(chunk, tiles_[i]));
    }
  };
  pool.parallel_for(chunks, 1, compute);
  for (std::size_t i = 0; i < tiles_.size(); ++i) {
    const AttentionPartial whole = partial(chunk_starts_[i], tiles_[i]);
    for (std::int64_t chunk = chunk_starts_[i] + 1; chunk < chunk_starts_[i + 1]; ++chunk) {
      merge_partial(whole, partial(chunk, tiles_[i]), tiles_[i].queries(), value_stride);
    }
    finish_tile(tiles_[i], whole);
  }
  return true;
}

}  // namespace hangar::cpu
