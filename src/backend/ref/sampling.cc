#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/logit_adjustments.h"
#include "backend/ref/ops.h"

namespace hangar::ref {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// A token with its logit and, where it may be drawn, its weight e^((logit - largest) / T).
struct Candidate {
  std::int32_t token = 0;
  float logit = kNever;
  float weight = 0.0F;
};

bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

// All tokens; a logit that is not finite is the least of all.
std::vector<Candidate> all_tokens(std::span<const float> logits) {
  std::vector<Candidate> all(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    all[i].token = static_cast<std::int32_t>(i);
    if (std::isfinite(logits[i])) all[i].logit = logits[i];
  }
  return all;
}

double weight_of_all(std::span<const Candidate> candidates) {
  double total = 0.0;
  for (const Candidate& c : candidates) total += static_cast<double>(c.weight);
  return total;
}

std::int32_t draw(std::span<const float> logits, const SampleRow& row) {
  std::vector<Candidate> candidates = all_tokens(logits);
  const Candidate best = *std::ranges::min_element(candidates, likelier);
  const float inverse_temperature = 1.0F / row.temperature;
  if (best.logit == kNever) return 0;
  if (!(row.temperature > 0.0F) || !std::isfinite(inverse_temperature)) return best.token;

  for (Candidate& c : candidates) c.weight = std::exp((c.logit - best.logit) * inverse_temperature);
  std::erase_if(candidates, [](const Candidate& c) { return !(c.weight > 0.0F); });
  const bool front_alone = row.top_k > 0 || row.top_p < 1.0F;
  if (front_alone) std::ranges::sort(candidates, likelier);
  if (row.top_k > 0 && static_cast<std::size_t>(row.top_k) < candidates.size()) {
    candidates.resize(static_cast<std::size_t>(row.top_k));
  }
  if (row.top_p < 1.0F) {
    const double wanted = static_cast<double>(row.top_p) * weight_of_all(candidates);
    double sum = 0.0;
    std::size_t kept = 0;
    while (kept < candidates.size() && (kept == 0 || sum < wanted)) {
      sum += static_cast<double>(candidates[kept++].weight);
    }
    candidates.resize(kept);
  }
  // The likeliest has weight 1, so a weight is a probability relative to it, as min_p is.
  std::erase_if(candidates, [&](const Candidate& c) { return c.weight < row.min_p; });

  if (front_alone) std::ranges::sort(candidates, {}, &Candidate::token);
  const double wanted = row.uniform * weight_of_all(candidates);
  double sum = 0.0;
  for (const Candidate& c : candidates) {
    sum += static_cast<double>(c.weight);
    if (sum > wanted) return c.token;
  }
  return candidates.empty() ? best.token : candidates.back().token;
}

// Log-probabilities of `out.token` and of the likeliest.
void score(std::span<const float> logits, std::int32_t top, Sampled& out) {
  std::vector<Candidate> all = all_tokens(logits);
  const float largest = std::ranges::min_element(all, likelier)->logit;
  double sum = 0.0;
  for (const Candidate& c : all) {
    if (c.logit != kNever) {
      sum += std::exp(static_cast<double>(c.logit) - static_cast<double>(largest));
    }
  }
  const double normaliser = static_cast<double>(largest) + std::log(sum);
  const auto logprob = [&](const Candidate& c) {
    if (c.logit == kNever) return kNever;
    return static_cast<float>(static_cast<double>(c.logit) - normaliser);
  };
  out.has_logprob = true;
  out.logprob = logprob(all[static_cast<std::size_t>(out.token)]);
  const auto count = std::min(all.size(), static_cast<std::size_t>(top));
  std::ranges::partial_sort(all, all.begin() + static_cast<std::ptrdiff_t>(count), likelier);
  for (std::size_t i = 0; i < count; ++i) out.top.push_back({all[i].token, logprob(all[i])});
}

}  // namespace

void sample(Activation logits, std::span<const SampleRow> rows, std::span<Sampled> out) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const SampleRow& row = rows[i];
    const std::span<const float> own = logits.row(row.row);
    out[i] = {};
    out[i].token = row.forced;
    if (row.forced < 0) {
      std::vector<float> adjusted(own.begin(), own.end());
      adjust_logits(adjusted, row);
      out[i].token = draw(adjusted, row);
    }
    if (row.logprobs >= 0) score(own, row.logprobs, out[i]);
  }
}

}  // namespace hangar::ref
