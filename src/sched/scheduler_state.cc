#include "sched/scheduler_state.h"

#include <algorithm>

namespace hangar {
namespace {

// Each running sequence gets a row and a logit row in every step, so that none waits for another's.
SchedulerOptions with_bounds(SchedulerOptions options) {
  options.step_tokens = std::max(1, options.step_tokens);
  options.max_logit_rows = std::max(1, options.max_logit_rows);
  std::int32_t& most = options.batching.max_sequences;
  most = std::max(1, std::min({most, options.step_tokens, options.max_logit_rows}));
  if (options.batching.policy == BatchingPolicy::kNone) most = 1;
  return options;
}

}  // namespace

SchedulerState::SchedulerState(const SchedulerOptions& given)
    : options(with_bounds(given)), pool(options.kv_blocks, options.block_tokens) {}

SequenceState* SchedulerState::find(SequenceId id) const {
  const auto found = sequences_.find(id);
  return found == sequences_.end() ? nullptr : found->second.get();
}

bool SchedulerState::batched() const {
  return options.batching.policy == BatchingPolicy::kStatic ||
         options.batching.policy == BatchingPolicy::kDynamic;
}

void SchedulerState::add(SequenceSpec spec) {
  std::unique_ptr<SequenceState>& slot = sequences_[spec.id];
  if (slot || spec.prompt.empty()) {
    if (!slot) sequences_.erase(spec.id);
    return;
  }
  slot = std::make_unique<SequenceState>(pool);
  SequenceState& sequence = *slot;
  sequence.id = spec.id;
  sequence.prompt_tokens = static_cast<std::int32_t>(spec.prompt.size());
  sequence.max_tokens = std::max(1, spec.max_tokens);
  sequence.tokens = std::move(spec.prompt);
  sequence.prompt_logits = spec.prompt_logits;
  const PrefixHash model = prefix_root(options.prefix_secret, options.prefix_salt);
  sequence.root = prefix_root(options.prefix_secret ^ model.low, spec.prefix_salt ^ model.high);
  sequence.priority = spec.priority;
  sequence.arrival_us = spec.arrival_us;
  sequence.deadline_us = spec.deadline_us;
  sequence.serial = ++serials_;
  queue_.join(sequence, spec.tenant);
  if (spec.deadline_us != 0) deadlines.emplace(spec.deadline_us, spec.id);

  SequenceState* parent = spec.forks_from ? find(*spec.forks_from) : nullptr;
  const bool same =
      parent != nullptr && parent != &sequence && !sequence.prompt_logits &&
      parent->place != SequenceState::Place::kExpired && parent->root == sequence.root &&
      parent->prompt_tokens == sequence.prompt_tokens &&
      std::equal(sequence.tokens.begin(), sequence.tokens.end(), parent->tokens.begin());
  if (same) {
    sequence.parent = parent;
    parent->children.push_back(&sequence);
    if (batched() && parent->member) join_batch(sequence);
    if (!parent->runs() || parent->computed < sequence.prompt_tokens - 1) {
      hold_back(sequence);
      return;
    }
  }
  wait(sequence);
}

void SchedulerState::remove(SequenceId id) {
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) return;
  SequenceState& sequence = *found->second;
  leave_place(sequence);
  if (sequence.member) --members_;
  deadlines.erase({sequence.deadline_us, id});
  expired.erase(id);
  queue_.leave(sequence);
  sequences_.erase(found);
}

void SchedulerState::wait(SequenceState& sequence) {
  sequence.place = SequenceState::Place::kWaiting;
  if (sequence.member) {
    rejoining_.emplace(sequence.serial, &sequence);
    return;
  }
  queue_.push(sequence);
  arrivals_.emplace(sequence.arrival_us, sequence.id);
}

void SchedulerState::stop_waiting(SequenceState& sequence) {
  if (rejoining_.erase({sequence.serial, &sequence}) > 0) return;
  queue_.take(sequence);
  arrivals_.erase({sequence.arrival_us, sequence.id});
}

void SchedulerState::hold_back(SequenceState& sequence) {
  sequence.place = SequenceState::Place::kHeld;
  ++held_back_;
  if (sequence.parent->runs()) parents_.push_back(sequence.parent);
}

void SchedulerState::release(SequenceState& fork) {
  if (fork.place != SequenceState::Place::kHeld) return;
  --held_back_;
  wait(fork);
}

void SchedulerState::part_from_family(SequenceState& sequence) {
  for (SequenceState* child : sequence.children) {
    child->parent = nullptr;
    release(*child);
  }
  sequence.children.clear();
  if (sequence.parent != nullptr) std::erase(sequence.parent->children, &sequence);
  sequence.parent = nullptr;
  std::erase(parents_, &sequence);
}

