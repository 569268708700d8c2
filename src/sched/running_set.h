// RunningSet: the sequences that hold blocks, in the order in which they get them.
//
// Promise: higher priorities first, then who was admitted first for the first time: a sequence that
//   was preempted keeps its age, so that it is the oldest one day and is never preempted again by
//   its equals. The end of the order is who gives way.
// Threads: the scheduler's one.
#pragma once

#include <cstddef>
#include <vector>

#include "sched/sequence_state.h"

namespace hangar {

class RunningSet {
 public:
  void insert(SequenceState& sequence);
  void erase(SequenceState& sequence);
  std::size_t size() const { return order_.size(); }
  bool empty() const { return order_.empty(); }
  SequenceState& operator[](std::size_t i) const { return *order_[i]; }
  // The last in order that will still run and comes after `asking`; nullptr: none.
  SequenceState* last_after(const SequenceState& asking) const;
  // The last in order that will still run, if its priority is below this; nullptr: none.
  SequenceState* last_below(std::int32_t priority) const;

 private:
  std::vector<SequenceState*> order_;
};

}  // namespace hangar
