#include "sched/testing/simulated_engine.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace hangar {

SimulatedEngine::SimulatedEngine(const SchedulerOptions& options, std::uint64_t seed)
    : options_(options),
      scheduler_(options),
      device_(options.kv_blocks, options.block_tokens),
      random_(seed) {}

void SimulatedEngine::fail(const std::string& what, SequenceId id) {
  if (error_.empty()) {
    error_ = what + ": sequence " + std::to_string(id) + ", turn " + std::to_string(turns_);
  }
}

void SimulatedEngine::add(SequenceSpec spec) {
  SimulatedSequence one;
  one.salt = spec.prefix_salt;
  one.prompt_tokens = static_cast<std::int32_t>(spec.prompt.size());
  one.max_tokens = spec.max_tokens;
  one.prompt_logits = spec.prompt_logits;
  one.priority = spec.priority;
  one.tenant = spec.tenant;
  one.right = SimulatedModel::output(spec.prompt, spec.prefix_salt, spec.max_tokens);
  one.added_in = turns_;
  open_.emplace(spec.id, std::move(one));
  scheduler_.add(std::move(spec));
}

void SimulatedEngine::cancel(SequenceId id) {
  if (open_.contains(id)) end(id, SimulatedEnd::kCancelled);
}

void SimulatedEngine::end(SequenceId id, SimulatedEnd how) {
  const auto found = open_.find(id);
  if (found == open_.end()) return fail("ended twice", id);
  const SimulatedSequence one = std::move(found->second);
  if (how == SimulatedEnd::kFinished && one.output != one.right) fail("other tokens", id);
  open_.erase(found);
  guesses_.erase(id);
  scheduler_.remove(id);
  ++ends_[static_cast<std::size_t>(how)];
  if (on_end) on_end(id, one, how);
}

void SimulatedEngine::end_expired() {
  for (const SequenceId id : scheduler_.expired(now_us)) end(id, SimulatedEnd::kExpired);
}

bool SimulatedEngine::turn(bool plan_ahead, const std::function<void()>& meanwhile) {
  if (!error_.empty()) return false;
  ++turns_;
  end_expired();
  StepPlan next;
  bool planned = false;
  if (!busy_ || plan_ahead) {
    next = scheduler_.plan(now_us);
    planned = true;
    check(next);
  }
  const bool committed = busy_;
  if (busy_) {
    if (meanwhile) meanwhile();
    commit();
    scheduler_.prune(next);
    if (!planned) propose();
    if (next.empty()) {
      next = scheduler_.plan(now_us);
      check(next);
    } else {
      const std::size_t checked = next.items.size();
      scheduler_.extend(next, now_us);
      check(next, checked);
    }
  }
  const bool starts = !next.empty() && error_.empty();
  if (starts) start(std::move(next));
  return committed || starts;
}

void SimulatedEngine::check(const StepPlan& plan, std::size_t checked) {
  std::int32_t rows = 0;
  std::int32_t logit_rows = 0;
  std::unordered_set<SequenceId> seen;
  for (const StepItem& item : plan.items) {
    rows += item.tokens;
    logit_rows += item.logit_rows;
    if (!seen.insert(item.sequence).second) fail("twice in a plan", item.sequence);
    if (seen.size() > checked) check_item(item);
  }
  if (rows != plan.rows) fail("rows are miscounted", 0);
  if (rows > options_.step_tokens) fail("too many rows", 0);
  if (logit_rows > options_.max_logit_rows) fail("too many logit rows", 0);
  const BlockPool& pool = scheduler_.pool();
  if (pool.free() + pool.kept() + pool.held() != pool.total()) fail("blocks are miscounted", 0);
  const SchedulerStats stats = scheduler_.stats();
  if (stats.running > options_.batching.max_sequences) fail("too many run", 0);
  if (std::cmp_not_equal(stats.running + stats.waiting, open_.size())) fail("one is lost", 0);
  if (options_.batching.policy == BatchingPolicy::kNone && plan.items.size() > 1) {
    fail("more than one at a time", 0);
  }
}

