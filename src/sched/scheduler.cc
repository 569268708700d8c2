#include "sched/scheduler.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "sched/scheduler_state.h"
#include "sched/step_planner.h"

namespace hangar {

struct Scheduler::State : SchedulerState {
  using SchedulerState::SchedulerState;
};

Scheduler::Scheduler(const SchedulerOptions& options) : state_(std::make_unique<State>(options)) {}

Scheduler::~Scheduler() = default;

std::int32_t Scheduler::blocks_for(std::int64_t tokens, std::int32_t block_tokens) {
  const std::int64_t blocks = tokens / block_tokens + (tokens % block_tokens == 0 ? 0 : 1);
  return static_cast<std::int32_t>(
      std::min<std::int64_t>(blocks, std::numeric_limits<std::int32_t>::max()));
}

void Scheduler::add(SequenceSpec spec) {
  state_->add(std::move(spec));
}

void Scheduler::remove(SequenceId id) {
  state_->remove(id);
}

void Scheduler::propose(SequenceId id, std::span<const std::int32_t> drafts) {
  state_->propose(id, drafts);
}

StepPlan Scheduler::plan(std::int64_t now_us) {
  return StepPlanner(*state_, now_us).plan();
}

void Scheduler::extend(StepPlan& plan, std::int64_t now_us) {
  plan = StepPlanner(*state_, now_us, std::move(plan)).extended();
}

void Scheduler::commit(const StepItem& item, std::span<const std::int32_t> sampled) {
  state_->commit(item, sampled);
}

void Scheduler::prune(StepPlan& plan) const {
  std::erase_if(plan.items, [&](const StepItem& item) {
    const SequenceState* sequence = state_->find(item.sequence);
    return sequence == nullptr || !sequence->runs();
  });
  plan.rows = 0;
  for (const StepItem& item : plan.items) plan.rows += item.tokens;
}

std::span<const std::int32_t> Scheduler::tokens(SequenceId id) const {
  const SequenceState* sequence = state_->find(id);
  if (sequence == nullptr) return {};
  return sequence->tokens;
}

std::span<const BlockId> Scheduler::blocks(SequenceId id) const {
  const SequenceState* sequence = state_->find(id);
  if (sequence == nullptr) return {};
  return sequence->table.blocks();
}

std::vector<SequenceId> Scheduler::expired(std::int64_t now_us) const {
  std::vector<SequenceId> late(state_->expired.begin(), state_->expired.end());
  for (const auto& [deadline_us, id] : state_->deadlines) {
    if (deadline_us > now_us) break;
    late.push_back(id);
  }
  return late;
}

std::optional<std::int64_t> Scheduler::next_change_us(std::int64_t now_us) const {
  if (!state_->expired.empty()) return 0;
  std::optional<std::int64_t> next =
      batch_next_change_us(state_->options.batching, state_->batching_state(now_us));
  if (!state_->deadlines.empty()) {
    const std::int64_t left = state_->deadlines.begin()->first - now_us;
    next = std::min(next.value_or(left), left);
  }
  if (next) next = std::max<std::int64_t>(0, *next);
  return next;
}

bool Scheduler::idle() const {
  return state_->sequences() == 0;
}

SchedulerStats Scheduler::stats() const {
  SchedulerStats stats = state_->counters;
  stats.running = static_cast<std::int32_t>(state_->running.size());
  stats.waiting = static_cast<std::int32_t>(state_->sequences()) - stats.running;
  return stats;
}

const BlockPool& Scheduler::pool() const {
  return state_->pool;
}

void Scheduler::forget_prefixes() {
  state_->pool.forget_all();
}

}  // namespace hangar
