#include "serve/running_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/units.h"

namespace hangar {
namespace {

bool is_answer(FinishReason reason) {
  return reason == FinishReason::kStop || reason == FinishReason::kLength;
}

}  // namespace

RunningStream::RunningStream(const Tokenizer& tokenizer, const Request& request,
                             const Options& options, ModelMetrics* metrics, std::int64_t now_us)
    : id_(request.id), queue_(options.queue), times_(metrics, request, now_us), metrics_(metrics) {
  usage_.prompt_tokens = static_cast<std::int32_t>(request.prompt.size());
  for (std::int32_t i = 0; i < std::max(request.choices, 1); ++i) {
    choices_.push_back({ChoiceAssembler(tokenizer, i, options.choice)});
  }
}

StreamAction RunningStream::on_event(const Event& event, std::int64_t now_us) {
  const auto index = static_cast<std::size_t>(event.choice);
  if (event.choice < 0 || index >= choices_.size()) return StreamAction::kNone;
  const bool was_stopped = choices_[index].assembler.stopped();
  const bool was_lost = cut_off_ || !is_answer(worst_);
  switch (event.kind) {
    case EventKind::kStarted:
      // Of the other choices it also says what they share with the first.
      if (index == 0) usage_.cached_tokens = event.usage.cached_tokens;
      times_.on_started(now_us);
      break;
    case EventKind::kPrompt:
      // The prompt is computed once, for all choices.
      for (Choice& choice : choices_) choice.assembler.on_prompt_token(event);
      break;
    case EventKind::kToken:
      on_token(event, now_us);
      break;
    case EventKind::kChoiceFinished:
      end_choice(index, event.finish);
      break;
    case EventKind::kFinished:
      on_finished(event, now_us);
      return StreamAction::kNone;
  }
  if (cut_off_ && !queue_.ended()) {
    push_end(FinishReason::kCancelled, "its reader was too slow: it was cut off", now_us);
  }
  if ((cut_off_ || !is_answer(worst_)) && !was_lost) return StreamAction::kCancelRequest;
  const bool stopped = choices_[index].assembler.stopped() && !was_stopped;
  return stopped && event.kind == EventKind::kToken ? StreamAction::kCancelChoice
                                                    : StreamAction::kNone;
}

void RunningStream::on_token(const Event& event, std::int64_t now_us) {
  const auto index = static_cast<std::size_t>(event.choice);
  Choice& choice = choices_[index];
  ++choice.tokens;
  if (choice.assembler.finished()) return;  // made before the engine heard of its end
  times_.on_token(index, now_us);
  push(choice.assembler.on_token(event));
  if (choice.assembler.finished()) end_choice(index, FinishReason::kStop);
}

void RunningStream::end_choice(std::size_t index, FinishReason reason) {
  Choice& choice = choices_[index];
  if (choice.ended) return;
  choice.ended = true;
  push(choice.assembler.on_end(reason));
  // What was held back may have held a stop string; then it is that which ended the choice.
  if (choice.assembler.stopped()) reason = FinishReason::kStop;
  times_.on_choice_end(index, reason);
  if (!is_answer(reason) && is_answer(worst_)) worst_ = reason;
}

void RunningStream::on_finished(const Event& event, std::int64_t now_us) {
  for (std::size_t i = 0; i < choices_.size(); ++i) end_choice(i, event.finish);
  // What the engine made beyond a stop string does not count.
  std::int32_t shown = 0, beyond = 0;
  for (const Choice& choice : choices_) {
    const std::int32_t counted = choice.assembler.completion_tokens();
    shown += counted;
    if (choice.assembler.stopped()) beyond += choice.tokens - counted;
  }
  usage_.completion_tokens = std::max(shown, event.usage.completion_tokens - beyond);
  push_end(worst_, event.error, now_us);
}

void RunningStream::push(std::optional<OutputPiece> piece) {
  if (!piece || queue_.push(std::move(*piece))) return;
  cut_off_ = true;
  if (metrics_ != nullptr) metrics_->slow_readers.fetch_add(1, std::memory_order_relaxed);
}

void RunningStream::push_end(FinishReason reason, std::string error, std::int64_t now_us) {
  if (queue_.ended()) return;
  OutputPiece piece;
  piece.end = true;
  piece.usage = usage_;
  if (!is_answer(reason)) {
    piece.finish = reason;
    piece.error = std::move(error);
  }
  times_.on_end(is_answer(reason) ? FinishReason::kStop : reason, usage_, now_us);
  (void)queue_.push(std::move(piece));  // an end is always taken
}

void RunningStream::end_early(FinishReason reason, std::string error, std::int64_t now_us) {
  push_end(reason, std::move(error), now_us);
}

void RunningStream::end_uncomputed() {
  for (Choice& choice : choices_) push(choice.assembler.on_end(FinishReason::kLength));
  OutputPiece piece;
  piece.end = true;
  piece.usage = usage_;
  (void)queue_.push(std::move(piece));
}

}  // namespace hangar
