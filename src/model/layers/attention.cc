#include "model/layers/attention.h"

#include <array>
#include <cmath>

namespace hangar {

Result<AttentionLayer> AttentionLayer::load(WeightLoader& loader, const ModelConfig& config,
                                            const std::string& prefix) {
  const std::int64_t hidden = config.hidden;
  const std::int64_t q_columns = std::int64_t{config.heads} * config.head_dim;
  const std::int64_t kv_columns = std::int64_t{config.kv_heads} * config.head_dim;
  // A small part of a layer's work, and where rounding shows most: docs/benchmarks.md.
  constexpr InputPrecision kFine = InputPrecision::kFine;
  AttentionLayer layer;
  HANGAR_TRY(layer.norm_, loader.load(prefix + "attn_norm.weight", 1, hidden));
  HANGAR_TRY(layer.q_, loader.load(prefix + "attn_q.weight", q_columns, hidden, kFine));
  HANGAR_TRY(layer.k_, loader.load(prefix + "attn_k.weight", kv_columns, hidden, kFine));
  HANGAR_TRY(layer.v_, loader.load(prefix + "attn_v.weight", kv_columns, hidden, kFine));
  HANGAR_TRY(layer.o_, loader.load(prefix + "attn_output.weight", hidden, q_columns, kFine));
  HANGAR_TRY(layer.q_bias_, loader.load_optional(prefix + "attn_q.bias", 1, q_columns));
  HANGAR_TRY(layer.k_bias_, loader.load_optional(prefix + "attn_k.bias", 1, kv_columns));
  HANGAR_TRY(layer.v_bias_, loader.load_optional(prefix + "attn_v.bias", 1, kv_columns));
  HANGAR_TRY(layer.o_bias_, loader.load_optional(prefix + "attn_output.bias", 1, hidden));
  return layer;
}

void AttentionLayer::forward(Backend& backend, Activation x, const AttentionScratch& scratch,
                             const ModelConfig& config, const RopeTable& rope, std::int32_t layer,
                             const RaggedBatch& batch, KvCache& cache) const {
  const Activation normed = scratch.normed.first_rows(x.rows);
  const Activation q = scratch.q.first_rows(x.rows);
  const Activation k = scratch.k.first_rows(x.rows);
  const Activation v = scratch.v.first_rows(x.rows);
  const Activation out = scratch.out.first_rows(x.rows);
  const Activation product = scratch.product.first_rows(x.rows);

  backend.rms_norm(normed, x, *norm_, config.norm_epsilon);
  backend.matmul(std::array{q, k, v}, normed, std::array{q_.get(), k_.get(), v_.get()});
  if (q_bias_) backend.add_bias(q, *q_bias_);
  if (k_bias_) backend.add_bias(k, *k_bias_);
  if (v_bias_) backend.add_bias(v, *v_bias_);
  backend.rope(q, config.head_dim, batch.positions, rope);
  backend.rope(k, config.head_dim, batch.positions, rope);
  backend.write_kv(cache, layer, k, v, batch);
  const AttentionShape shape{config.heads, config.kv_heads, config.head_dim,
                             1.0F / std::sqrt(static_cast<float>(config.head_dim))};
  backend.attention(out, q, cache, layer, batch, shape);
  backend.matmul(std::array{product}, out, std::array{o_.get()});
  if (o_bias_) backend.add_bias(product, *o_bias_);
  backend.add(x, product);
}

}  // namespace hangar
