#include "model/layers/gated_mlp.h"

#include <array>

namespace hangar {

Result<GatedMlp> GatedMlp::load(WeightLoader& loader, const ModelConfig& config,
                                const LayerOptions& options, std::int32_t layer) {
  const std::string prefix = "blk." + std::to_string(layer) + ".";
  const std::int64_t hidden = config.hidden;
  const std::int64_t inner = config.feed_forward;
  GatedMlp mlp;
  mlp.norm_epsilon_ = config.norm_epsilon;
  mlp.function_ = config.gate_function;
  HANGAR_TRY(mlp.norm_, loader.load(prefix + "ffn_norm.weight", 1, hidden));

  // Fused, gate comes first in ffn_up.
  const bool fused = !loader.has(prefix + "ffn_gate.weight") &&
                     loader.rows_of(prefix + "ffn_up.weight") == 2 * inner;
  const std::string gate = prefix + (fused ? "ffn_up" : "ffn_gate");
  const std::string up = prefix + "ffn_up";
  const RowRange gate_rows{0, inner, fused ? 2 * inner : inner};
  const RowRange up_rows{fused ? inner : 0, inner, fused ? 2 * inner : inner};
  HANGAR_TRY(mlp.gate_, loader.load_rows(gate + ".weight", gate_rows, hidden));
  HANGAR_TRY(mlp.up_, loader.load_rows(up + ".weight", up_rows, hidden));
  HANGAR_TRY(mlp.down_, loader.load(prefix + "ffn_down.weight", hidden, inner));
  HANGAR_TRY(mlp.gate_bias_, loader.load_bias(gate + ".bias", gate_rows, config.mlp_bias));
  HANGAR_TRY(mlp.up_bias_, loader.load_bias(up + ".bias", up_rows, config.mlp_bias));
  HANGAR_TRY(mlp.down_bias_,
             loader.load_bias(prefix + "ffn_down.bias", {0, hidden, hidden}, config.mlp_bias));
  if (options.post_norms) {
    HANGAR_TRY(mlp.post_norm_, loader.load(prefix + "post_ffw_norm.weight", 1, hidden));
  }
  return mlp;
}

void GatedMlp::forward(Backend& backend, Activation x, const GatedMlpScratch& scratch) const {
  const Activation normed = scratch.normed.first_rows(x.rows);
  const Activation gate = scratch.gate.first_rows(x.rows);
  const Activation up = scratch.up.first_rows(x.rows);
  const Activation product = scratch.product.first_rows(x.rows);
  const InputNorm norm{norm_.get(), norm_epsilon_};
  if (!gate_bias_ && !up_bias_ && !down_bias_ && !post_norm_) {
    backend.gated_mlp_add(x, norm, {gate_.get(), up_.get(), down_.get()}, function_,
                          {normed, gate, up, product});
    return;
  }
  backend.norm_matmul(std::array{gate, up}, x, norm, std::array{gate_.get(), up_.get()}, normed);
  if (gate_bias_) backend.add_bias(gate, *gate_bias_);
  if (up_bias_) backend.add_bias(up, *up_bias_);
  if (!down_bias_ && !post_norm_) {
    backend.gate_matmul_add(x, gate, up, function_, *down_, product);
    return;
  }
  backend.gate_mul(gate, gate, up, function_);
  backend.matmul(std::array{product}, gate, std::array{down_.get()});
  if (down_bias_) backend.add_bias(product, *down_bias_);
  if (post_norm_) backend.rms_norm(product, product, *post_norm_, norm_epsilon_);
  backend.add(x, product);
}

bool GatedMlp::stack_into(StackedLayer& layer) const {
  if (gate_bias_ || up_bias_ || down_bias_ || post_norm_) return false;
  layer.mlp_norm = {norm_.get(), norm_epsilon_};
  layer.mlp = {gate_.get(), up_.get(), down_.get()};
  layer.gate = function_;
  return true;
}

}  // namespace hangar
