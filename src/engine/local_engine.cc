#include "engine/local_engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "engine/context_limit.h"
#include "engine/runner.h"
#include "engine/sequence.h"
#include "sched/serial_scheduler.h"

namespace hangar {
namespace {

std::int64_t unix_now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class LocalEngine final : public Engine {
 public:
  LocalEngine(std::shared_ptr<const Checkpoint> checkpoint, std::unique_ptr<Runner> runner,
              const LocalEngineOptions& options, EngineInfo info)
      : checkpoint_(std::move(checkpoint)),
        runner_(std::move(runner)),
        options_(options),
        info_(std::move(info)),
        scheduler_(std::min(options.prefill_chunk_tokens, runner_->limits().max_rows)),
        step_thread_([this] { step_loop(); }) {}

  ~LocalEngine() override {
    stop();
    step_thread_.join();
  }

  const EngineInfo& info() const override { return info_; }
  Status submit(Request request) override;
  void cancel(RequestId id) override;
  std::vector<Event> next_events(std::int64_t timeout_us) override;
  EngineStats stats() const override;
  void drain() override;
  void stop() override;
  bool stopped() const override;

 private:
  Status check(const Request& request) const;
  void step_loop();
  void admit_arrivals();             // step thread, with mutex_ held
  void end_cancelled_and_expired();  // step thread
  void step(const StepPlan& plan);   // step thread
  void finish_choice(Sequence& sequence, FinishReason reason, std::int32_t stop_token);
  void finish(RequestId id, FinishReason reason, std::string error);
  void publish();  // step thread: hands out_ to the pump

  std::shared_ptr<const Checkpoint> checkpoint_;
  std::unique_ptr<Runner> runner_;
  const LocalEngineOptions options_;
  const EngineInfo info_;

  // Step thread only.
  SerialScheduler scheduler_;
  std::unordered_map<RequestId, std::unique_ptr<Sequence>> sequences_;
  std::vector<Event> out_;

  // Shared, guarded by mutex_.
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable events_ready_;
  std::deque<Request> arrivals_;
  std::unordered_set<RequestId> known_ids_;  // submitted and not finished
  std::unordered_set<RequestId> cancels_;
  std::vector<Event> events_;
  EngineStats stats_;
  bool draining_ = false;
  bool stopping_ = false;
  bool loop_ended_ = false;

  std::thread step_thread_;  // last: it uses all of the above
};

Status LocalEngine::check(const Request& request) const {
  const auto prompt = static_cast<std::int64_t>(request.prompt.size());
  const auto refuse = [](std::string field, std::string message) -> Status {
    return tl::unexpected<Error>(
        Error{ErrorCode::kInvalidArgument, std::move(message), std::move(field)});
  };
  if (prompt == 0) return refuse("prompt", "the prompt has no tokens");
  if (request.max_tokens < 0) return refuse("max_tokens", "max_tokens is negative");
  if (request.choices < 1) return refuse("n", "n must be at least 1");
  if (prompt + request.max_tokens > info_.context_tokens) {
    return refuse("max_tokens",
                  fmt::format("the prompt has {} tokens and {} more are asked for; together they "
                              "pass the context of {} tokens",
                              prompt, request.max_tokens, info_.context_tokens));
  }
  for (const std::int32_t token : request.prompt) {
    if (token < 0 || token >= info_.vocabulary) {
      return refuse("prompt", fmt::format("token id {} is outside the vocabulary of {}", token,
                                          info_.vocabulary));
    }
  }
  return {};
}

Status LocalEngine::submit(Request request) {
  HANGAR_CHECK_OK(check(request));
  {
    std::lock_guard lock(mutex_);
    if (draining_ || stopping_) {
      return make_error(ErrorCode::kUnavailable, "the server is stopping; try again later");
    }
    if (stats_.waiting >= options_.max_waiting) {
      return make_error(ErrorCode::kResourceExhausted,
                        "{} requests are waiting already, as many as the queue holds",
                        stats_.waiting);
    }
    if (!known_ids_.insert(request.id).second) {
      return make_error(ErrorCode::kInvalidArgument, "request id {} is running already",
                        request.id);
    }
    ++stats_.waiting;
    arrivals_.push_back(std::move(request));
  }
  work_.notify_one();
  return {};
}

void LocalEngine::cancel(RequestId id) {
  {
    std::lock_guard lock(mutex_);
    if (!known_ids_.contains(id)) return;
    cancels_.insert(id);
  }
  work_.notify_one();
}

std::vector<Event> LocalEngine::next_events(std::int64_t timeout_us) {
  std::unique_lock lock(mutex_);
  events_ready_.wait_for(lock, std::chrono::microseconds(timeout_us),
                         [&] { return !events_.empty() || loop_ended_; });
  return std::exchange(events_, {});
}

EngineStats LocalEngine::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

void LocalEngine::drain() {
  std::lock_guard lock(mutex_);
  draining_ = true;
}

void LocalEngine::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
}

bool LocalEngine::stopped() const {
  std::lock_guard lock(mutex_);
  return loop_ended_ && events_.empty();
}

void LocalEngine::step_loop() {
  for (;;) {
    bool stopping = false;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] {
        return stopping_ || !arrivals_.empty() || !cancels_.empty() || !scheduler_.empty();
      });
      admit_arrivals();
      stopping = stopping_;
      if (stopping) cancels_.insert(known_ids_.begin(), known_ids_.end());
    }
    end_cancelled_and_expired();
    if (!stopping) {
      if (const auto plan = scheduler_.plan()) step(*plan);
    }
    publish();
    if (stopping) break;
  }
  std::lock_guard lock(mutex_);
  loop_ended_ = true;
  events_ready_.notify_all();
}

