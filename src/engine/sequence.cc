#include "engine/sequence.h"

#include <algorithm>

namespace hangar {

Event Sequence::event(EventKind kind) const {
  Event event;
  event.request = request_->id;
  event.kind = kind;
  event.choice = choice_;
  return event;
}

void Sequence::tell_prompt(std::int32_t index, Sampled* sampled, std::vector<Event>& out) {
  Event told = event(EventKind::kPrompt);
  told.token = request_->prompt[static_cast<std::size_t>(index)];
  if (sampled != nullptr) {
    told.has_logprob = true;
    told.logprob = sampled->logprob;
    told.top = std::move(sampled->top);
  }
  out.push_back(std::move(told));
  prompt_told = index + 1;
}

Outcome Sequence::accept(Sampled sampled, std::vector<Event>& out) {
  sampler_.accept(sampled.token);
  ++generated_;
  const auto& stops = request_->stop_tokens;
  if (!request_->ignore_eos && std::ranges::find(stops, sampled.token) != stops.end()) {
    return {true, FinishReason::kStop, sampled.token};
  }
  Event token = event(EventKind::kToken);
  token.token = sampled.token;
  token.has_logprob = sampled.has_logprob;
  token.logprob = sampled.logprob;
  token.top = std::move(sampled.top);
  out.push_back(std::move(token));
  if (generated_ >= request_->max_tokens) return {true, FinishReason::kLength, -1};
  return {};
}

void Sequence::tell_end(FinishReason reason, std::int32_t stop_token, std::vector<Event>& out) {
  Event ended = event(EventKind::kChoiceFinished);
  ended.finish = reason;
  ended.stop_token = stop_token;
  ended.usage.completion_tokens = generated_;
  out.push_back(std::move(ended));
}

}  // namespace hangar
