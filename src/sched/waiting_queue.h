// WaitingQueue: all waiting sequences: higher priorities first, fair within each.
//
// Promise: one FairQueue a priority, with counters of its own: what a tenant was served at another
//   priority does not count here. One is made when a sequence of its priority comes and dropped
//   when the last one has gone.
// Threads: the scheduler's one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "sched/fair_queue.h"

namespace hangar {

class WaitingQueue {
 public:
  // Sets the sequence's queue and tenant; leave() undoes it, once, when the sequence goes for good.
  void join(SequenceState& sequence, const std::string& tenant);
  void leave(SequenceState& sequence);

  void push(SequenceState& sequence);
  void take(SequenceState& sequence);
  SequenceState* front();
  std::int32_t waiting() const { return waiting_; }

 private:
  std::map<std::int32_t, FairQueue, std::greater<>> queues_;
  std::int32_t waiting_ = 0;
};

}  // namespace hangar
