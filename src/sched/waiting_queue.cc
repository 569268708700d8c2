#include "sched/waiting_queue.h"

#include "sched/sequence_state.h"

namespace hangar {

void WaitingQueue::join(SequenceState& sequence, const std::string& tenant) {
  sequence.queue = &queues_[sequence.priority];
  sequence.tenant = sequence.queue->join(tenant);
}

void WaitingQueue::leave(SequenceState& sequence) {
  sequence.queue->leave(sequence.tenant);
  if (sequence.queue->sequences() == 0) queues_.erase(sequence.priority);
  sequence.queue = nullptr;
  sequence.tenant = nullptr;
}

void WaitingQueue::push(SequenceState& sequence) {
  sequence.queue->push(sequence);
  ++waiting_;
}

void WaitingQueue::take(SequenceState& sequence) {
  sequence.queue->take(sequence);
  --waiting_;
}

SequenceState* WaitingQueue::front() {
  for (auto& [priority, queue] : queues_) {
    if (queue.waiting() > 0) return queue.front();
  }
  return nullptr;
}

}  // namespace hangar
