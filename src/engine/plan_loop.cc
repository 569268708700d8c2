#include "engine/plan_loop.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/clock.h"
#include "engine/prompt_lookup.h"

namespace hangar {
namespace {

// A deadline on the caller's clock, on the scheduler's.
std::int64_t steady_deadline_us(std::int64_t unix_deadline_us) {
  if (unix_deadline_us == 0) return 0;
  return std::max<std::int64_t>(1, steady_now_us() + unix_deadline_us - unix_now_us());
}

std::int32_t size_of(std::span<const std::int32_t> tokens) {
  return static_cast<std::int32_t>(tokens.size());
}

}  // namespace

PlanLoop::PlanLoop(Mailbox& mailbox, Steps& steps, const SchedulerOptions& options,
                   std::int32_t speculate_tokens)
    : mailbox_(mailbox),
      steps_(steps),
      scheduler_(options),
      speculate_tokens_(speculate_tokens),
      block_tokens_(options.block_tokens) {}

void PlanLoop::run() {
  begin_us_ = steady_now_us();
  const bool ahead = steps_.most_under_way() > 1 && speculate_tokens_ == 0;
  while (!stopping_) {
    take_mail(wait_us());
    ahead ? turn_ahead() : turn();
    publish();
  }
  while (steps_.under_way() > 0) commit(*wait_for_step());
  publish();
  mailbox_.close();
}

void PlanLoop::turn() {
  StepPlan next;
  const bool busy = steps_.under_way() > 0;
  if (!stopping_ && (!busy || speculate_tokens_ == 0)) next = scheduler_.plan(steady_now_us());
  idle_ = next.empty() && !busy;
  if (busy) {
    const std::unique_ptr<Step> done = wait_for_step();
    commit(*done);
    if (speculate_tokens_ > 0) propose_guesses(*done);
    take_mail(0);
    scheduler_.prune(next);
    if (stopping_) {
      next = {};
    } else if (next.empty()) {
      next = scheduler_.plan(steady_now_us());
    } else {
      scheduler_.extend(next, steady_now_us());
    }
  }
  pending_rows_.clear();  // every result is known
  if (!next.empty()) steps_.start(lay_out(std::move(next)));
}

// When this plans, the results of one step at most are unknown.
void PlanLoop::turn_ahead() {
  StepPlan next;
  if (!stopping_) next = scheduler_.plan(steady_now_us());
  const bool started = !next.empty();
  idle_ = !started && steps_.under_way() == 0;
  if (started) steps_.start(lay_out(std::move(next)));
  const std::int32_t under_way = steps_.under_way();
  if (under_way == steps_.most_under_way() || (under_way > 0 && !started)) commit(*wait_for_step());
}

std::optional<std::int64_t> PlanLoop::wait_us() const {
  if (!idle_) return 0;
  if (scheduler_.idle()) return std::nullopt;
  // Something waits and nothing could be planned: a batch is being gathered.
  return scheduler_.next_change_us(steady_now_us());
}

void PlanLoop::take_mail(std::optional<std::int64_t> timeout_us) {
  const std::int64_t from_us = steady_now_us();
  Mailbox::Taken mail = mailbox_.take(timeout_us);
  waited_us_ += steady_now_us() - from_us;
  for (Request& request : mail.requests) add(std::move(request));
  for (const Cancellation& cancellation : mail.cancellations) end_cancelled(cancellation);
  end_expired();
  if (!mail.stopping) return;
  stopping_ = true;
  std::vector<RequestId> all;
  for (const auto& [id, running] : requests_) all.push_back(id);
  const std::string failure = mailbox_.failure();
  const FinishReason reason = failure.empty() ? FinishReason::kCancelled : FinishReason::kFailed;
  for (const RequestId id : all) end_request(id, reason, failure);
}

void PlanLoop::add(Request request) {
  const auto shared = std::make_shared<const Request>(std::move(request));
  Running running;
  running.request = shared;
  running.usage.prompt_tokens = size_of(shared->prompt);
  running.open_count = static_cast<std::size_t>(shared->choices);
  std::optional<SequenceId> first;
  for (std::int32_t choice = 0; choice < shared->choices; ++choice) {
    const SequenceId id = next_id_++;
    running.open.push_back(id);
    SequenceSpec spec;
    spec.id = id;
    spec.prompt = shared->prompt;
    spec.max_tokens = std::max(1, shared->max_tokens);
    spec.prompt_logits = shared->prompt_logprobs && choice == 0;
    spec.forks_from = first;
    spec.tenant = shared->tenant;
    spec.priority = shared->priority;
    spec.arrival_us = steady_now_us();
    spec.deadline_us = steady_deadline_us(shared->deadline_us);
    scheduler_.add(std::move(spec));
    sequences_.emplace(id, std::make_unique<Sequence>(id, shared, choice));
    if (!first) first = id;
  }
  requests_.emplace(shared->id, std::move(running));
}

void PlanLoop::end_cancelled(const Cancellation& cancellation) {
  const auto found = requests_.find(cancellation.request);
  if (found == requests_.end()) return;
  if (cancellation.choice < 0) {
    end_request(cancellation.request, FinishReason::kCancelled);
    return;
  }
  const auto choice = static_cast<std::size_t>(cancellation.choice);
  if (choice >= found->second.open.size() || found->second.open[choice] == 0) return;
  end_choice(*sequences_.at(found->second.open[choice]), FinishReason::kCancelled, -1);
}

void PlanLoop::end_expired() {
  for (const SequenceId id : scheduler_.expired(steady_now_us())) {
    const auto found = sequences_.find(id);
    if (found == sequences_.end()) continue;  // its request has just ended with another choice
    ++stats_.expired;
    end_request(found->second->request().id, FinishReason::kExpired);
  }
}

std::unique_ptr<Step> PlanLoop::lay_out(StepPlan plan) {
  auto step = std::make_unique<Step>();
  step->batch.block_tokens = block_tokens_;
  std::vector<std::int32_t> tokens;
  const std::unordered_map<SequenceId, std::int32_t> pending = std::exchange(pending_rows_, {});
  for (const StepItem& item : plan.items) {
    Sequence& sequence = *sequences_.at(item.sequence);
    if (item.first) {
      Event started = sequence.event(EventKind::kStarted);
      started.usage.cached_tokens = item.cached_tokens;
      Usage& usage = requests_.at(sequence.request().id).usage;
      if (sequence.choice() == 0) usage.cached_tokens = item.cached_tokens;
      out_.push_back(std::move(started));
    }
    const auto all = scheduler_.tokens(item.sequence);
    const std::int32_t wanted = item.tokens - item.drafts;
    const std::int32_t known = std::min(wanted, size_of(all) - item.first_token);
    const auto first = all.begin() + item.first_token;
    tokens.assign(first, first + known);
    // The last may have been drawn by the step under way.
    const std::int32_t drawn_by = known < wanted ? pending.at(item.sequence) : -1;
    if (drawn_by >= 0) tokens.push_back(-1 - drawn_by);
    tokens.insert(tokens.end(), sequence.drafts.begin(), sequence.drafts.begin() + item.drafts);
    const std::int32_t first_logits = append_sequence(
        step->batch, tokens, item.first_token, scheduler_.blocks(item.sequence), item.logit_rows);
    Step::Draws draws;
    draws.first = static_cast<std::int32_t>(step->rows.size());
    add_prompt_draws(item, sequence, first_logits, *step);
    draws.prompt = static_cast<std::int32_t>(step->rows.size()) - draws.first;
    add_next_draws(item, sequence, first_logits, drawn_by, *step);
    draws.next = static_cast<std::int32_t>(step->rows.size()) - draws.first - draws.prompt;
    if (draws.next > 0) {
      pending_rows_[item.sequence] = static_cast<std::int32_t>(step->rows.size()) - 1;
    }
    step->draws.push_back(draws);
  }
  stats_.step_rows = step->batch.rows();
  stats_.step_sequences = static_cast<std::int32_t>(plan.items.size());
  step->plan = std::move(plan);
  return step;
}

// Row i of the logits is of token first + i and scores token first + i + 1.
void PlanLoop::add_prompt_draws(const StepItem& item, const Sequence& sequence,
                                std::int32_t first_logits, Step& step) {
  const Request& request = sequence.request();
  if (!request.prompt_logprobs || sequence.choice() != 0) return;
  const std::int32_t prompt = size_of(request.prompt);
  const std::int32_t first_scored = item.first_token + item.tokens - item.logit_rows + 1;
  for (std::int32_t row = 0; row < item.logit_rows; ++row) {
    const std::int32_t scored = first_scored + row;
    if (scored >= prompt) break;
    if (scored < sequence.prompt_told) continue;
    SampleRow score;
    score.row = first_logits + row;
    score.forced = request.prompt[static_cast<std::size_t>(scored)];
    score.logprobs = std::max(0, request.logprobs);
    step.rows.push_back(score);
  }
}

void PlanLoop::add_next_draws(const StepItem& item, const Sequence& sequence,
                              std::int32_t first_logits, std::int32_t drawn_by, Step& step) {
  if (!item.samples || sequence.request().max_tokens == 0) return;
  std::int32_t row = first_logits + item.logit_rows - 1 - item.drafts;
  step.rows.push_back(sequence.sampler().next(row, drawn_by));
  const SamplerState* before = &sequence.sampler();
  for (std::int32_t i = 0; i < item.drafts; ++i) {
    SamplerState& ahead = step.ahead.emplace_back(*before);
    ahead.accept(sequence.drafts[static_cast<std::size_t>(i)]);
    step.rows.push_back(ahead.next(++row));
    before = &ahead;
  }
}

void PlanLoop::commit(Step& step) {
  ++stats_.steps;
  stats_.busy_us += step.took_us;
  if (step.device_us) stats_.device_us = stats_.device_us.value_or(0) + *step.device_us;
  stats_.rows += static_cast<std::uint64_t>(step.batch.rows());
  for (std::size_t i = 0; i < step.plan.items.size(); ++i) {
    const StepItem& item = step.plan.items[i];
    const auto found = sequences_.find(item.sequence);
    if (found == sequences_.end()) continue;  // ended while the step ran
    if (!step.error.empty()) {
      end_request(found->second->request().id, FinishReason::kFailed,
                  "the model failed on this step: " + step.error);
      continue;
    }
    commit_item(item, step.draws[i], step);
  }
  ended_.clear();
  if (!step.error.empty() && steps_.lost()) mailbox_.fail("the device failed: " + step.error);
}

void PlanLoop::commit_item(const StepItem& item, const Step::Draws& draws, Step& step) {
  Sequence& sequence = *sequences_.at(item.sequence);
  const Request& request = sequence.request();
  const std::int32_t prompt = size_of(request.prompt);
  stats_.prompt_tokens +=
      static_cast<std::uint64_t>(std::clamp(prompt - item.first_token, 0, item.tokens));
  if (request.prompt_logprobs && sequence.choice() == 0 && sequence.prompt_told == 0) {
    sequence.tell_prompt(0, nullptr, out_);
  }
  const auto sampled = std::span(step.sampled).subspan(static_cast<std::size_t>(draws.first));
  for (std::int32_t i = 0; i < draws.prompt; ++i) {
    sequence.tell_prompt(sequence.prompt_told, &sampled[static_cast<std::size_t>(i)], out_);
  }
  if (!item.samples) {
    scheduler_.commit(item, {});
    return;
  }
  if (request.max_tokens == 0) {  // only the prompt's log-probabilities were wanted
    end_choice(sequence, FinishReason::kLength, -1);
    return;
  }
  const auto next = sampled.subspan(static_cast<std::size_t>(draws.prompt));
  std::vector<std::int32_t> taken;
  Outcome outcome;
  for (std::int32_t i = 0; i < draws.next && !outcome.finished; ++i) {
    Sampled& one = next[static_cast<std::size_t>(i)];
    const std::int32_t token = one.token;
    taken.push_back(token);
    outcome = sequence.accept(std::move(one), out_);
    const bool guessed = i < item.drafts && sequence.drafts[static_cast<std::size_t>(i)] == token;
    if (guessed) ++stats_.accepted_tokens;
    if (!guessed) break;  // what was computed behind a wrong guess is void
  }
  stats_.generated_tokens += taken.size();
  stats_.drafted_tokens += static_cast<std::uint64_t>(item.drafts);
  sequence.drafts.clear();
  scheduler_.commit(item, taken);
  if (outcome.finished) end_choice(sequence, outcome.reason, outcome.stop_token);
}

void PlanLoop::propose_guesses(const Step& step) {
  for (const StepItem& item : step.plan.items) {
    const auto found = sequences_.find(item.sequence);
    if (found == sequences_.end() || !item.samples) continue;
    found->second->drafts = guess_next(scheduler_.tokens(item.sequence), speculate_tokens_);
    scheduler_.propose(item.sequence, found->second->drafts);
  }
}

void PlanLoop::end_choice(Sequence& sequence, FinishReason reason, std::int32_t stop_token,
                          const std::string& error) {
  const SequenceId id = sequence.id();
  const auto choice = static_cast<std::size_t>(sequence.choice());
  const auto found = requests_.find(sequence.request().id);
  Running& running = found->second;
  sequence.tell_end(reason, stop_token, out_);
  running.usage.completion_tokens += sequence.generated();
  running.open[choice] = 0;
  --running.open_count;
  const bool normal = reason == FinishReason::kStop || reason == FinishReason::kLength;
  if (!normal && !running.failure) running.failure = reason;
  scheduler_.remove(id);
  const auto owner = sequences_.find(id);
  if (steps_.under_way() > 0) ended_.push_back(std::move(owner->second));
  sequences_.erase(owner);
  if (running.open_count > 0) return;
  Event ended;
  ended.request = running.request->id;
  ended.kind = EventKind::kFinished;
  ended.finish = running.failure.value_or(reason);
  ended.usage = running.usage;
  ended.error = error;
  out_.push_back(std::move(ended));
  requests_.erase(found);
}

void PlanLoop::end_request(RequestId id, FinishReason reason, const std::string& error) {
  const std::vector<SequenceId> open = requests_.at(id).open;
  for (const SequenceId sequence : open) {
    if (sequence != 0) end_choice(*sequences_.at(sequence), reason, -1, error);
  }
}

std::unique_ptr<Step> PlanLoop::wait_for_step() {
  const std::int64_t from_us = steady_now_us();
  std::unique_ptr<Step> done = steps_.wait();
  waited_us_ += steady_now_us() - from_us;
  return done;
}

void PlanLoop::publish() {
  stats_.host_us = steady_now_us() - begin_us_ - waited_us_;
  const SchedulerStats scheduled = scheduler_.stats();
  const BlockPool& pool = scheduler_.pool();
  stats_.waiting = scheduled.waiting;
  stats_.running = scheduled.running;
  stats_.preemptions = scheduled.preemptions;
  stats_.cached_tokens = scheduled.prefix_hit_tokens;
  stats_.looked_up_tokens = scheduled.prefix_queries_tokens;
  stats_.kv_blocks_total = pool.total();
  stats_.kv_blocks_used = pool.held();
  stats_.kv_blocks_kept = pool.kept();
  if (steps_.under_way() == 0) stats_.step_rows = stats_.step_sequences = 0;
  mailbox_.publish(out_, stats_);
}

}  // namespace hangar
