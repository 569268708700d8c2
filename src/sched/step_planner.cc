#include "sched/step_planner.h"

#include <algorithm>
#include <utility>

namespace hangar {
namespace {

// A sequence whose blocks did not fit is looked at again after so many plans even if no more blocks
// are to be had: somebody may have computed its prefix meanwhile.
constexpr std::uint64_t kLookAgainPlans = 16;

}  // namespace

StepPlanner::StepPlanner(SchedulerState& state, std::int64_t now_us)
    : state_(state),
      now_us_(now_us),
      rows_left_(state.options.step_tokens),
      logit_rows_left_(state.options.max_logit_rows) {}

StepPlan StepPlanner::plan() {
  state_.begin_plan(now_us_);
  admit_urgent();
  decode();
  add_guesses();
  prefill();
  if (!preempted_) admit_new();
  return std::move(plan_);
}

StepPlanner::StepPlanner(SchedulerState& state, std::int64_t now_us, StepPlan begun)
    : StepPlanner(state, now_us) {
  plan_ = std::move(begun);
  rows_left_ -= plan_.rows;
  for (const StepItem& item : plan_.items) logit_rows_left_ -= item.logit_rows;
}

StepPlan StepPlanner::extended() {
  for (std::size_t i = 0; i < state_.running.size(); ++i) {
    const SequenceState& sequence = state_.running[i];
    if (sequence.planned_in != state_.plan_number && sequence.ready() && sequence.remaining() > 1) {
      ++prefills_;
    }
  }
  prefill();
  admit_new();
  return std::move(plan_);
}

// A waiting sequence takes the place of running ones of a lower priority.
void StepPlanner::admit_urgent() {
  if (state_.options.batching.policy != BatchingPolicy::kContinuous) return;
  const auto most = static_cast<std::size_t>(state_.options.batching.max_sequences);
  while (SequenceState* sequence = state_.next_waiting()) {
    if (sequence->in_flight > 0) return;
    if (state_.running.last_below(sequence->priority) == nullptr) return;
    if (state_.running.size() < most && try_to_admit(*sequence)) continue;
    std::int32_t blocks = state_.pool.available();
    for (std::size_t i = state_.running.size(); i > 0; --i) {
      const SequenceState& lower = state_.running[i - 1];
      if (lower.priority >= sequence->priority) break;
      if (!lower.finished()) blocks += static_cast<std::int32_t>(lower.table.blocks().size());
    }
    const std::int32_t needed =
        Scheduler::blocks_for(sequence->known(), state_.options.block_tokens);
    if (blocks < needed) return;
    bool admitted = false;
    while (!admitted) {
      SequenceState* lower = state_.running.last_below(sequence->priority);
      if (lower == nullptr) return;
      preempt(*lower);
      sequence->look_again_in = 0;
      admitted = state_.running.size() < most && try_to_admit(*sequence);
    }
  }
}

void StepPlanner::decode() {
  for (std::size_t i = 0; i < state_.running.size(); ++i) {
    SequenceState& sequence = state_.running[i];
    if (!sequence.ready()) continue;
    if (sequence.remaining() > 1) {
      ++prefills_;
    } else if (find_room(sequence)) {
      give_rows(sequence, 0);
    }
  }
}

bool StepPlanner::find_room(SequenceState& sequence) {
  while (!prepare(sequence, sequence.expected())) {
    if (state_.let_go_finished()) continue;
    SequenceState* last = state_.running.last_after(sequence);
    if (last == nullptr) return false;
    preempt(*last);
  }
  return true;
}

void StepPlanner::preempt(SequenceState& sequence) {
  preempted_ = true;
  state_.preempt(sequence);
}

bool StepPlanner::prepare(SequenceState& sequence, std::int32_t tokens) {
  return sequence.table.prepare(sequence.computed, tokens, plan_.copies);
}

// Guesses take what is left, or half of it where prompts wait for rows.
void StepPlanner::add_guesses() {
  const bool others = prefills_ > 0 || state_.waiting_to_join() > 0;
  std::int32_t rows = others ? rows_left_ / 2 : rows_left_;
  std::int32_t logit_rows = others ? logit_rows_left_ / 2 : logit_rows_left_;
  for (StepItem& item : plan_.items) {
    SequenceState& sequence = *state_.find(item.sequence);
    const std::vector<std::int32_t> guesses = std::exchange(sequence.guesses, {});
    if (!item.samples || guesses.empty()) continue;
    // The step gives one token more than the guesses that stand; one was counted with the item.
    std::int32_t most = std::min({static_cast<std::int32_t>(guesses.size()), rows, logit_rows,
                                  std::max(0, sequence.output_left())});
    const std::int32_t end = item.first_token + item.tokens;
    while (most > 0 && sequence.table.missing(end, end + most) > state_.pool.available()) --most;
    if (most == 0) continue;
    const bool prepared = sequence.table.prepare(end, end + most, plan_.copies);
    if (!prepared) continue;
    item.tokens += most;
    item.drafts = most;
    item.logit_rows += most;
    sequence.computed += most;
    sequence.guesses_in_flight = true;
    plan_.rows += most;
    rows -= most;
    logit_rows -= most;
    rows_left_ -= most;
    logit_rows_left_ -= most;
  }
}

void StepPlanner::prefill() {
  for (std::size_t i = 0; i < state_.running.size() && prefills_ > 0; ++i) {
    SequenceState& sequence = state_.running[i];
    if (!sequence.ready() || sequence.remaining() <= 1) continue;
    if (sequence.planned_in == state_.plan_number) continue;
    give_rows(sequence, --prefills_);
  }
}

void StepPlanner::admit_new() {
  const BatchingState now = state_.batching_state(now_us_);
  const BatchingOptions& batching = state_.options.batching;
  if (now.gathering) {
    if (batch_joiners(batching, now) > 0) admit_batch();
    return;
  }
  const bool continuous = batching.policy == BatchingPolicy::kContinuous;
  while (rows_left_ > 0 && logit_rows_left_ > 0 &&
         std::cmp_less(state_.running.size(), batching.max_sequences)) {
    SequenceState* sequence = state_.next_waiting();
    if (sequence == nullptr || sequence->in_flight > 0) return;
    if (!continuous && !sequence->member &&
        batch_joiners(batching, state_.batching_state(now_us_)) == 0) {
      return;
    }
    if (!try_to_admit(*sequence)) return;
    give_rows(*sequence, 0);
  }
}

// A batch's members take their blocks all at once, and rows as they come.
void StepPlanner::admit_batch() {
  while (state_.batching_state(now_us_).running < state_.options.batching.max_sequences) {
    SequenceState* sequence = state_.next_waiting();
    if (sequence == nullptr || sequence->in_flight > 0 || !try_to_admit(*sequence)) return;
    give_rows(*sequence, 0);
  }
}

std::int32_t StepPlanner::spare_blocks() const {
  if (state_.running.empty()) return 0;
  const auto running = static_cast<std::int32_t>(state_.running.size());
  return std::min(running + 1, state_.pool.total() / 8);
}

bool StepPlanner::try_to_admit(SequenceState& sequence) {
  // Where nobody runs nobody may come to plan again: no waiting then.
  if (!state_.running.empty() && state_.plan_number < sequence.look_again_in &&
      state_.pool.available() < sequence.look_again_blocks) {
    return false;
  }
  if (!try_to_fork(sequence) && !try_to_take_blocks(sequence)) return false;
  sequence.committed = sequence.computed;
  // Nobody pays for tokens that were found, nor twice.
  const std::int32_t paid = std::max(sequence.charged, sequence.computed);
  const std::int32_t owed = std::max(0, sequence.prompt_tokens - paid);
  FairQueue::charge(*sequence.tenant, state_.options.prompt_weight * owed);
  sequence.charged = sequence.prompt_tokens;
  sequence.look_again_in = 0;
  state_.admit(sequence);
  return true;
}

bool StepPlanner::try_to_fork(SequenceState& sequence) {
  const std::int32_t shared = sequence.prompt_tokens - 1;
  const SequenceState* parent = sequence.parent;
  if (parent == nullptr || sequence.age != 0 || shared == 0 || !parent->runs()) return false;
  if (parent->computed_before(state_.plan_number) < shared) return false;
  if (parent->table.blocks().empty()) return false;  // ended by count: let go
  // One block: the last prompt token's, copied or new.
  if (1 + spare_blocks() > state_.pool.available()) return false;
  sequence.table.fork(parent->table, shared);
  sequence.computed = shared;
  if (!prepare(sequence, sequence.known())) {
    sequence.table.clear();
    sequence.computed = 0;
    return false;
  }
  sequence.cached = shared;
  return true;
}

bool StepPlanner::try_to_take_blocks(SequenceState& sequence) {
  const auto known = std::span<const std::int32_t>(sequence.tokens);
  // The last token is always computed: its row chooses what follows. Rows whose logits are wanted
  // are computed too.
  const std::int32_t lookable =
      sequence.waits_for_prompt_logits() ? sequence.logits_told : sequence.known() - 1;
  const bool looks = state_.options.prefix_cache && lookable > 0;
  std::int32_t found = 0;
  if (looks) {
    found =
        sequence.table.find_prefix(sequence.root, known.first(static_cast<std::size_t>(lookable)));
  }
  const std::int32_t needed = sequence.table.missing(found, sequence.known()) + spare_blocks();
  if (needed > state_.pool.available()) {
    sequence.table.clear();
    sequence.look_again_in = state_.plan_number + kLookAgainPlans;
    sequence.look_again_blocks = needed;
    return false;
  }
  sequence.computed = found;
  prepare(sequence, sequence.known());
  if (!sequence.started) {
    sequence.cached = found;
    if (looks && sequence.age == 0) {
      state_.counters.prefix_queries_tokens += static_cast<std::uint64_t>(sequence.prompt_tokens);
      state_.counters.prefix_hit_tokens += static_cast<std::uint64_t>(found);
    }
  }
  return true;
}

bool StepPlanner::give_rows(SequenceState& sequence, std::int32_t reserved) {
  const std::int32_t logit_rows = std::max(0, logit_rows_left_ - reserved);
  const std::int32_t from = sequence.computed;
  std::int32_t end = from + std::min(sequence.remaining(), rows_left_);
  std::int32_t wanted = 0;
  if (sequence.waits_for_prompt_logits()) {
    const std::int32_t first = std::max(from, sequence.logits_told);
    end = std::min(end, first + logit_rows);
    wanted = std::max(0, end - first);
  } else {
    if (end == sequence.expected() && logit_rows == 0) --end;
    wanted = end == sequence.expected() ? 1 : 0;
  }
  if (end <= from) return false;
  add_item(sequence, end - from, wanted);
  return true;
}

void StepPlanner::add_item(SequenceState& sequence, std::int32_t tokens, std::int32_t logit_rows) {
  StepItem item;
  item.sequence = sequence.id;
  item.first_token = sequence.computed;
  item.tokens = tokens;
  item.logit_rows = logit_rows;
  item.samples = sequence.computed + tokens == sequence.expected();
  item.first = !sequence.started;
  if (item.first) item.cached_tokens = sequence.cached;
  plan_.items.push_back(item);
  plan_.rows += tokens;
  rows_left_ -= tokens;
  logit_rows_left_ -= logit_rows;

  sequence.started = true;
  sequence.planned_in = state_.plan_number;
  sequence.computed_earlier = sequence.computed;
  sequence.computed += tokens;
  ++sequence.in_flight;
  sequence.logits_told =
      std::max(sequence.logits_told, std::min(sequence.computed, sequence.prompt_tokens));
  if (!item.samples) return;
  ++sequence.pending;
  FairQueue::charge(*sequence.tenant, state_.options.output_weight);
  if (sequence.finished()) state_.mark_finished(sequence);
}

}  // namespace hangar
