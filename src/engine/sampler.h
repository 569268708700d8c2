// Sampler: from one row of logits to the next token, by one request's parameters.
//
// Promise: pick() applies, in this order: logit_bias, repetition penalty (tokens of prompt and
//   output), presence and frequency penalties (output), the ban on stop tokens before min_tokens,
//   temperature, top_k, top_p, min_p; then draws. temperature 0 takes the likeliest, the lowest id
//   among equals. The log-probabilities it reports are the model's own, before all of that.
//   With a seed, the draw depends on the seed and on how many tokens were drawn before, on nothing
//   else: not on the batch and not on time.
// Errors: none; logits that are not finite are never picked (if none is finite: token 0).
// Threads: one sequence, one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/request.h"

namespace hangar {

struct Pick {
  std::int32_t token = 0;
  bool has_logprob = false;
  float logprob = 0.0F;
  std::vector<TokenLogprob> top;
};

class Sampler {
 public:
  // `choice` makes the streams of a request's choices differ. Keeps copies of what it needs.
  Sampler(const Request& request, std::int32_t choice);

  // logits is scratch: it is changed.
  Pick pick(std::span<float> logits);

 private:
  void adjust(std::span<float> logits) const;
  std::int32_t draw(std::span<const float> logits);
  double next_uniform();  // [0, 1)

  SamplingParams params_;
  std::int32_t logprobs_;
  std::int32_t min_tokens_;
  std::vector<std::int32_t> stop_tokens_;
  std::unordered_set<std::int32_t> prompt_tokens_;  // only where a penalty needs them
  std::unordered_map<std::int32_t, std::int32_t> output_counts_;
  std::int32_t drawn_ = 0;
  std::uint64_t key_;
  std::vector<TokenLogprob> candidates_;  // kept between calls to save allocations
};

// The model's log-probability of `token` and the `top` likeliest tokens (-1: neither).
Pick score(std::span<const float> logits, std::int32_t token, std::int32_t top);

}  // namespace hangar
