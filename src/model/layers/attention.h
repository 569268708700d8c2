// The attention half of a decoder layer: norm, q k v, rotary, cache, attention, output, residual.
//
// Promise: x += o(attention(rope(q(n)), rope(k(n)), v(n))) with n = rms_norm(x).
// Shapes: x {rows, hidden}; scratch as AttentionScratch says, at least as many rows.
// Errors: load: as WeightLoader. Threads: one (the step thread).
#pragma once

#include <string>

#include "backend/backend.h"
#include "formats/model_config.h"
#include "model/weights.h"

namespace hangar {

struct AttentionScratch {
  Activation normed;   // {rows, hidden}
  Activation q, out;   // {rows, heads * head_dim}
  Activation k, v;     // {rows, kv_heads * head_dim}
  Activation product;  // {rows, hidden}
};

class AttentionLayer {
 public:
  static Result<AttentionLayer> load(WeightLoader& loader, const ModelConfig& config,
                                     const std::string& prefix);
  void forward(Backend& backend, Activation x, const AttentionScratch& scratch,
               const ModelConfig& config, const RopeTable& rope, std::int32_t layer,
               const RaggedBatch& batch, KvCache& cache) const;

 private:
  WeightPtr norm_, q_, k_, v_, o_;
  WeightPtr q_bias_, k_bias_, v_bias_, o_bias_;  // nullptr where the model has none
};

}  // namespace hangar
