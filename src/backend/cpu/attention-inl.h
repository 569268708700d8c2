// Kernels of attention over keys and values of one element type; included once per instruction set.
//
// Promise: compute_chunks_of() as attention.h's compute_chunks(). Elements of 8 bits enter the
//   products as they are: a key's scale multiplies the score, a value's scale the weight.
// Include like simd-inl.h: after foreach_target.h.
#if defined(HANGAR_BACKEND_CPU_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HANGAR_BACKEND_CPU_ATTENTION_INL_H_
#undef HANGAR_BACKEND_CPU_ATTENTION_INL_H_
#else
#define HANGAR_BACKEND_CPU_ATTENTION_INL_H_
#endif

#include <algorithm>
#include <limits>

#include "backend/cpu/attention.h"
#include "backend/cpu/math-inl.h"
#include "backend/cpu/simd-inl.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

template <typename Element>
inline constexpr bool has_scales = sizeof(Element) == 1;

// One chunk of a tile's context and where its scores go.
struct Chunk {
  const AttentionTile* tile;
  std::int64_t first_token;
  std::int64_t begin;   // of the first block that a row of the tile attends to, in the chunk
  std::int64_t tokens;  // up to the tile's last row
  const float* q;       // [queries][head_dim], scaled
  float* scores;        // [queries][score_stride]
  std::int64_t score_stride;

  const std::byte* unit(std::int64_t token) const {
    const KvLayout& layout = tile->cache->layout;
    const std::int32_t block = tile->blocks[(first_token + token) / layout.block_tokens];
    return tile->cache->unit(tile->layer, block, tile->kv_head);
  }
  // A query sees the chunk's tokens [visible_begin, visible_end).
  std::int64_t visible_end(std::int64_t query) const {
    const std::int64_t position = tile->first_position + query / tile->heads_per_kv;
    return std::clamp<std::int64_t>(position + 1 - first_token, 0, tokens);
  }
  std::int64_t visible_begin(std::int64_t query) const {
    const std::int64_t position = tile->first_position + query / tile->heads_per_kv;
    return std::clamp<std::int64_t>(tile->first_seen(position) - first_token, 0, tokens);
  }
};

// scores[query][token] for kQueries queries: each register of keys is loaded and converted once.
template <typename Element, int kQueries>
void score_queries(const Chunk& c, std::int64_t query) {
  const DF df;
  const KvLayout& layout = c.tile->cache->layout;
  const std::int64_t dim = layout.head_dim;
  const float* q = c.q + query * dim;
  float* scores = c.scores + query * c.score_stride;
  for (std::int64_t token = c.begin; token < c.tokens; token += layout.block_tokens) {
    const std::byte* unit = c.unit(token);
    const auto* keys = reinterpret_cast<const Element*>(unit);
    const std::int64_t in_block = std::min(layout.block_tokens, c.tokens - token);
    for (std::int64_t i = 0; i < in_block; i += kLanes) {
      const Element* key = keys + i / kTileTokens * kTileTokens * dim + i % kTileTokens;
      VF sum[kQueries];
      HANGAR_UNROLL
      for (int n = 0; n < kQueries; ++n) sum[n] = hn::Zero(df);
      for (std::int64_t d = 0; d < dim; ++d) {
        const VF k = load_promoted(df, key + d * kTileTokens);
        HANGAR_UNROLL
        for (int n = 0; n < kQueries; ++n) {
          sum[n] = hn::MulAdd(hn::Set(df, q[n * dim + d]), k, sum[n]);
        }
      }
      if constexpr (has_scales<Element>) {
        const auto* scales = reinterpret_cast<const float*>(unit + layout.key_scales_at);
        const VF scale = hn::LoadU(df, scales + i);
        HANGAR_UNROLL
        for (int n = 0; n < kQueries; ++n) sum[n] = hn::Mul(sum[n], scale);
      }
      HANGAR_UNROLL
      for (int n = 0; n < kQueries; ++n) {
        hn::StoreU(sum[n], df, scores + n * c.score_stride + token + i);
      }
    }
  }
}

