// SchedulerState: everything that the scheduler knows, and the changes that keep it in order.
//
// Promise: each sequence is held back, waiting, running or expired; only running ones hold blocks.
//   How a step is put together is step_planner.h's.
// Threads: the scheduler's one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sched/running_set.h"
#include "sched/scheduler.h"
#include "sched/sequence_state.h"
#include "sched/waiting_queue.h"

namespace hangar {

class SchedulerState {
 public:
  explicit SchedulerState(const SchedulerOptions& options);

  void add(SequenceSpec spec);
  void remove(SequenceId id);
  void propose(SequenceId id, std::span<const std::int32_t> guesses);
  void commit(const StepItem& item, std::span<const std::int32_t> sampled);
  SequenceState* find(SequenceId id) const;

  // At the beginning of a plan: those whose deadline has passed get nothing any more, and forks
  // whose parents' prompts have been planned may begin.
  void begin_plan(std::int64_t now_us);
  // The next to be admitted as far as batches allow; nullptr: nobody. Forks and preempted members
  // of a batch that runs come before the queue.
  SequenceState* next_waiting();
  std::int32_t waiting_to_join() const;
  BatchingState batching_state(std::int64_t now_us) const;

  void admit(SequenceState& sequence);    // its blocks have been taken
  void preempt(SequenceState& sequence);  // it waits again, and lets its blocks go
  // The blocks of a sequence that computes nothing any more; false: there is none.
  bool let_go_finished();
  void mark_finished(SequenceState& sequence) { finished_.push_back(&sequence); }

  const SchedulerOptions options;  // sequences at once: no more than a step's rows
  BlockPool pool;
  RunningSet running;
  SchedulerStats counters;
  std::uint64_t plan_number = 0;
  std::set<std::pair<std::int64_t, SequenceId>> deadlines;  // of those not marked expired
  std::set<SequenceId> expired;
  std::size_t sequences() const { return sequences_.size(); }

 private:
  bool batched() const;  // static or dynamic: a batch has members
  void wait(SequenceState& sequence);
  void stop_waiting(SequenceState& sequence);
  void hold_back(SequenceState& sequence);
  void release(SequenceState& fork);
  void part_from_family(SequenceState& sequence);
  // Out of wherever it waits or runs, its blocks let go; forks of it are on their own.
  void leave_place(SequenceState& sequence);
  void expire(SequenceState& sequence);
  void join_batch(SequenceState& sequence);

  std::unordered_map<SequenceId, std::unique_ptr<SequenceState>> sequences_;
  WaitingQueue queue_;
  // Members of the batch that wait (preempted, forks), by age and arrival.
  std::set<std::pair<std::uint64_t, SequenceState*>> rejoining_;
  std::set<std::pair<std::int64_t, SequenceId>> arrivals_;  // of those in queue_
  std::vector<SequenceState*> parents_;   // running, with forks that are held back
  std::vector<SequenceState*> finished_;  // running, with blocks, nothing left to plan
  std::int32_t held_back_ = 0;
  std::int32_t members_ = 0;
  std::uint64_t serials_ = 0;
  std::uint64_t ages_ = 0;
};

}  // namespace hangar
