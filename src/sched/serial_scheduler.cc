#include "sched/serial_scheduler.h"

#include <algorithm>

namespace hangar {

SerialScheduler::Entry* SerialScheduler::find(SequenceId id) {
  const auto it =
      std::find_if(queue_.begin(), queue_.end(), [&](const Entry& e) { return e.id == id; });
  return it == queue_.end() ? nullptr : &*it;
}

void SerialScheduler::add(SequenceId id, std::int32_t known_tokens, std::int32_t priority) {
  // Behind all of the same or a higher priority, and never before one that has started.
  const auto place = std::find_if(queue_.begin(), queue_.end(), [&](const Entry& e) {
    return !e.started && e.priority < priority;
  });
  queue_.insert(place, Entry{id, known_tokens, 0, priority, false});
}

void SerialScheduler::remove(SequenceId id) {
  std::erase_if(queue_, [&](const Entry& e) { return e.id == id; });
}

std::optional<StepPlan> SerialScheduler::plan() const {
  if (queue_.empty()) return std::nullopt;
  const Entry& front = queue_.front();
  const std::int32_t left = front.known - front.computed;
  const std::int32_t tokens = std::min(left, chunk_tokens_);
  return StepPlan{front.id, front.computed, tokens, tokens == left};
}

void SerialScheduler::advance(const StepPlan& step, std::int32_t sampled) {
  Entry* entry = find(step.sequence);
  if (entry == nullptr) return;
  entry->started = true;
  entry->computed += step.tokens;
  entry->known += sampled;
}

void SerialScheduler::rewind(SequenceId id, std::int32_t known, std::int32_t computed) {
  Entry* entry = find(id);
  if (entry == nullptr) return;
  entry->known = known;
  entry->computed = computed;
}

std::int32_t SerialScheduler::waiting() const {
  return static_cast<std::int32_t>(
      std::count_if(queue_.begin(), queue_.end(), [](const Entry& e) { return !e.started; }));
}

}  // namespace hangar
