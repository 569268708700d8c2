#include "engine/sampler_state.h"

#include <random>
#include <utility>

namespace hangar {
namespace {

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

bool punishes_repetition(const SamplingParams& params) {
  return params.repetition_penalty != 1.0F;
}

bool counts_output(const SamplingParams& params) {
  return params.presence_penalty != 0.0F || params.frequency_penalty != 0.0F;
}

}  // namespace

SamplerState::SamplerState(std::shared_ptr<const Request> request, std::int32_t choice)
    : request_(std::move(request)) {
  const SamplingParams& params = request_->sampling;
  key_ = mix((params.seed ? *params.seed : random_key()) + static_cast<std::uint64_t>(choice));
  if (!punishes_repetition(params)) return;
  for (const std::int32_t token : request_->prompt) {
    if (seen_set_.insert(token).second) seen_.push_back(token);
  }
}

double SamplerState::uniform(std::int32_t draw) const {
  const std::uint64_t bits = mix(key_ ^ mix(static_cast<std::uint64_t>(draw)));
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

SampleRow SamplerState::next(std::int32_t logits_row, std::int32_t pending) const {
  const SamplingParams& params = request_->sampling;
  const std::int32_t drawn = drawn_ + (pending >= 0 ? 1 : 0);
  SampleRow row;
  row.row = logits_row;
  row.logprobs = request_->logprobs;
  row.temperature = params.temperature;
  row.top_p = params.top_p;
  row.top_k = params.top_k;
  row.min_p = params.min_p;
  row.uniform = uniform(drawn);
  row.repetition_penalty = params.repetition_penalty;
  row.presence_penalty = params.presence_penalty;
  row.frequency_penalty = params.frequency_penalty;
  row.bias = params.logit_bias;
  row.seen = seen_;
  row.counts = counts_;
  if (punishes_repetition(params) || counts_output(params)) row.pending = pending;
  if (!request_->ignore_eos && drawn < request_->min_tokens) row.banned = request_->stop_tokens;
  return row;
}

void SamplerState::accept(std::int32_t token) {
  ++drawn_;
  const SamplingParams& params = request_->sampling;
  if (punishes_repetition(params) && seen_set_.insert(token).second) seen_.push_back(token);
  if (!counts_output(params)) return;
  const auto [at, added] = count_at_.try_emplace(token, counts_.size());
  if (added) counts_.push_back({token, 0});
  ++counts_[at->second].count;
}

}  // namespace hangar
