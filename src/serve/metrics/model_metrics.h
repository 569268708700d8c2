// ModelMetrics: what one model's requests have done, as its pump thread saw it.
//
// Promise: written by the pump with relaxed atomics, read by whoever asks for /metrics. All counts
//   are since start; times are microseconds. The borders are vLLM's, so that a dashboard reads
//   both.
// Errors: none. Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "engine/request.h"
#include "serve/metrics/metric_histogram.h"

namespace hangar {

inline constexpr std::size_t kFinishReasons = 5;
// "stop", "length", "abort", "error", "timeout": the first four are vLLM's words.
std::string_view finish_label(FinishReason reason);

struct ModelMetrics {
  ModelMetrics();

  using Count = std::atomic<std::uint64_t>;

  std::array<Count, kFinishReasons> choices_ended{};  // by FinishReason, one for each choice
  std::array<Count, kFinishReasons>
      requests_ended{};    // kStop: answered, whatever ended its choices
  Count prompt_tokens{0};  // of requests that began; from the prefix cache or computed
  Count slow_readers{0};   // streams cut off since nobody read them

  MetricHistogram time_to_first_token_us;  // from submission; the first of a request's choices
  MetricHistogram inter_token_us;          // between two tokens of a choice
  MetricHistogram token_mean_us;           // a choice's mean time between tokens
  MetricHistogram request_us;              // submission to end, of requests that were answered
  MetricHistogram queue_us;                // submission to the first planned step
  MetricHistogram prefill_us;              // first planned step to first token
  MetricHistogram decode_us;               // first token to last
  MetricHistogram inference_us;            // first planned step to last token
  MetricHistogram request_prompt_tokens;
  MetricHistogram request_generation_tokens;  // all choices together
  MetricHistogram request_max_tokens;         // as asked, cut to the context
  MetricHistogram request_choices;
};

}  // namespace hangar
