// MockEngine: for tests: an Engine that plays written answers, one token a step and choice.
//
// Promise: choice k (counted from 0 over all requests) plays script[k % size], then its stop token;
//   an empty list of scripts plays 'x' without end. It obeys choices, max_tokens, deadlines,
//   cancel, drain and stop as the Engine says; at_once requests run, max_queue may wait.
//   Log-probabilities, where asked for: choice_logprobs[choice] (else -0.5) for the token; -0.5,
//   -1.5 and so on for the likeliest, the token itself among them. While frozen it takes requests
//   and makes no step.
// Threads: Engine's; the rest from any.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"

namespace hangar {

class MockEngine final : public Engine {
 public:
  struct Options {
    std::vector<std::vector<std::int32_t>> scripts = {};
    std::int64_t step_us = 0;
    std::int32_t context_tokens = 4096;
    std::int32_t vocabulary = 259;
    std::int32_t at_once = 1 << 20;       // requests that run; the others wait
    std::int32_t max_queue = 1 << 20;     // requests in all; past it: kResourceExhausted
    std::int32_t fail_after_tokens = -1;  // of a choice; then the request ends with kFailed
    std::int32_t cached_tokens = 0;       // said of each prompt, at most all of it but one
    std::vector<float> choice_logprobs = {};
  };
  struct Seen {
    Request request;
    std::int32_t tokens = 0;  // of all choices
    bool cancelled = false;   // the request as a whole
    std::vector<std::int32_t> cancelled_choices = {};
    bool finished = false;
  };

  explicit MockEngine(Options options) : options_(std::move(options)) {
    info_.model = "mock";
    info_.backend = "mock";
    info_.context_tokens = options_.context_tokens;
    info_.vocabulary = options_.vocabulary;
    info_.kv_blocks = kBlocks;
    info_.kv_type = "f16";
    info_.batching = "continuous";
    info_.max_running = options_.at_once;
    info_.max_waiting = options_.max_queue;
    stats_.kv_blocks_total = kBlocks;
  }

  static std::vector<std::int32_t> bytes(std::string_view text) {
    std::vector<std::int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }

  const EngineInfo& info() const override { return info_; }

  Status submit_all(std::vector<Request> requests) override {
    std::lock_guard lock(mutex_);
    if (draining_ || stop_) return make_error(ErrorCode::kUnavailable, "draining");
    if (std::cmp_greater(jobs_.size() + requests.size(), options_.max_queue)) {
      ++stats_.refused;
      return make_error(ErrorCode::kResourceExhausted, "the queue is full");
    }
    for (Request& request : requests) {
      Job job;
      job.seen = seen_.size();
      for (std::int32_t i = 0; i < std::max(request.choices, 1); ++i) {
        job.choices.push_back({.script = next_script_++});
      }
      jobs_.emplace(request.id, std::move(job));
      seen_.push_back({.request = std::move(request)});
    }
    stalled_since_us_ = stalled_since_us_ == 0 ? steady_now_us() : stalled_since_us_;
    wake_.notify_all();
    return {};
  }

  void cancel(RequestId id, std::int32_t choice = -1) override {
    std::lock_guard lock(mutex_);
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return;
    Job& job = found->second;
    if (choice < 0) {
      job.cancelled = true;
      seen_[job.seen].cancelled = true;
    } else if (static_cast<std::size_t>(choice) < job.choices.size()) {
      job.choices[static_cast<std::size_t>(choice)].cancelled = true;
      seen_[job.seen].cancelled_choices.push_back(choice);
    }
    wake_.notify_all();
  }

  std::vector<Event> next_events(std::int64_t timeout_us) override {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::microseconds(timeout_us),
                   [&] { return (!jobs_.empty() && !frozen_) || stop_; });
    if (options_.step_us > 0 && !jobs_.empty()) {
      wake_.wait_for(lock, std::chrono::microseconds(options_.step_us), [&] { return stop_; });
    }
    std::vector<Event> events;
    if (frozen_ && !stop_) return events;
    std::int32_t running = 0;
    for (auto at = jobs_.begin(); at != jobs_.end();) {
      const bool runs = running < options_.at_once;
      if (runs) ++running;
      at = step(at->second, runs, events) ? jobs_.erase(at) : std::next(at);
    }
    if (running > 0) ++stats_.steps;
    stats_.step_sequences = running;
    stalled_since_us_ = jobs_.empty() ? 0 : steady_now_us();
    return events;
  }

  EngineStats stats() const override {
    std::lock_guard lock(mutex_);
    EngineStats stats = stats_;
    const auto jobs = static_cast<std::int32_t>(jobs_.size());
    stats.running = std::min(jobs, options_.at_once);
    stats.waiting = jobs - stats.running;
    stats.kv_blocks_used = std::min(stats.running, kBlocks);
    if (frozen_ && stalled_since_us_ > 0) stats.waited_for_us = steady_now_us() - stalled_since_us_;
    return stats;
  }
  void drain() override {
    std::lock_guard lock(mutex_);
    draining_ = true;
  }
  void stop() override {
    std::lock_guard lock(mutex_);
    stop_ = true;
    for (auto& [id, job] : jobs_) job.cancelled = true;
    wake_.notify_all();
  }
  bool stopped() const override {
    std::lock_guard lock(mutex_);
    return stop_ && jobs_.empty();
  }

