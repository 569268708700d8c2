// RequestTimes: one request's moments, from its submission to its end, into ModelMetrics.
//
// Promise: each moment is counted once; a request that ends badly adds to the counts of ends, not
// to
//   the times of answers. Without metrics (a warm-up) nothing is counted.
// Errors: none. Threads: the pump's.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/request.h"
#include "serve/metrics/model_metrics.h"

namespace hangar {

class RequestTimes {
 public:
  // metrics: nullptr: not counted; else it outlives this.
  RequestTimes(ModelMetrics* metrics, const Request& request, std::int64_t now_us);

  void on_started(std::int64_t now_us);  // the first call counts
  void on_token(std::size_t choice, std::int64_t now_us);
  void on_choice_end(std::size_t choice, FinishReason reason);  // the first call of a choice counts
  // kStop: it was answered.
  void on_end(FinishReason reason, const Usage& usage, std::int64_t now_us);

 private:
  struct Choice {
    std::int64_t first_token_us = 0;
    std::int64_t last_token_us = 0;
    std::int64_t tokens = 0;
    bool ended = false;
  };

  ModelMetrics* metrics_;
  std::int64_t submitted_us_;
  std::int64_t started_us_ = 0;
  std::int64_t first_token_us_ = 0;
  std::int64_t last_token_us_ = 0;
  std::int64_t prompt_tokens_;
  std::int64_t max_tokens_;
  std::vector<Choice> choices_;
};

}  // namespace hangar
