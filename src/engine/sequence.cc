#include "engine/sequence.h"

#include <algorithm>
#include <utility>

namespace hangar {

Sequence::Sequence(Request request, BlockPool& pool, std::int32_t block_tokens)
    : request_(std::move(request)), blocks_(pool, block_tokens), tokens_(request_.prompt) {
  sampler_.emplace(request_, choice_);
  usage_.prompt_tokens = static_cast<std::int32_t>(request_.prompt.size());
}

std::span<const std::int32_t> Sequence::tokens(std::int32_t first, std::int32_t count) const {
  return std::span(tokens_).subspan(static_cast<std::size_t>(first),
                                    static_cast<std::size_t>(count));
}

Event Sequence::event(EventKind kind) const {
  Event event;
  event.request = request_.id;
  event.kind = kind;
  event.choice = choice_;
  return event;
}

void Sequence::report_prompt(std::int32_t first, std::int32_t count, std::span<const float> logits,
                             std::size_t vocabulary, std::vector<Event>& out) {
  if (first == 0) {
    Event head = event(EventKind::kPrompt);
    head.token = request_.prompt.front();
    out.push_back(std::move(head));
  }
  const auto prompt = static_cast<std::int32_t>(request_.prompt.size());
  for (std::int32_t i = 0; i < count && first + i + 1 < prompt; ++i) {
    const auto row = logits.subspan(static_cast<std::size_t>(i) * vocabulary, vocabulary);
    const std::int32_t token =
        request_.prompt[static_cast<std::size_t>(first) + static_cast<std::size_t>(i) + 1];
    Pick pick = score(row, token, std::max(0, request_.logprobs));
    Event scored = event(EventKind::kPrompt);
    scored.token = token;
    scored.has_logprob = true;
    scored.logprob = pick.logprob;
    scored.top = std::move(pick.top);
    out.push_back(std::move(scored));
  }
  if (first + count >= prompt) prompt_reported_ = true;
}

Sequence::Outcome Sequence::accept(const Pick& pick, std::vector<Event>& out) {
  ++generated_;
  ++usage_.completion_tokens;
  const auto& stops = request_.stop_tokens;
  if (!request_.ignore_eos && std::find(stops.begin(), stops.end(), pick.token) != stops.end()) {
    return {true, FinishReason::kStop, pick.token};
  }
  tokens_.push_back(pick.token);
  Event token = event(EventKind::kToken);
  token.token = pick.token;
  token.has_logprob = pick.has_logprob;
  token.logprob = pick.logprob;
  token.top = pick.top;
  out.push_back(std::move(token));
  if (generated_ >= request_.max_tokens) return {true, FinishReason::kLength, -1};
  return {};
}

void Sequence::end_choice(FinishReason reason, std::int32_t stop_token, std::vector<Event>& out) {
  Event ended = event(EventKind::kChoiceFinished);
  ended.finish = reason;
  ended.stop_token = stop_token;
  out.push_back(std::move(ended));
  choice_open_ = false;
}

bool Sequence::next_choice() {
  if (choice_ + 1 >= request_.choices) return false;
  ++choice_;
  choice_open_ = true;
  generated_ = 0;
  tokens_ = request_.prompt;
  sampler_.emplace(request_, choice_);
  return true;
}

void Sequence::end_request(FinishReason reason, std::string error, std::vector<Event>& out) {
  if (choice_open_) end_choice(reason, -1, out);
  Event ended = event(EventKind::kFinished);
  ended.finish = reason;
  ended.usage = usage_;
  ended.error = std::move(error);
  out.push_back(std::move(ended));
}

}  // namespace hangar