template <typename Element>
void score_all(const Chunk& c, std::int64_t first_query, std::int64_t end_query) {
  std::int64_t m = first_query;
  for (; m + 8 <= end_query; m += 8) score_queries<Element, 8>(c, m);
  switch (end_query - m) {
    case 7:
      return score_queries<Element, 7>(c, m);
    case 6:
      return score_queries<Element, 6>(c, m);
    case 5:
      return score_queries<Element, 5>(c, m);
    case 4:
      return score_queries<Element, 4>(c, m);
    case 3:
      return score_queries<Element, 3>(c, m);
    case 2:
      return score_queries<Element, 2>(c, m);
    case 1:
      return score_queries<Element, 1>(c, m);
    default:
      return;
  }
}

// scores[begin, end) become cap * tanh(score / cap).
HWY_INLINE void cap_scores(float* scores, std::int64_t begin, std::int64_t end, float cap) {
  const DF df;
  const VF scale = hn::Set(df, cap);
  const VF inverse = hn::Set(df, 1.0F / cap);
  for (std::int64_t t = begin; t < end; t += kLanes) {
    const VF score = hn::Mul(hn::LoadU(df, scores + t), inverse);
    hn::StoreU(hn::Mul(scale, tanh_of(df, score)), df, scores + t);
  }
}

// Scores [begin, end) to weights e^(score - maximum); gives the maximum and the weights' sum.
HWY_INLINE void soften(float* scores, std::int64_t begin, std::int64_t end, float* maximum,
                       float* sum) {
  const DF df;
  const std::int64_t first = begin / kLanes * kLanes;
  const std::int64_t padded = (end + kLanes - 1) / kLanes * kLanes;
  std::fill(scores + first, scores + begin, kMinusInfinity);
  std::fill(scores + end, scores + padded, kMinusInfinity);
  VF most = hn::Set(df, kMinusInfinity);
  for (std::int64_t t = first; t < padded; t += kLanes) {
    most = hn::Max(most, hn::LoadU(df, scores + t));
  }
  *maximum = max_of_lanes(df, most);
  const VF shift = hn::Set(df, *maximum);
  VF total = hn::Zero(df);
  for (std::int64_t t = first; t < padded; t += kLanes) {
    const VF weight = hn::Exp(df, hn::Sub(hn::LoadU(df, scores + t), shift));
    total = hn::Add(total, weight);
    hn::StoreU(weight, df, scores + t);
  }
  *sum = sum_of_lanes(df, total);
}

// Weights of the queries times the scales of the values they are for. What a query does not see is
// never read again, so it may become anything.
HWY_INLINE void scale_weights(const Chunk& c, std::int64_t first_query, std::int64_t end_query) {
  const DF df;
  const KvLayout& layout = c.tile->cache->layout;
  for (std::int64_t token = c.begin; token < c.tokens; token += layout.block_tokens) {
    const auto* scales = reinterpret_cast<const float*>(c.unit(token) + layout.value_scales_at);
    const std::int64_t in_block = std::min(layout.block_tokens, c.tokens - token);
    for (std::int64_t i = 0; i < in_block; i += kLanes) {
      const VF scale = hn::LoadU(df, scales + i);
      for (std::int64_t m = first_query; m < end_query; ++m) {
        float* weights = c.scores + m * c.score_stride + token + i;
        const VF scaled = hn::Mul(load_first(df, weights, in_block - i), scale);
        store_first(scaled, df, weights, in_block - i);
      }
    }
  }
}