void LocalEngine::admit_arrivals() {
  for (Request& request : arrivals_) {
    const RequestId id = request.id;
    scheduler_.add(id, static_cast<std::int32_t>(request.prompt.size()), request.priority);
    sequences_.emplace(id, std::make_unique<Sequence>(std::move(request), runner_->pool(),
                                                      runner_->block_tokens()));
  }
  arrivals_.clear();
}

void LocalEngine::end_cancelled_and_expired() {
  std::unordered_set<RequestId> cancels;
  {
    std::lock_guard lock(mutex_);
    cancels.swap(cancels_);
  }
  for (const RequestId id : cancels) {
    if (sequences_.contains(id)) finish(id, FinishReason::kCancelled, {});
  }
  std::vector<RequestId> expired;
  for (const auto& [id, sequence] : sequences_) {
    const std::int64_t deadline_us = sequence->request().deadline_us;
    if (deadline_us != 0 && deadline_us <= unix_now_us()) expired.push_back(id);
  }
  for (const RequestId id : expired) finish(id, FinishReason::kExpired, {});
}

void LocalEngine::step(const StepPlan& plan) {
  Sequence& sequence = *sequences_.at(plan.sequence);
  const Request& request = sequence.request();
  const auto prompt_tokens = static_cast<std::int32_t>(request.prompt.size());
  if (!sequence.blocks().reserve(plan.first_token + plan.tokens)) {
    // One sequence runs at a time and check() bounds it by the cache, so this is a bug.
    finish(plan.sequence, FinishReason::kFailed, "the KV cache has no free block");
    return;
  }

  // Every prompt row's logits where they are asked for, in chunks the head can take; else the
  // last's.
  StepPlan part = plan;
  const bool all_logits =
      request.prompt_logprobs && plan.first_token < prompt_tokens && !sequence.prompt_reported();
  if (all_logits) {
    part.tokens = std::min(part.tokens, runner_->limits().max_logit_rows);
    part.samples = plan.samples && part.tokens == plan.tokens;
  }
  const Runner::Item item{sequence.tokens(part.first_token, part.tokens), part.first_token,
                          &sequence.blocks(), all_logits ? part.tokens : (part.samples ? 1 : 0)};
  const std::span<float> logits = runner_->run(std::span(&item, 1));
  const auto vocabulary = static_cast<std::size_t>(info_.vocabulary);
  {
    std::lock_guard lock(mutex_);
    ++stats_.steps;
    const std::int32_t prompt_part = std::clamp(prompt_tokens - part.first_token, 0, part.tokens);
    stats_.prompt_tokens += static_cast<std::uint64_t>(prompt_part);
  }
  if (all_logits) sequence.report_prompt(part.first_token, part.tokens, logits, vocabulary, out_);
  if (!part.samples) {
    scheduler_.advance(part, 0);
    return;
  }
  if (request.max_tokens == 0) {  // only the prompt's log-probabilities were wanted
    scheduler_.advance(part, 0);
    finish_choice(sequence, FinishReason::kLength, -1);
    return;
  }
  const Pick pick = sequence.sampler().pick(logits.subspan(logits.size() - vocabulary));
  scheduler_.advance(part, 1);
  {
    std::lock_guard lock(mutex_);
    ++stats_.generated_tokens;
  }
  const auto outcome = sequence.accept(pick, out_);
  if (outcome.finished) finish_choice(sequence, outcome.reason, outcome.stop_token);
}