void SchedulerState::leave_place(SequenceState& sequence) {
  part_from_family(sequence);
  switch (sequence.place) {
    case SequenceState::Place::kHeld:
      --held_back_;
      break;
    case SequenceState::Place::kWaiting:
      stop_waiting(sequence);
      break;
    case SequenceState::Place::kRunning:
      running.erase(sequence);
      std::erase(finished_, &sequence);
      sequence.table.clear();
      break;
    case SequenceState::Place::kExpired:
      break;
  }
}

void SchedulerState::expire(SequenceState& sequence) {
  leave_place(sequence);
  sequence.place = SequenceState::Place::kExpired;
  expired.insert(sequence.id);
}

void SchedulerState::begin_plan(std::int64_t now_us) {
  ++plan_number;
  while (!deadlines.empty() && deadlines.begin()->first <= now_us) {
    SequenceState* late = find(deadlines.begin()->second);
    deadlines.erase(deadlines.begin());
    expire(*late);
  }
  std::erase_if(parents_, [&](SequenceState* parent) {
    if (!parent->runs()) return true;  // preempted: admit() notes it again
    if (parent->computed < parent->prompt_tokens - 1) return false;
    for (SequenceState* child : parent->children) release(*child);
    return true;
  });
}

SequenceState* SchedulerState::next_waiting() {
  return rejoining_.empty() ? queue_.front() : rejoining_.begin()->second;
}

std::int32_t SchedulerState::waiting_to_join() const {
  return queue_.waiting() + held_back_;
}

BatchingState SchedulerState::batching_state(std::int64_t now_us) const {
  BatchingState state;
  state.running = batched() ? members_ : static_cast<std::int32_t>(running.size());
  state.waiting = waiting_to_join();
  if (!arrivals_.empty()) {
    state.longest_wait_us = std::max<std::int64_t>(0, now_us - arrivals_.begin()->first);
  }
  state.gathering = batched() && members_ == 0;
  return state;
}

void SchedulerState::join_batch(SequenceState& sequence) {
  if (sequence.member) return;
  sequence.member = true;
  ++members_;
}

void SchedulerState::admit(SequenceState& sequence) {
  stop_waiting(sequence);
  if (sequence.age == 0) sequence.age = ++ages_;
  sequence.place = SequenceState::Place::kRunning;
  running.insert(sequence);
  if (batched()) {
    join_batch(sequence);
    for (SequenceState* child : sequence.children) join_batch(*child);
  }
  if (!sequence.children.empty()) parents_.push_back(&sequence);
}

void SchedulerState::preempt(SequenceState& sequence) {
  running.erase(sequence);
  sequence.table.clear();
  sequence.computed = 0;
  sequence.committed = 0;
  sequence.guesses.clear();
  sequence.guesses_in_flight = false;
  ++counters.preemptions;
  wait(sequence);
}

bool SchedulerState::let_go_finished() {
  const auto done = std::find_if(finished_.begin(), finished_.end(), [&](const SequenceState* one) {
    return one->planned_in < plan_number;  // this plan's own need their blocks
  });
  if (done == finished_.end()) return false;
  (*done)->table.clear();
  finished_.erase(done);
  return true;
}

void SchedulerState::propose(SequenceId id, std::span<const std::int32_t> guesses) {
  SequenceState* sequence = find(id);
  if (sequence == nullptr || !sequence->runs() || sequence->in_flight > 0) return;
  sequence->guesses.assign(guesses.begin(), guesses.end());
}

void SchedulerState::commit(const StepItem& item, std::span<const std::int32_t> sampled) {
  SequenceState* found = find(item.sequence);
  if (found == nullptr) return;
  SequenceState& sequence = *found;
  sequence.in_flight = std::max(0, sequence.in_flight - 1);
  std::int32_t right = item.tokens;  // of the computed rows, those whose tokens have stood
  if (item.samples) {
    const auto given = static_cast<std::int32_t>(
        std::min(sampled.size(), static_cast<std::size_t>(item.drafts) + 1));
    sequence.pending = std::max(0, sequence.pending - 1);
    sequence.tokens.insert(sequence.tokens.end(), sampled.begin(), sampled.begin() + given);
    right -= item.drafts - std::max(0, given - 1);
    if (given > 1) {  // the first was charged as it was planned
      FairQueue::charge(*sequence.tenant, options.output_weight * (given - 1));
    }
  }
  if (!sequence.runs()) return;  // preempted meanwhile: it has the tokens and no blocks
  if (item.drafts > 0) {
    sequence.guesses_in_flight = false;
    sequence.computed = item.first_token + right;
    if (sequence.finished()) mark_finished(sequence);
  }
  sequence.computed = std::min(sequence.computed, std::max(0, sequence.expected() - 1));
  sequence.committed =
      std::min(item.first_token + right, static_cast<std::int32_t>(sequence.tokens.size()));
  if (options.prefix_cache) {
    sequence.table.remember(
        sequence.root,
        std::span(sequence.tokens).first(static_cast<std::size_t>(sequence.committed)));
  }
}

}  // namespace hangar
