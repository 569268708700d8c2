#include "sched/running_set.h"

#include <algorithm>

namespace hangar {
namespace {

bool goes_before(const SequenceState* a, const SequenceState* b) {
  if (a->priority != b->priority) return a->priority > b->priority;
  return a->age < b->age;
}

}  // namespace

void RunningSet::insert(SequenceState& sequence) {
  order_.insert(std::upper_bound(order_.begin(), order_.end(), &sequence, goes_before), &sequence);
}

void RunningSet::erase(SequenceState& sequence) {
  const auto place = std::lower_bound(order_.begin(), order_.end(), &sequence, goes_before);
  if (place != order_.end() && *place == &sequence) order_.erase(place);
}

SequenceState* RunningSet::last_after(const SequenceState& asking) const {
  for (auto one = order_.rbegin(); one != order_.rend() && *one != &asking; ++one) {
    if ((*one)->runs() && !(*one)->finished()) return *one;
  }
  return nullptr;
}

SequenceState* RunningSet::last_below(std::int32_t priority) const {
  for (auto one = order_.rbegin(); one != order_.rend() && (*one)->priority < priority; ++one) {
    if ((*one)->runs() && !(*one)->finished()) return *one;
  }
  return nullptr;
}

}  // namespace hangar