void SimulatedEngine::check_item(const StepItem& item) {
  const auto found = open_.find(item.sequence);
  if (found == open_.end()) return fail("planned after its end", item.sequence);
  SimulatedSequence& one = found->second;
  const std::int32_t end = item.first_token + item.tokens;
  if (item.tokens < 1 || item.drafts < 0 || item.drafts >= item.tokens) {
    fail("an item without tokens", item.sequence);
  }
  if (end > one.prompt_tokens + one.max_tokens - 1) fail("planned past its end", item.sequence);
  if (item.samples && item.logit_rows < 1 + item.drafts) fail("no logits", item.sequence);
  if (!item.samples && item.drafts > 0) fail("guesses too early", item.sequence);
  if (item.first == one.first_seen) fail("first step told wrongly", item.sequence);
  one.first_seen = true;
  if (item.first && item.cached_tokens != item.first_token) {
    fail("cached tokens are miscounted", item.sequence);
  }
  if (one.prompt_logits) {
    const bool told = one.logits_told >= one.prompt_tokens;
    if (!told && end - item.logit_rows > one.logits_told) {
      fail("prompt logits left out", item.sequence);
    }
    one.logits_told = std::max(one.logits_told, std::min(end, one.prompt_tokens));
  }
}

void SimulatedEngine::start(StepPlan plan) {
  std::vector<SimulatedDevice::Row> rows;
  guessed_.clear();
  for (const StepItem& item : plan.items) {
    SimulatedDevice::Row row;
    row.salt = open_.at(item.sequence).salt;
    row.item = item;
    row.blocks = scheduler_.blocks(item.sequence);
    const auto known = scheduler_.tokens(item.sequence);
    const std::int32_t end = item.first_token + item.tokens;
    if (std::cmp_less(known.size(), end - item.drafts)) {
      return fail("a token is not known yet", item.sequence);
    }
    row.tokens.assign(known.begin(), known.begin() + (end - item.drafts));
    const std::vector<std::int32_t>& guesses = guesses_[item.sequence];
    if (std::cmp_less(guesses.size(), item.drafts)) return fail("no such guess", item.sequence);
    guessed_.emplace_back(guesses.begin(), guesses.begin() + item.drafts);
    row.tokens.insert(row.tokens.end(), guessed_.back().begin(), guessed_.back().end());
    const std::int32_t size = options_.block_tokens;
    for (std::int32_t i = item.first_token / size; i <= (end - 1) / size; ++i) {
      if (!scheduler_.pool().writable(row.blocks[static_cast<std::size_t>(i)])) {
        return fail("writes to a block that is not its own", item.sequence);
      }
    }
    rows.push_back(std::move(row));
  }
  const std::string wrong = device_.run(plan.copies, rows, next_);
  if (!wrong.empty()) fail(wrong, 0);
  current_ = std::move(plan);
  busy_ = true;
}

void SimulatedEngine::commit() {
  busy_ = false;
  for (std::size_t i = 0; i < current_.items.size(); ++i) {
    const StepItem& item = current_.items[i];
    if (!open_.contains(item.sequence)) continue;  // ended while the step ran
    std::vector<std::int32_t> taken;
    for (std::size_t j = 0; j < next_[i].size(); ++j) {
      taken.push_back(next_[i][j]);
      if (taken.back() == SimulatedModel::kEndToken) break;
      if (j >= guessed_[i].size() || guessed_[i][j] != taken.back()) break;
    }
    commit_item(item, taken);
  }
}

void SimulatedEngine::commit_item(const StepItem& item, const std::vector<std::int32_t>& taken) {
  guesses_.erase(item.sequence);
  scheduler_.commit(item, taken);
  if (item.samples == taken.empty()) return fail("samples is wrong", item.sequence);
  SimulatedSequence& one = open_.at(item.sequence);
  one.output.insert(one.output.end(), taken.begin(), taken.end());
  if (!taken.empty() && one.first_token_in == 0) one.first_token_in = turns_;
  if (!taken.empty() && on_tokens) {
    on_tokens(item.sequence, static_cast<std::int32_t>(taken.size()));
  }
  if (one.output.size() > one.right.size()) return fail("too many tokens", item.sequence);
  if (one.output.size() == one.right.size()) {
    if (one.prompt_logits && one.logits_told < one.prompt_tokens) {
      fail("prompt logits are missing", item.sequence);
    }
    end(item.sequence, SimulatedEnd::kFinished);
  }
}

void SimulatedEngine::propose() {
  if (guess_chance <= 0) return;
  std::uniform_real_distribution<double> chance(0, 1);
  for (const StepItem& item : current_.items) {
    const auto found = open_.find(item.sequence);
    if (found == open_.end() || !item.samples || chance(random_) >= guess_chance) continue;
    const SimulatedSequence& one = found->second;
    std::vector<std::int32_t> guesses;
    const std::size_t count = 1 + random_() % 5;
    for (std::size_t i = one.output.size(); guesses.size() < count; ++i) {
      const bool right = i < one.right.size() && chance(random_) < 0.8;
      guesses.push_back(right ? one.right[i] : static_cast<std::int32_t>(random_() % 7));
    }
    scheduler_.propose(item.sequence, guesses);
    guesses_[item.sequence] = std::move(guesses);
  }
}

}  // namespace hangar
