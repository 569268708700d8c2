// Sampling: from rows of logits to tokens, for all rows of a step at once.
//
// Promise: each row is its own: its token depends on its logits and its SampleRow alone, not on the
//   other rows and not on threads. Applied in this order: bias, repetition penalty, presence and
//   frequency penalties, bans, temperature, top_k, top_p, min_p; then `uniform` picks from what is
//   left, summed in the order of ids. temperature 0 takes the likeliest, the lowest id among
//   equals. Log-probabilities are the model's own: of the logits before all of that. Logits that
//   are not finite are never picked; where none is finite the token is 0.
// Units: probabilities; natural logarithms.
// Threads: values. The spans live until sample() returns.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "tensor/token_logprob.h"

namespace hangar {

struct TokenCount {
  std::int32_t token = 0;
  std::int32_t count = 0;
};

struct SampleRow {
  std::int32_t row = 0;        // of the logits
  std::int32_t forced = -1;    // >= 0: this token is taken, only its log-probabilities are wanted
  std::int32_t logprobs = -1;  // how many of the likeliest are reported beside the token; -1: none,
                               // not even the token's own
  float temperature = 1.0F;    // 0: greedy
  float top_p = 1.0F;          // (0, 1]
  std::int32_t top_k = 0;      // 0: off
  float min_p = 0.0F;          // [0, 1]
  double uniform = 0.0;        // [0, 1): the draw
  // >= 0, only where the backend runs ahead: the token that this SampleRow of the step before drew
  // belongs into `seen` and `counts` too; the host does not know it yet.
  std::int32_t pending = -1;
  float repetition_penalty = 1.0F;
  float presence_penalty = 0.0F;
  float frequency_penalty = 0.0F;
  // Ids outside the vocabulary are ignored.
  std::span<const std::pair<std::int32_t, float>> bias = {};
  std::span<const std::int32_t> seen = {};  // tokens the repetition penalty falls on, each once
  std::span<const TokenCount> counts = {};  // output tokens, for presence and frequency
  std::span<const std::int32_t> banned = {};
};

struct Sampled {
  std::int32_t token = 0;
  bool has_logprob = false;
  float logprob = 0.0F;
  std::vector<TokenLogprob> top;  // likeliest first, the lower id among equals
};

}  // namespace hangar
