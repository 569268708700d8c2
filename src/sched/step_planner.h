// StepPlanner: puts one step together.
//
// Promise: rows, logit rows and blocks within their bounds, in this order: sequences with one token
//   to compute (decode), guesses behind them, prefill of those that run, then new ones. Who finds
//   no block for its next token preempts the last in the running order, or, if it is itself the
//   last, sits this step out: so the first in the order always gets its block.
// Threads: the scheduler's one; made for one plan or extension.
#pragma once

#include <cstdint>

#include "sched/scheduler_state.h"

namespace hangar {

class StepPlanner {
 public:
  StepPlanner(SchedulerState& state, std::int64_t now_us);
  StepPlan plan();

  // Goes on with a plan of this state that was made last and has not been started.
  StepPlanner(SchedulerState& state, std::int64_t now_us, StepPlan begun);
  StepPlan extended();

 private:
  void admit_urgent();
  void decode();
  void add_guesses();
  void prefill();
  void admit_new();
  void admit_batch();

  // Blocks for the sequence's next token; false: it sits this step out.
  bool find_room(SequenceState& sequence);
  void preempt(SequenceState& sequence);
  // Admits it if its blocks are to be had.
  bool try_to_admit(SequenceState& sequence);
  bool try_to_fork(SequenceState& sequence);
  bool try_to_take_blocks(SequenceState& sequence);
  std::int32_t spare_blocks() const;  // left for those that run, when one is admitted
  bool prepare(SequenceState& sequence, std::int32_t tokens);

  // As many of its tokens as fit; `reserved` logit rows are left for others. False: none fits.
  bool give_rows(SequenceState& sequence, std::int32_t reserved);
  void add_item(SequenceState& sequence, std::int32_t tokens, std::int32_t logit_rows);

  SchedulerState& state_;
  const std::int64_t now_us_;
  StepPlan plan_;
  std::int32_t rows_left_;
  std::int32_t logit_rows_left_;
  std::int32_t prefills_ = 0;  // running sequences with more than one token to compute
  bool preempted_ = false;
};

}  // namespace hangar
