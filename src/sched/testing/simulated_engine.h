// SimulatedEngine: what an engine does with a scheduler, on a simulated device.
//
// Promise: turn() plans, commits, prunes, extends and starts as LocalEngine does: with plan_ahead
// the next
//   step is planned before the results of the one under way are known. Every bound that the
//   scheduler gives its word on is checked at each plan, every token against the model's.
// Errors: the first breach is in error(); nothing is done after it.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "sched/scheduler.h"
#include "sched/testing/simulated_device.h"

namespace hangar {

enum class SimulatedEnd : std::uint8_t { kNone, kFinished, kCancelled, kExpired };

struct SimulatedSequence {
  std::uint64_t salt = 0;
  std::int32_t prompt_tokens = 0;
  std::int32_t max_tokens = 0;
  bool prompt_logits = false;
  std::int32_t priority = 0;
  std::string tenant;
  std::vector<std::int32_t> output;  // committed so far
  std::vector<std::int32_t> right;   // what the model says
  std::int32_t logits_told = 0;
  std::uint64_t added_in = 0;        // turn
  std::uint64_t first_token_in = 0;  // turn; 0: none yet
  bool first_seen = false;
};

class SimulatedEngine {
 public:
  SimulatedEngine(const SchedulerOptions& options, std::uint64_t seed);

  void add(SequenceSpec spec);
  void cancel(SequenceId id);
  // One turn of the engine's loop; true: something was planned or committed. `meanwhile` is called
  // once after a plan that was made ahead, before it starts.
  bool turn(bool plan_ahead, const std::function<void()>& meanwhile = {});

  const std::string& error() const { return error_; }
  const std::unordered_map<SequenceId, SimulatedSequence>& open() const { return open_; }
  Scheduler& scheduler() { return scheduler_; }
  bool idle() const { return open_.empty() && !busy_; }
  std::uint64_t turns() const { return turns_; }
  std::uint64_t ended(SimulatedEnd end) const { return ends_[static_cast<std::size_t>(end)]; }
  const StepPlan& last_plan() const { return current_; }

  std::int64_t now_us = 0;
  double guess_chance = 0;  // that guesses are proposed for a sequence after a commit
  std::function<void(SequenceId, const SimulatedSequence&, SimulatedEnd)> on_end;
  std::function<void(SequenceId, std::int32_t)> on_tokens;  // after each commit of some

 private:
  void end(SequenceId id, SimulatedEnd how);
  void end_expired();
  // The first `checked` items have been looked at: an extended plan.
  void check(const StepPlan& plan, std::size_t checked = 0);
  void check_item(const StepItem& item);
  void start(StepPlan plan);
  void commit();
  void commit_item(const StepItem& item, const std::vector<std::int32_t>& next);
  void propose();
  void fail(const std::string& what, SequenceId id);

  SchedulerOptions options_;
  Scheduler scheduler_;
  SimulatedDevice device_;
  std::mt19937_64 random_;
  std::unordered_map<SequenceId, SimulatedSequence> open_;
  std::unordered_map<SequenceId, std::vector<std::int32_t>> guesses_;
  StepPlan current_;
  std::vector<std::vector<std::int32_t>> next_;
  std::vector<std::vector<std::int32_t>> guessed_;  // by item of current_
  bool busy_ = false;
  std::uint64_t turns_ = 0;
  std::uint64_t ends_[4] = {};
  std::string error_;
};

}  // namespace hangar