// values[query] += sum of weight * value over tokens [begin, end), kVectors registers of a value.
template <typename Element, int kQueries, int kVectors>
void weigh_columns(const Chunk& c, std::int64_t query, std::int64_t begin, std::int64_t end,
                   std::int64_t column, float* values) {
  const DF df;
  const KvLayout& layout = c.tile->cache->layout;
  const float* weights = c.scores + query * c.score_stride;
  float* to = values + query * layout.value_stride + column;
  VF sum[kQueries][kVectors];
  HANGAR_UNROLL
  for (int n = 0; n < kQueries; ++n) {
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      sum[n][v] = hn::LoadU(df, to + n * layout.value_stride + v * kLanes);
    }
  }
  for (std::int64_t token = begin; token < end;) {
    const std::int64_t slot = (c.first_token + token) % layout.block_tokens;
    const std::int64_t stop = std::min(end, token + layout.block_tokens - slot);
    const Element* value = reinterpret_cast<const Element*>(c.unit(token)) + layout.values_at +
                           slot * layout.value_stride + column;
    for (; token < stop; ++token, value += layout.value_stride) {
      VF w[kQueries];
      HANGAR_UNROLL
      for (int n = 0; n < kQueries; ++n) w[n] = hn::Set(df, weights[n * c.score_stride + token]);
      HANGAR_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const VF x = load_promoted(df, value + v * kLanes);
        HANGAR_UNROLL
        for (int n = 0; n < kQueries; ++n) sum[n][v] = hn::MulAdd(w[n], x, sum[n][v]);
      }
    }
  }
  HANGAR_UNROLL
  for (int n = 0; n < kQueries; ++n) {
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(sum[n][v], df, to + n * layout.value_stride + v * kLanes);
    }
  }
}

template <typename Element, int kQueries>
void weigh(const Chunk& c, std::int64_t query, std::int64_t begin, std::int64_t end,
           float* values) {
  // Registers for 4 queries: 16 sums on AVX-512 of 32, 8 elsewhere of 16.
  constexpr int kVectors = kLanes == 16 ? 4 : 2;
  const std::int64_t columns = c.tile->cache->layout.value_stride;
  std::int64_t column = 0;
  for (; column + kVectors * kLanes <= columns; column += kVectors * kLanes) {
    weigh_columns<Element, kQueries, kVectors>(c, query, begin, end, column, values);
  }
  for (; column < columns; column += kLanes) {
    weigh_columns<Element, kQueries, 1>(c, query, begin, end, column, values);
  }
}

// kQueries neighbours together over the tokens that all see, and each alone over what only it sees
// before and after these, in the tokens' order: what is beyond a query's position or before its
// window never enters it, not even times zero.
template <typename Element, int kQueries>
void weigh_queries(const Chunk& c, std::int64_t query, float* values) {
  const std::int64_t begin = c.visible_begin(query + kQueries - 1);
  const std::int64_t end = std::max(begin, c.visible_end(query));
  for (std::int64_t m = query; m < query + kQueries - 1; ++m) {
    const std::int64_t stop = std::min(begin, c.visible_end(m));
    if (c.visible_begin(m) < stop) weigh<Element, 1>(c, m, c.visible_begin(m), stop, values);
  }
  if (begin < end) weigh<Element, kQueries>(c, query, begin, end, values);
  for (std::int64_t m = query + 1; m < query + kQueries; ++m) {
    if (c.visible_end(m) > end) weigh<Element, 1>(c, m, end, c.visible_end(m), values);
  }
}

template <typename Element>
void weigh_all(const Chunk& c, std::int64_t first_query, std::int64_t end_query, float* values) {
  std::int64_t m = first_query;
  for (; m + 4 <= end_query; m += 4) weigh_queries<Element, 4>(c, m, values);
  switch (end_query - m) {
    case 3:
      return weigh_queries<Element, 3>(c, m, values);
    case 2:
      return weigh_queries<Element, 2>(c, m, values);
    case 1:
      return weigh_queries<Element, 1>(c, m, values);
    default:
      return;
  }
}

// `to` becomes what it and the later chunk `from` give together.
HWY_INLINE void merge_chunk(const AttentionPartial& to, const AttentionPartial& from,
                            std::int64_t queries, std::int64_t value_stride) {
  const DF df;
  for (std::int64_t m = 0; m < queries; ++m) {
    if (from.sum[m] == 0.0F) continue;
    float* values = to.values + m * value_stride;
    const float* more = from.values + m * value_stride;
    if (to.sum[m] == 0.0F) {
      to.maximum[m] = from.maximum[m];
      to.sum[m] = from.sum[m];
      std::copy_n(more, value_stride, values);
      continue;
    }
    const float maximum = std::max(to.maximum[m], from.maximum[m]);
    const VF old_factor = hn::Exp(df, hn::Set(df, to.maximum[m] - maximum));
    const VF new_factor = hn::Exp(df, hn::Set(df, from.maximum[m] - maximum));
    to.maximum[m] = maximum;
    to.sum[m] = to.sum[m] * hn::GetLane(old_factor) + from.sum[m] * hn::GetLane(new_factor);
    for (std::int64_t d = 0; d < value_stride; d += kLanes) {
      const VF kept = hn::Mul(hn::LoadU(df, values + d), old_factor);
      hn::StoreU(hn::MulAdd(hn::LoadU(df, more + d), new_factor, kept), df, values + d);
    }
  }
}

