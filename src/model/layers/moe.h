// A mixture of experts in place of a layer's MLP: norm, router, the chosen experts, residual.
//
// Promise: x += sum over the experts_used experts that the router scores highest for a row of
//   weight * down(f(gate(n)) * up(n)), with n = rms_norm(x). An expert runs once a step, over the
//   rows that chose it; a row adds its experts up in their order, whatever else is in the batch.
//   Who chooses: the backend, where it has a way for these experts and so many rows, else the host,
//   which then waits for the scores: needs_host().
//   gate and up of all experts may lie in one tensor (ffn_gate_up_exps), in this order.
// Shapes: x {rows, hidden}; scratch as MoeScratch says, at least as many rows.
// Errors: load: as WeightLoader. Threads: one (the step thread).
// Source: Shazeer et al., "Outrageously large neural networks" (2017); Jiang et al., "Mixtral of
//   experts" (2024).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "formats/model_config.h"
#include "model/weights.h"

namespace hangar {

struct MoeScratch {
  Activation normed;    // {rows, hidden}
  Activation scores;    // {rows, experts}
  Activation gathered;  // {rows, hidden}: of one expert
  Activation gate, up;  // {rows, expert_feed_forward}
  Activation product;   // {rows, hidden}
  // On the host: the choices of a step; the same by expert, whose rows begin at starts[expert].
  std::vector<std::int32_t> ids;
  std::vector<float> weights;
  std::vector<std::int32_t> starts;
  std::vector<std::int32_t> rows;
  std::vector<float> row_weights;
};

class MoeLayer {
 public:
  static Result<MoeLayer> load(WeightLoader& loader, const ModelConfig& config, std::int32_t layer);
  void forward(Backend& backend, Activation x, MoeScratch& scratch) const;
  bool needs_host(const Backend& backend, std::int64_t rows) const {
    return joined_ == nullptr || rows > backend.most_mixed_rows();
  }

 private:
  struct Expert {
    WeightPtr gate, up, down;
  };
  void run_expert(Backend& backend, Activation x, std::size_t expert, MoeScratch& scratch) const;

  float norm_epsilon_ = 0.0F;
  GateFunction function_ = GateFunction::kSilu;
  std::int32_t used_ = 0;
  bool normalize_ = true;
  WeightPtr norm_, router_;
  std::vector<Expert> experts_;
  std::unique_ptr<const ExpertSet> joined_;  // nullptr: the backend has no way for them
};

}  // namespace hangar
