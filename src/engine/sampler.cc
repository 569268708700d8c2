#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace hangar {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// SplitMix64's finaliser: a well-mixed function of (key, counter).
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

std::uint64_t random_key() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

std::int32_t argmax(std::span<const float> logits) {
  std::size_t best = 0;
  float best_value = kNever;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > best_value) {  // false for NaN
      best_value = logits[i];
      best = i;
    }
  }
  return static_cast<std::int32_t>(best);
}

bool more_likely(const TokenLogprob& a, const TokenLogprob& b) {
  return a.logprob > b.logprob || (a.logprob == b.logprob && a.token < b.token);
}

// log(sum(exp(logits))) and the maximum; sums in double.
double log_sum_exp(std::span<const float> logits, float maximum) {
  double sum = 0.0;
  for (const float logit : logits) {
    if (std::isfinite(logit)) sum += std::exp(logit - maximum);
  }
  return maximum + std::log(sum);
}

// Sorts the front of `candidates` until it holds `share` of `total` weight (logprob is a weight
// here) and cuts the rest off. Few candidates carry most of the weight, so that sorting pieces that
// double beats sorting all.
void keep_top_share(std::vector<TokenLogprob>& candidates, double share, double total) {
  std::size_t sorted = 0;
  double sum = 0.0;
  for (std::size_t piece = 64; sorted < candidates.size(); piece *= 4) {
    const std::size_t end = std::min(candidates.size(), sorted + piece);
    std::partial_sort(candidates.begin() + static_cast<std::ptrdiff_t>(sorted),
                      candidates.begin() + static_cast<std::ptrdiff_t>(end), candidates.end(),
                      more_likely);
    for (; sorted < end; ++sorted) {
      sum += candidates[sorted].logprob;
      if (sum >= share * total) {
        candidates.resize(sorted + 1);
        return;
      }
    }
  }
}

}  // namespace

Pick score(std::span<const float> logits, std::int32_t token, std::int32_t top) {
  Pick pick;
  pick.token = token;
  if (top < 0) return pick;
  const float maximum = logits[static_cast<std::size_t>(argmax(logits))];
  const double normaliser = log_sum_exp(logits, maximum);
  const auto logprob_of = [&](std::int32_t id) {
    const float logit = logits[static_cast<std::size_t>(id)];
    return std::isfinite(logit) ? static_cast<float>(logit - normaliser) : kNever;
  };
  pick.has_logprob = true;
  pick.logprob = logprob_of(token);
  if (top == 0) return pick;
  std::vector<TokenLogprob> all(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    all[i] = {id, std::isfinite(logits[i]) ? logits[i] : kNever};
  }
  const auto n = std::min(all.size(), static_cast<std::size_t>(top));
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n), all.end(),
                    more_likely);
  all.resize(n);
  for (TokenLogprob& entry : all) entry.logprob = logprob_of(entry.token);
  pick.top = std::move(all);
  return pick;
}

Sampler::Sampler(const Request& request, std::int32_t choice)
    : params_(request.sampling),
      logprobs_(request.logprobs),
      min_tokens_(request.min_tokens),
      key_(params_.seed ? *params_.seed : random_key()) {
  key_ = mix(key_ + static_cast<std::uint64_t>(choice));
  if (!request.ignore_eos) stop_tokens_ = request.stop_tokens;
  if (params_.repetition_penalty != 1.0F) {
    prompt_tokens_.insert(request.prompt.begin(), request.prompt.end());
  }
}

Pick Sampler::pick(std::span<float> logits) {
  // Scored first: what is reported is the model's opinion, not ours.
  Pick raw;
  std::vector<float> own;
  if (logprobs_ >= 0) own.assign(logits.begin(), logits.end());
  adjust(logits);
  const std::int32_t token = draw(logits);
  if (logprobs_ >= 0) raw = score(own, token, logprobs_);
  raw.token = token;
  ++output_counts_[token];
  ++drawn_;
  return raw;
}

void Sampler::adjust(std::span<float> logits) const {
  const auto at = [&](std::int32_t token) -> float* {
    const auto i = static_cast<std::size_t>(token);
    return token >= 0 && i < logits.size() ? &logits[i] : nullptr;
  };
  for (const auto& [token, bias] : params_.logit_bias) {
    if (float* logit = at(token)) *logit += bias;
  }
  if (params_.repetition_penalty != 1.0F) {
    const auto punish = [&](std::int32_t token) {
      if (float* logit = at(token)) {
        *logit = *logit > 0.0F ? *logit / params_.repetition_penalty
                               : *logit * params_.repetition_penalty;
      }
    };
    for (const std::int32_t token : prompt_tokens_) punish(token);
    for (const auto& [token, count] : output_counts_) {
      if (!prompt_tokens_.contains(token)) punish(token);
    }
  }
  if (params_.presence_penalty != 0.0F || params_.frequency_penalty != 0.0F) {
    for (const auto& [token, count] : output_counts_) {
      if (float* logit = at(token)) {
        *logit -= params_.presence_penalty + params_.frequency_penalty * static_cast<float>(count);
      }
    }
  }
  if (drawn_ < min_tokens_) {
    for (const std::int32_t token : stop_tokens_) {
      if (float* logit = at(token)) *logit = kNever;
    }
  }
}

std::int32_t Sampler::draw(std::span<const float> logits) {
  const std::int32_t best = argmax(logits);
  const float maximum = logits[static_cast<std::size_t>(best)];
  if (params_.temperature <= 0.0F || params_.top_k == 1 || !std::isfinite(maximum)) return best;

  // Candidates with their weights exp((logit - max) / T); .logprob holds the weight from here on.
  candidates_.clear();
  const float inverse_temperature = 1.0F / params_.temperature;
  const float floor = params_.min_p > 0.0F ? params_.min_p : 0.0F;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float weight = std::exp((logits[i] - maximum) * inverse_temperature);
    if (weight > 0.0F) candidates_.push_back({static_cast<std::int32_t>(i), weight});
  }
  if (params_.top_k > 0 && static_cast<std::size_t>(params_.top_k) < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + params_.top_k, candidates_.end(),
                     more_likely);
    candidates_.resize(static_cast<std::size_t>(params_.top_k));
  }
  if (params_.top_p < 1.0F) {
    double total = 0.0;
    for (const TokenLogprob& c : candidates_) total += c.logprob;
    keep_top_share(candidates_, params_.top_p, total);
  }
  // The likeliest has weight 1, so a weight is a probability relative to it, as min_p is.
  if (floor > 0.0F) {
    std::erase_if(candidates_, [&](const TokenLogprob& c) { return c.logprob < floor; });
  }
  // Summed in order of id, so that the draw does not depend on how the candidates were sorted.
  std::sort(candidates_.begin(), candidates_.end(),
            [](const TokenLogprob& a, const TokenLogprob& b) { return a.token < b.token; });
  double total = 0.0;
  for (const TokenLogprob& c : candidates_) total += c.logprob;
  const double wanted = next_uniform() * total;
  double sum = 0.0;
  for (const TokenLogprob& c : candidates_) {
    sum += c.logprob;
    if (sum > wanted) return c.token;
  }
  return candidates_.empty() ? best : candidates_.back().token;
}

double Sampler::next_uniform() {
  const std::uint64_t bits = mix(key_ ^ mix(static_cast<std::uint64_t>(drawn_)));
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace hangar
