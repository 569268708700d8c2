// The feed-forward half of a decoder layer: norm, gate and up, the gate's function, down, residual.
//
// Promise: x += p(down(f(gate(n)) * up(n))) with n = rms_norm(x); f is config.gate_function, p the
//   post norm or nothing. gate and up may lie in one tensor (ffn_up with twice the rows), in this
//   order.
// Shapes: x {rows, hidden}; scratch as GatedMlpScratch says, at least as many rows.
// Errors: load: as WeightLoader. Threads: one (the step thread).
#pragma once

#include <string>

#include "backend/backend.h"
#include "formats/model_config.h"
#include "model/layers/layer_options.h"
#include "model/weights.h"

namespace hangar {

struct GatedMlpScratch {
  Activation normed;    // {rows, hidden}
  Activation gate, up;  // {rows, feed_forward}
  Activation product;   // {rows, hidden}
};

class GatedMlp {
 public:
  static Result<GatedMlp> load(WeightLoader& loader, const ModelConfig& config,
                               const LayerOptions& options, std::int32_t layer);
  void forward(Backend& backend, Activation x, const GatedMlpScratch& scratch) const;
  // As AttentionLayer::stack_into().
  bool stack_into(StackedLayer& layer) const;

 private:
  float norm_epsilon_ = 0.0F;
  GateFunction function_ = GateFunction::kSilu;
  WeightPtr norm_, gate_, up_, down_;
  WeightPtr post_norm_;                        // nullptr where the architecture has none
  WeightPtr gate_bias_, up_bias_, down_bias_;  // nullptr where the model has none
};

}  // namespace hangar
