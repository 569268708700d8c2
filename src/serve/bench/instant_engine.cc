#include "serve/bench/instant_engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace hangar {

InstantEngine::InstantEngine(std::vector<std::int32_t> answer, std::int32_t context_tokens,
                             std::int32_t vocabulary)
    : answer_(std::move(answer)) {
  if (answer_.empty()) answer_.push_back(0);
  info_.model = "instant";
  info_.backend = "none";
  info_.context_tokens = context_tokens;
  info_.vocabulary = vocabulary;
}

Status InstantEngine::submit_all(std::vector<Request> requests) {
  std::vector<Event> made;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t generated_tokens = 0;
  for (const Request& request : requests) {
    const std::int32_t choices = std::max(request.choices, 1);
    made.reserve(
        made.size() +
        static_cast<std::size_t>(choices) * (static_cast<std::size_t>(request.max_tokens) + 2) + 1);
    Event event;
    event.request = request.id;
    for (event.choice = 0; event.choice < choices; ++event.choice) {
      event.kind = EventKind::kStarted;
      made.push_back(event);
      event.kind = EventKind::kToken;
      for (std::int32_t i = 0; i < request.max_tokens; ++i) {
        event.token = answer_[static_cast<std::size_t>(i) % answer_.size()];
        made.push_back(event);
      }
      event.kind = EventKind::kChoiceFinished;
      event.finish = FinishReason::kLength;
      event.token = -1;
      made.push_back(event);
    }
    event.choice = 0;
    event.kind = EventKind::kFinished;
    event.usage.prompt_tokens = static_cast<std::int32_t>(request.prompt.size());
    event.usage.completion_tokens = choices * request.max_tokens;
    made.push_back(event);
    prompt_tokens += request.prompt.size();
    generated_tokens += static_cast<std::uint64_t>(event.usage.completion_tokens);
  }

  std::lock_guard lock(mutex_);
  if (draining_ || stop_) return make_error(ErrorCode::kUnavailable, "the engine is stopping");
  ++stats_.steps;
  stats_.prompt_tokens += prompt_tokens;
  stats_.generated_tokens += generated_tokens;
  const bool was_empty = events_.empty();
  events_.insert(events_.end(), std::make_move_iterator(made.begin()),
                 std::make_move_iterator(made.end()));
  if (was_empty) came_.notify_one();
  return {};
}

std::vector<Event> InstantEngine::next_events(std::int64_t timeout_us) {
  std::unique_lock lock(mutex_);
  came_.wait_for(lock, std::chrono::microseconds(timeout_us),
                 [&] { return !events_.empty() || stop_; });
  return std::exchange(events_, {});
}

EngineStats InstantEngine::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

void InstantEngine::drain() {
  std::lock_guard lock(mutex_);
  draining_ = true;
}

void InstantEngine::stop() {
  std::lock_guard lock(mutex_);
  stop_ = true;
  came_.notify_all();
}

bool InstantEngine::stopped() const {
  std::lock_guard lock(mutex_);
  return stop_ && events_.empty();
}

}  // namespace hangar
