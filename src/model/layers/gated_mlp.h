// The feed-forward half of a decoder layer: norm, gate and up, SiLU, down, residual.
//
// Promise: x += down(silu(gate(n)) * up(n)) with n = rms_norm(x).
// Shapes: x {rows, hidden}; scratch as GatedMlpScratch says, at least as many rows.
// Errors: load: as WeightLoader. Threads: one (the step thread).
#pragma once

#include <string>

#include "backend/backend.h"
#include "formats/model_config.h"
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
                               const std::string& prefix);
  void forward(Backend& backend, Activation x, const GatedMlpScratch& scratch,
               const ModelConfig& config) const;

 private:
  WeightPtr norm_, gate_, up_, down_;
};

}  // namespace hangar
