// The attention half of a decoder layer: norm, q k v, rotary, cache, attention, output, residual.
//
// Promise: x += p(o(attention(r(q(n)), r(k(n)), v(n)))) with n = rms_norm(x); r normalizes each
// head
//   where the architecture does and rotates where the layer does; p is the post norm or nothing.
//   q, k and v may lie in one tensor (attn_qkv), in this order. Window, scale and soft cap are the
//   config's.
// Shapes: x {rows, hidden}; scratch as AttentionScratch says, at least as many rows.
// Errors: load: as WeightLoader. Threads: one (the step thread).
#pragma once

#include <string>

#include "backend/backend.h"
#include "formats/model_config.h"
#include "model/layers/layer_options.h"
#include "model/weights.h"

namespace hangar {

struct AttentionScratch {
  Activation normed;   // {rows, hidden}
  Activation q, out;   // {rows, heads * head_dim}
  Activation k, v;     // {rows, kv_heads * head_dim}
  Activation product;  // {rows, hidden}
};

// What a step brings to each layer.
struct LayerStep {
  Backend& backend;
  const RaggedBatch& batch;
  KvCache& cache;
};

class AttentionLayer {
 public:
  // `rope` outlives the layer; nullptr: this layer is not rotated.
  static Result<AttentionLayer> load(WeightLoader& loader, const ModelConfig& config,
                                     const LayerOptions& options, std::int32_t layer,
                                     const RopeTable* rope);
  void forward(const LayerStep& step, Activation x, const AttentionScratch& scratch) const;
  // Whether it is what a StackedLayer says and nothing more; its half of that is filled in then.
  bool stack_into(StackedLayer& layer) const;

 private:
  Status load_qkv(WeightLoader& loader, const ModelConfig& config, const std::string& prefix);

  std::int32_t layer_ = 0;
  float norm_epsilon_ = 0.0F;
  AttentionShape shape_;
  const RopeTable* rope_ = nullptr;
  WeightPtr norm_, q_, k_, v_, o_;
  WeightPtr q_norm_, k_norm_, post_norm_;        // nullptr where the architecture has none
  WeightPtr q_bias_, k_bias_, v_bias_, o_bias_;  // nullptr where the model has none
};

}  // namespace hangar
