#include "model/layers/gated_mlp.h"

#include <array>

namespace hangar {

Result<GatedMlp> GatedMlp::load(WeightLoader& loader, const ModelConfig& config,
                                const std::string& prefix) {
  GatedMlp mlp;
  HANGAR_TRY(mlp.norm_, loader.load(prefix + "ffn_norm.weight", 1, config.hidden));
  HANGAR_TRY(mlp.gate_,
             loader.load(prefix + "ffn_gate.weight", config.feed_forward, config.hidden));
  HANGAR_TRY(mlp.up_, loader.load(prefix + "ffn_up.weight", config.feed_forward, config.hidden));
  HANGAR_TRY(mlp.down_,
             loader.load(prefix + "ffn_down.weight", config.hidden, config.feed_forward));
  return mlp;
}

void GatedMlp::forward(Backend& backend, Activation x, const GatedMlpScratch& scratch,
                       const ModelConfig& config) const {
  const Activation normed = scratch.normed.first_rows(x.rows);
  const Activation gate = scratch.gate.first_rows(x.rows);
  const Activation up = scratch.up.first_rows(x.rows);
  const Activation product = scratch.product.first_rows(x.rows);
  backend.rms_norm(normed, x, *norm_, config.norm_epsilon);
  backend.matmul(std::array{gate, up}, normed, std::array{gate_.get(), up_.get()});
  backend.silu_mul(gate, gate, up);
  backend.matmul(std::array{product}, gate, std::array{down_.get()});
  backend.add(x, product);
}

}  // namespace hangar