  void freeze(bool frozen) {
    std::lock_guard lock(mutex_);
    frozen_ = frozen;
    wake_.notify_all();
  }
  // What was asked of it so far, in the order of submission.
  std::vector<Seen> seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  // As if nothing had been asked of it yet. Not while something runs.
  void forget() {
    std::lock_guard lock(mutex_);
    seen_.clear();
    next_script_ = 0;
    stats_ = EngineStats{.kv_blocks_total = kBlocks};
  }

 private:
  static constexpr std::int32_t kBlocks = 64;

  struct Choice {
    std::size_t script = 0;
    std::int32_t tokens = 0;
    bool cancelled = false;
    bool ended = false;
  };
  struct Job {
    std::size_t seen = 0;
    std::vector<Choice> choices;
    bool started = false;
    bool cancelled = false;
  };

  static Event event_of(const Request& request, EventKind kind, std::size_t choice) {
    Event event;
    event.request = request.id;
    event.kind = kind;
    event.choice = static_cast<std::int32_t>(choice);
    return event;
  }

  void add_logprobs(const Request& request, Event& event) const {
    if (request.logprobs < 0) return;
    const auto choice = static_cast<std::size_t>(event.choice);
    event.has_logprob = true;
    event.logprob =
        choice < options_.choice_logprobs.size() ? options_.choice_logprobs[choice] : -0.5F;
    for (std::int32_t i = 0; i < request.logprobs; ++i) {
      event.top.push_back({(event.token + i) % options_.vocabulary, -0.5F - static_cast<float>(i)});
    }
  }

  void start(const Request& request, Job& job, std::vector<Event>& events) {
    job.started = true;
    const auto prompt = static_cast<std::int32_t>(request.prompt.size());
    const std::int32_t cached = std::min(options_.cached_tokens, prompt - 1);
    stats_.prompt_tokens += static_cast<std::uint64_t>(prompt - cached);
    stats_.cached_tokens += static_cast<std::uint64_t>(cached);
    stats_.looked_up_tokens += static_cast<std::uint64_t>(prompt);
    for (std::size_t i = 0; i < job.choices.size(); ++i) {
      Event started = event_of(request, EventKind::kStarted, i);
      started.usage.cached_tokens = i == 0 ? cached : prompt;  // the others share what it computed
      events.push_back(std::move(started));
    }
    for (std::size_t i = 0; request.prompt_logprobs && i < request.prompt.size(); ++i) {
      Event told = event_of(request, EventKind::kPrompt, 0);
      told.token = request.prompt[i];
      if (i > 0) add_logprobs(request, told);
      events.push_back(std::move(told));
    }
  }

  // One step of one request; true: it has ended.
  bool step(Job& job, bool runs, std::vector<Event>& events) {
    Seen& seen = seen_[job.seen];
    const Request& request = seen.request;
    if (job.cancelled) return end(job, FinishReason::kCancelled, events);
    if (request.deadline_us > 0 && unix_now_us() >= request.deadline_us) {
      ++stats_.expired;
      return end(job, FinishReason::kExpired, events);
    }
    if (!runs) return false;
    if (!job.started) start(request, job, events);
    bool open = false;
    for (std::size_t i = 0; i < job.choices.size(); ++i) {
      Choice& choice = job.choices[i];
      if (choice.ended) continue;
      if (choice.tokens == options_.fail_after_tokens) {
        return end(job, FinishReason::kFailed, events);
      }
      std::int32_t token = 'x';
      std::optional<FinishReason> finish;
      if (choice.cancelled) {
        finish = FinishReason::kCancelled;
      } else if (choice.tokens >= request.max_tokens) {
        finish = FinishReason::kLength;
      } else if (!options_.scripts.empty()) {
        const auto& script = options_.scripts[choice.script % options_.scripts.size()];
        const auto at = static_cast<std::size_t>(choice.tokens);
        if (at >= script.size()) finish = FinishReason::kStop;
        if (!finish) token = script[at];
      }
      if (finish) {
        end_choice(request, job, i, *finish, events);
        continue;
      }
      open = true;
      Event told = event_of(request, EventKind::kToken, i);
      told.token = token;
      add_logprobs(request, told);
      events.push_back(std::move(told));
      ++choice.tokens;
      ++seen.tokens;
      ++stats_.generated_tokens;
    }
    return !open && end(job, FinishReason::kStop, events);
  }

  static void end_choice(const Request& request, Job& job, std::size_t index, FinishReason reason,
                         std::vector<Event>& events) {
    job.choices[index].ended = true;
    Event ended = event_of(request, EventKind::kChoiceFinished, index);
    ended.finish = reason;
    if (reason == FinishReason::kStop) ended.stop_token = 257;
    events.push_back(std::move(ended));
  }

  bool end(Job& job, FinishReason reason, std::vector<Event>& events) {
    Seen& seen = seen_[job.seen];
    for (std::size_t i = 0; i < job.choices.size(); ++i) {
      if (!job.choices[i].ended) end_choice(seen.request, job, i, reason, events);
    }
    seen.finished = true;
    Event event = event_of(seen.request, EventKind::kFinished, 0);
    event.finish = reason;
    event.usage.prompt_tokens = static_cast<std::int32_t>(seen.request.prompt.size());
    event.usage.completion_tokens = seen.tokens;
    if (reason == FinishReason::kFailed) event.error = "written to fail";
    events.push_back(std::move(event));
    return true;
  }

  Options options_;
  EngineInfo info_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<RequestId, Job> jobs_;  // in the order they came
  std::vector<Seen> seen_;
  EngineStats stats_;
  std::size_t next_script_ = 0;
  std::int64_t stalled_since_us_ = 0;
  bool frozen_ = false;
  bool draining_ = false;
  bool stop_ = false;
};

}  // namespace hangar