void LocalEngine::finish_choice(Sequence& sequence, FinishReason reason, std::int32_t stop_token) {
  sequence.end_choice(reason, stop_token, out_);
  const RequestId id = sequence.request().id;
  if (sequence.next_choice()) {
    // The prompt's keys and values stay; its last token is computed again for its logits.
    const auto prompt = static_cast<std::int32_t>(sequence.request().prompt.size());
    scheduler_.rewind(id, prompt, prompt - 1);
    return;
  }
  finish(id, reason, {});
}

void LocalEngine::finish(RequestId id, FinishReason reason, std::string error) {
  const auto it = sequences_.find(id);
  it->second->end_request(reason, std::move(error), out_);
  scheduler_.remove(id);
  sequences_.erase(it);
}

void LocalEngine::publish() {
  {
    std::lock_guard lock(mutex_);
    for (const Event& event : out_) {
      if (event.kind == EventKind::kFinished) {
        known_ids_.erase(event.request);
        cancels_.erase(event.request);
      }
    }
    events_.insert(events_.end(), std::make_move_iterator(out_.begin()),
                   std::make_move_iterator(out_.end()));
    stats_.waiting = scheduler_.waiting() + static_cast<std::int32_t>(arrivals_.size());
    stats_.running = static_cast<std::int32_t>(sequences_.size()) - scheduler_.waiting();
    stats_.kv_blocks_total = runner_->pool().total();
    stats_.kv_blocks_used = runner_->pool().used();
  }
  if (!out_.empty()) events_ready_.notify_one();
  out_.clear();
}

}  // namespace

Result<std::unique_ptr<Engine>> make_local_engine(std::shared_ptr<const Checkpoint> checkpoint,
                                                  const LocalEngineOptions& options) {
  HANGAR_TRY(const ModelConfig config, checkpoint->config());
  HANGAR_TRY(const std::int32_t context_tokens, choose_context(config, *checkpoint, options));
  RunnerOptions runner_options;
  runner_options.backend = options.backend;
  runner_options.threads = options.threads;
  runner_options.kv_tokens = context_tokens;
  runner_options.limits.max_rows = options.prefill_chunk_tokens;
  runner_options.limits.context_tokens = context_tokens;
  HANGAR_TRY(auto runner, Runner::make(*checkpoint, runner_options));
  EngineInfo info;
  info.model = config.name.empty() ? config.architecture : config.name;
  info.backend = runner->backend().description();
  info.context_tokens = context_tokens;
  info.vocabulary = config.vocabulary;
  info.weight_bytes = runner->model().weight_bytes();
  info.kv_bytes = runner->kv_bytes();
  return std::make_unique<LocalEngine>(std::move(checkpoint), std::move(runner), options,
                                       std::move(info));
}

}  // namespace hangar
