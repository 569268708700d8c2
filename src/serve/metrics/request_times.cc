#include "serve/metrics/request_times.h"

#include <algorithm>

namespace hangar {
namespace {

void add_one(ModelMetrics::Count& count) {
  count.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

RequestTimes::RequestTimes(ModelMetrics* metrics, const Request& request, std::int64_t now_us)
    : metrics_(metrics),
      submitted_us_(now_us),
      prompt_tokens_(static_cast<std::int64_t>(request.prompt.size())),
      max_tokens_(request.max_tokens),
      choices_(static_cast<std::size_t>(std::max(request.choices, 1))) {}

void RequestTimes::on_started(std::int64_t now_us) {
  if (started_us_ != 0) return;
  started_us_ = now_us;
  if (metrics_ == nullptr) return;
  metrics_->queue_us.observe(now_us - submitted_us_);
  metrics_->prompt_tokens.fetch_add(static_cast<std::uint64_t>(prompt_tokens_),
                                    std::memory_order_relaxed);
}

void RequestTimes::on_token(std::size_t index, std::int64_t now_us) {
  if (metrics_ == nullptr) return;
  Choice& choice = choices_[index];
  if (first_token_us_ == 0) {
    first_token_us_ = now_us;
    metrics_->time_to_first_token_us.observe(now_us - submitted_us_);
  }
  if (choice.tokens == 0) {
    choice.first_token_us = now_us;
  } else {
    metrics_->inter_token_us.observe(now_us - choice.last_token_us);
  }
  ++choice.tokens;
  choice.last_token_us = now_us;
  last_token_us_ = now_us;
}

void RequestTimes::on_choice_end(std::size_t index, FinishReason reason) {
  Choice& choice = choices_[index];
  if (metrics_ == nullptr || choice.ended) return;
  choice.ended = true;
  add_one(metrics_->choices_ended[static_cast<std::size_t>(reason)]);
  if (choice.tokens < 2) return;
  metrics_->token_mean_us.observe((choice.last_token_us - choice.first_token_us) /
                                  (choice.tokens - 1));
}

void RequestTimes::on_end(FinishReason reason, const Usage& usage, std::int64_t now_us) {
  if (metrics_ == nullptr) return;
  add_one(metrics_->requests_ended[static_cast<std::size_t>(reason)]);
  if (reason != FinishReason::kStop) return;
  metrics_->request_us.observe(now_us - submitted_us_);
  metrics_->request_prompt_tokens.observe(prompt_tokens_);
  metrics_->request_generation_tokens.observe(usage.completion_tokens);
  metrics_->request_max_tokens.observe(max_tokens_);
  metrics_->request_choices.observe(static_cast<std::int64_t>(choices_.size()));
  if (started_us_ == 0 || first_token_us_ == 0) return;
  metrics_->prefill_us.observe(first_token_us_ - started_us_);
  metrics_->decode_us.observe(last_token_us_ - first_token_us_);
  metrics_->inference_us.observe(last_token_us_ - started_us_);
}

}  // namespace hangar
