#include "model/layers/moe.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <string>

namespace hangar {
namespace {

// Counting sort of a step's choices; rows stay in order within an expert.
void sort_by_expert(MoeScratch& scratch, std::size_t experts, std::int32_t used) {
  scratch.starts.assign(experts + 1, 0);
  for (const std::int32_t id : scratch.ids) ++scratch.starts[static_cast<std::size_t>(id) + 1];
  std::partial_sum(scratch.starts.begin(), scratch.starts.end(), scratch.starts.begin());
  scratch.rows.resize(scratch.ids.size());
  scratch.row_weights.resize(scratch.ids.size());
  for (std::size_t i = scratch.ids.size(); i-- > 0;) {
    const auto at =
        static_cast<std::size_t>(--scratch.starts[static_cast<std::size_t>(scratch.ids[i]) + 1]);
    scratch.rows[at] = static_cast<std::int32_t>(i) / used;
    scratch.row_weights[at] = scratch.weights[i];
  }
  // Filling moved each expert's end down to its start.
  std::rotate(scratch.starts.begin(), scratch.starts.begin() + 1, scratch.starts.end());
  scratch.starts.back() = static_cast<std::int32_t>(scratch.ids.size());
}

}  // namespace

Result<MoeLayer> MoeLayer::load(WeightLoader& loader, const ModelConfig& config,
                                std::int32_t layer) {
  const std::string prefix = "blk." + std::to_string(layer) + ".";
  const std::int64_t hidden = config.hidden;
  const std::int64_t inner = config.expert_feed_forward;
  const std::int32_t count = config.experts;
  MoeLayer moe;
  moe.norm_epsilon_ = config.norm_epsilon;
  moe.function_ = config.gate_function;
  moe.used_ = config.experts_used;
  moe.normalize_ = config.normalize_expert_weights;
  HANGAR_TRY(moe.norm_, loader.load(prefix + "ffn_norm.weight", 1, hidden));
  // Small, and a rounding that swaps two experts changes everything after it.
  HANGAR_TRY(moe.router_,
             loader.load(prefix + "ffn_gate_inp.weight", count, hidden, InputPrecision::kFine));

  const bool fused = loader.has(prefix + "ffn_gate_up_exps.weight");
  const std::string gate = prefix + (fused ? "ffn_gate_up" : "ffn_gate");
  const std::string up = prefix + (fused ? "ffn_gate_up" : "ffn_up");
  const std::int64_t rows = fused ? 2 * inner : inner;
  moe.experts_.resize(static_cast<std::size_t>(count));
  // One tensor after another: the loader keeps only the last one it read.
  for (std::int32_t e = 0; e < count; ++e) {
    HANGAR_TRY(moe.experts_[static_cast<std::size_t>(e)].gate,
               loader.load_expert(gate, e, count, {0, inner, rows}, hidden));
  }
  for (std::int32_t e = 0; e < count; ++e) {
    HANGAR_TRY(moe.experts_[static_cast<std::size_t>(e)].up,
               loader.load_expert(up, e, count, {fused ? inner : 0, inner, rows}, hidden));
  }
  for (std::int32_t e = 0; e < count; ++e) {
    HANGAR_TRY(moe.experts_[static_cast<std::size_t>(e)].down,
               loader.load_expert(prefix + "ffn_down", e, count, {0, hidden, hidden}, inner));
  }
  std::vector<ExpertWeights> all;
  for (const Expert& expert : moe.experts_) {
    all.push_back({expert.gate.get(), expert.up.get(), expert.down.get()});
  }
  HANGAR_TRY(moe.joined_, loader.join_experts(all, moe.used_));
  return moe;
}

void MoeLayer::forward(Backend& backend, Activation x, MoeScratch& scratch) const {
  const Activation normed = scratch.normed.first_rows(x.rows);
  const Activation scores = scratch.scores.first_rows(x.rows);
  backend.rms_norm(normed, x, *norm_, norm_epsilon_);
  backend.matmul(std::array{scores}, normed, std::array{router_.get()});
  if (!needs_host(backend, x.rows)) {
    return backend.mix_experts(x, normed, scores, *joined_, normalize_, function_);
  }
  scratch.ids.resize(static_cast<std::size_t>(x.rows * used_));
  scratch.weights.resize(scratch.ids.size());
  backend.top_experts(scores, used_, normalize_, scratch.ids, scratch.weights);
  sort_by_expert(scratch, experts_.size(), used_);
  for (std::size_t e = 0; e < experts_.size(); ++e) run_expert(backend, x, e, scratch);
}

void MoeLayer::run_expert(Backend& backend, Activation x, std::size_t expert,
                          MoeScratch& scratch) const {
  const auto first = static_cast<std::size_t>(scratch.starts[expert]);
  const auto count = static_cast<std::size_t>(scratch.starts[expert + 1]) - first;
  if (count == 0) return;
  const auto chosen_by = std::span(scratch.rows).subspan(first, count);
  const auto weights = std::span(scratch.row_weights).subspan(first, count);
  const Expert& part = experts_[expert];
  const auto rows = static_cast<std::int64_t>(count);
  const Activation gathered = scratch.gathered.first_rows(rows);
  const Activation gate = scratch.gate.first_rows(rows);
  const Activation up = scratch.up.first_rows(rows);
  const Activation product = scratch.product.first_rows(rows);
  backend.gather_rows(gathered, scratch.normed.first_rows(x.rows), chosen_by);
  backend.matmul(std::array{gate, up}, gathered, std::array{part.gate.get(), part.up.get()});
  backend.gate_mul(gate, gate, up, function_);
  backend.matmul(std::array{product}, gate, std::array{part.down.get()});
  backend.scatter_add_rows(x, product, chosen_by, weights);
}

}  // namespace hangar