// As compute_chunks() says, for a cache of Elements.
template <typename Element>
void compute_chunks_of(const AttentionTile& tile, std::int64_t first_chunk, std::int64_t end_chunk,
                       float* scratch, const AttentionPartial& to) {
  const DF df;
  const KvLayout& layout = tile.cache->layout;
  const std::int64_t queries = tile.queries();
  const std::int64_t dim = layout.head_dim;
  const std::int64_t chunk_tokens = attention_chunk_tokens(layout.block_tokens);

  Chunk c;
  c.tile = &tile;
  c.score_stride = (chunk_tokens + 2 * kTileTokens - 1) / kTileTokens * kTileTokens;
  const AttentionPartial one = attention_partial(scratch, queries);
  c.scores = scratch + attention_partial_floats(queries, layout.value_stride);
  float* q = c.scores + queries * c.score_stride;
  c.q = q;
  for (std::int64_t m = 0; m < queries; ++m) {
    const float* from =
        tile.q + m / tile.heads_per_kv * tile.row_stride + m % tile.heads_per_kv * dim;
    for (std::int64_t d = 0; d < dim; d += kLanes) {
      const VF scaled = hn::Mul(load_first(df, from + d, dim - d), hn::Set(df, tile.scale));
      store_first(scaled, df, q + m * dim + d, dim - d);
    }
  }

  std::fill_n(to.sum, queries, 0.0F);
  for (std::int64_t chunk = first_chunk; chunk < end_chunk; ++chunk) {
    c.first_token = chunk * chunk_tokens;
    c.tokens = std::min(chunk_tokens, tile.end_position() - c.first_token);
    const std::int64_t first_seen = tile.first_seen(tile.first_position) - c.first_token;
    c.begin = std::max<std::int64_t>(0, first_seen) / layout.block_tokens * layout.block_tokens;
    // Rows that come before the chunk see nothing of it, nor do rows whose window is past it.
    const std::int64_t end_token = c.first_token + c.tokens;
    const std::int64_t first_row =
        std::clamp<std::int64_t>(c.first_token - tile.first_position, 0, tile.rows);
    const std::int64_t end_row =
        tile.window > 0
            ? std::clamp<std::int64_t>(end_token + tile.window - 1 - tile.first_position, first_row,
                                       tile.rows)
            : tile.rows;
    const std::int64_t first_query = first_row * tile.heads_per_kv;
    const std::int64_t end_query = end_row * tile.heads_per_kv;
    std::fill_n(one.sum, first_query, 0.0F);
    std::fill(one.sum + end_query, one.sum + queries, 0.0F);
    std::fill_n(one.values + first_query * layout.value_stride,
                (end_query - first_query) * layout.value_stride, 0.0F);
    score_all<Element>(c, first_query, end_query);
    for (std::int64_t m = first_query; m < end_query; ++m) {
      float* scores = c.scores + m * c.score_stride;
      const std::int64_t begin = c.visible_begin(m);
      const std::int64_t end = c.visible_end(m);
      if (tile.softcap > 0.0F) {
        cap_scores(scores, begin / kLanes * kLanes, end, tile.softcap);
      }
      soften(scores, begin, end, one.maximum + m, one.sum + m);
    }
    if constexpr (has_scales<Element>) scale_weights(c, first_query, end_query);
    weigh_all<Element>(c, first_query, end_query, one.values);
    merge_chunk(to, one, queries, layout.value_stride);
  }
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
