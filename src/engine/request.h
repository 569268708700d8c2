// The values that cross the Engine: requests in, events out. Tokens only, no text.
//
// Promise: plain values that can be serialised: the same structs travel over gRPC to a worker.
// Units: tokens, microseconds on the caller's clock for deadlines (0: none).
// Threads: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tensor/token_logprob.h"

namespace hangar {

using RequestId = std::uint64_t;

// Defaults are OpenAI's: no hidden top-k, top-p, min-p or penalties.
struct SamplingParams {
  float temperature = 1.0F;  // 0: greedy
  float top_p = 1.0F;        // (0, 1]; 1: off
  std::int32_t top_k = 0;    // 0: off
  float min_p = 0.0F;        // [0, 1]; 0: off
  float presence_penalty = 0.0F;
  float frequency_penalty = 0.0F;
  float repetition_penalty = 1.0F;  // over prompt and output
  std::optional<std::uint64_t> seed;
  std::vector<std::pair<std::int32_t, float>> logit_bias;
};

struct Request {
  RequestId id = 0;  // chosen by the caller, unique among those it has running
  std::vector<std::int32_t> prompt;
  std::int32_t max_tokens = 16;
  std::int32_t min_tokens = 0;
  // n: independent continuations of the one prompt, computed side by side; the prompt once. Choice
  // i with a seed draws as choice 0 of a request with seed + i.
  std::int32_t choices = 1;
  SamplingParams sampling;
  std::vector<std::int32_t> stop_tokens;  // end of generation; not emitted as text
  bool ignore_eos = false;                // stop_tokens are ordinary tokens
  // Log-probabilities of each chosen token and of this many likeliest beside it; -1: none.
  std::int32_t logprobs = -1;
  bool prompt_logprobs = false;  // the same for prompt tokens (echo): kPrompt events of choice 0
  std::string tenant;            // fairness and accounting; "" where there is none
  std::int32_t priority = 0;     // higher first
  std::int64_t deadline_us = 0;
};

enum class FinishReason : std::uint8_t { kStop, kLength, kCancelled, kFailed, kExpired };

struct Usage {
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_tokens = 0;      // of those, found in the prefix cache
  std::int32_t completion_tokens = 0;  // all choices together in a request's last event
};

enum class EventKind : std::uint8_t {
  kStarted,         // a choice's first step has been planned: usage.cached_tokens
  kPrompt,          // one prompt token's log-probabilities (the first has none)
  kToken,           // one generated token
  kChoiceFinished,  // a choice ended: finish
  kFinished,        // the request ended: usage; always the last event of a request, exactly once
};

struct Event {
  RequestId request = 0;
  EventKind kind = EventKind::kToken;
  std::int32_t choice = 0;
  std::int32_t token = -1;  // kToken, kPrompt
  bool has_logprob = false;
  float logprob = 0.0F;
  std::vector<TokenLogprob> top;  // likeliest first
  FinishReason finish = FinishReason::kStop;
  // kChoiceFinished by kStop: the stop token that ended it (not emitted), or -1.
  std::int32_t stop_token = -1;
  Usage usage;        // kFinished
  std::string error;  // kFinished with kFailed: what happened
};

}  // namespace hangar
