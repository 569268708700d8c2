#include "model/layers/attention.h"

#include <array>
#include <cmath>

namespace hangar {
namespace {

// A small part of a layer's work, and where rounding shows most: docs/benchmarks.md.
constexpr InputPrecision kFine = InputPrecision::kFine;

AttentionShape shape_of(const ModelConfig& config, std::int32_t layer) {
  AttentionShape shape;
  shape.heads = config.heads;
  shape.kv_heads = config.kv_heads;
  shape.head_dim = config.head_dim;
  shape.scale = config.attention_scale > 0.0F
                    ? config.attention_scale
                    : 1.0F / std::sqrt(static_cast<float>(config.head_dim));
  shape.softcap = config.attention_softcap;
  shape.window = config.layer_slides(layer) ? config.sliding_window : 0;
  return shape;
}

}  // namespace

Result<AttentionLayer> AttentionLayer::load(WeightLoader& loader, const ModelConfig& config,
                                            const LayerOptions& options, std::int32_t layer,
                                            const RopeTable* rope) {
  const std::string prefix = "blk." + std::to_string(layer) + ".";
  const std::int64_t hidden = config.hidden;
  const std::int64_t q_columns = std::int64_t{config.heads} * config.head_dim;
  AttentionLayer made;
  made.layer_ = layer;
  made.norm_epsilon_ = config.norm_epsilon;
  made.shape_ = shape_of(config, layer);
  made.rope_ = rope;
  HANGAR_TRY(made.norm_, loader.load(prefix + "attn_norm.weight", 1, hidden));
  HANGAR_CHECK_OK(made.load_qkv(loader, config, prefix));
  HANGAR_TRY(made.o_, loader.load(prefix + "attn_output.weight", hidden, q_columns, kFine));
  if (options.output_bias) {
    HANGAR_TRY(made.o_bias_, loader.load_bias(prefix + "attn_output.bias", {0, hidden, hidden},
                                              config.attention_bias));
  }
  if (options.qk_norm) {
    const std::int64_t dim = config.head_dim;
    HANGAR_TRY(made.q_norm_, loader.load(prefix + "attn_q_norm.weight", 1, dim));
    HANGAR_TRY(made.k_norm_, loader.load(prefix + "attn_k_norm.weight", 1, dim));
  }
  if (options.post_norms) {
    HANGAR_TRY(made.post_norm_, loader.load(prefix + "post_attention_norm.weight", 1, hidden));
  }
  return made;
}

Status AttentionLayer::load_qkv(WeightLoader& loader, const ModelConfig& config,
                                const std::string& prefix) {
  const std::int64_t hidden = config.hidden;
  const std::int64_t q_rows = std::int64_t{config.heads} * config.head_dim;
  const std::int64_t kv_rows = std::int64_t{config.kv_heads} * config.head_dim;
  const bool fused = loader.has(prefix + "attn_qkv.weight");
  struct Part {
    const char* name;
    WeightPtr* weight;
    WeightPtr* bias;
    RowRange rows;
  };
  const std::int64_t all = q_rows + 2 * kv_rows;
  for (const Part& part : {Part{"attn_q", &q_, &q_bias_, {0, q_rows, all}},
                           Part{"attn_k", &k_, &k_bias_, {q_rows, kv_rows, all}},
                           Part{"attn_v", &v_, &v_bias_, {q_rows + kv_rows, kv_rows, all}}}) {
    const std::string name = prefix + (fused ? "attn_qkv" : part.name);
    const RowRange rows = fused ? part.rows : RowRange{0, part.rows.count, part.rows.count};
    HANGAR_TRY(*part.weight, loader.load_rows(name + ".weight", rows, hidden, kFine));
    HANGAR_TRY(*part.bias, loader.load_bias(name + ".bias", rows, config.attention_bias));
  }
  return {};
}

void AttentionLayer::forward(const LayerStep& step, Activation x,
                             const AttentionScratch& scratch) const {
  Backend& backend = step.backend;
  const Activation normed = scratch.normed.first_rows(x.rows);
  const Activation q = scratch.q.first_rows(x.rows);
  const Activation k = scratch.k.first_rows(x.rows);
  const Activation v = scratch.v.first_rows(x.rows);
  const Activation out = scratch.out.first_rows(x.rows);
  const Activation product = scratch.product.first_rows(x.rows);

  backend.norm_matmul(std::array{q, k, v}, x, {norm_.get(), norm_epsilon_},
                      std::array{q_.get(), k_.get(), v_.get()}, normed);
  if (q_bias_) backend.add_bias(q, *q_bias_);
  if (k_bias_) backend.add_bias(k, *k_bias_);
  if (v_bias_) backend.add_bias(v, *v_bias_);
  if (q_norm_) backend.head_norm(q, shape_.head_dim, *q_norm_, norm_epsilon_);
  if (k_norm_) backend.head_norm(k, shape_.head_dim, *k_norm_, norm_epsilon_);
  if (rope_ != nullptr) {
    backend.rope_write_kv(q, k, v, *rope_, step.cache, layer_, step.batch);
  } else {
    backend.write_kv(step.cache, layer_, k, v, step.batch);
  }
  if (!o_bias_ && !post_norm_) {
    backend.attention_add(x, out, q, step.cache, layer_, step.batch, shape_, *o_, product);
    return;
  }
  backend.attention(out, q, step.cache, layer_, step.batch, shape_);
  backend.matmul(std::array{product}, out, std::array{o_.get()});
  if (o_bias_) backend.add_bias(product, *o_bias_);
  if (post_norm_) backend.rms_norm(product, product, *post_norm_, norm_epsilon_);
  backend.add(x, product);
}

bool AttentionLayer::stack_into(StackedLayer& layer) const {
  const bool more = post_norm_ || q_bias_ || k_bias_ || v_bias_ || o_bias_;
  if (more || rope_ == nullptr) return false;
  layer.attention_norm = {norm_.get(), norm_epsilon_};
  layer.q = q_.get();
  layer.k = k_.get();
  layer.v = v_.get();
  layer.out = o_.get();
  layer.q_norm = q_norm_.get();
  layer.k_norm = k_norm_.get();
  layer.attention = shape_;
  layer.rope = rope_;
  return true;
}

}  // namespace hangar
