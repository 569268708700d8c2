// MockEngine: for tests: an Engine that plays written answers, one token a step.
//
// Promise: request k (counted from 0) plays script[k % size], then its stop token; an empty list of
//   scripts plays 'x' without end. It obeys max_tokens, cancel, drain and stop as the Engine says.
//   Log-probabilities, where asked for: -0.5 for the token, -0.5 and -1.5 for the likeliest, the
//   token itself among them.
// Threads: Engine's.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace hangar {

class MockEngine final : public Engine {
 public:
  struct Options {
    std::vector<std::vector<std::int32_t>> scripts = {};
    std::int64_t step_us = 0;
    std::int32_t context_tokens = 4096;
    std::int32_t vocabulary = 259;
    std::int32_t max_running = 1 << 20;
    std::int32_t fail_after_tokens = -1;  // then the request ends with kFailed
  };
  struct Seen {
    Request request;
    std::int32_t tokens = 0;
    bool cancelled = false;
    bool finished = false;
  };

  explicit MockEngine(Options options) : options_(std::move(options)) {
    info_.model = "mock";
    info_.backend = "mock";
    info_.context_tokens = options_.context_tokens;
    info_.vocabulary = options_.vocabulary;
  }

  static std::vector<std::int32_t> bytes(std::string_view text) {
    std::vector<std::int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }

  const EngineInfo& info() const override { return info_; }

  Status submit(Request request) override {
    std::lock_guard lock(mutex_);
    if (draining_ || stop_) return make_error(ErrorCode::kUnavailable, "draining");
    if (static_cast<std::int32_t>(running_.size()) >= options_.max_running) {
      return make_error(ErrorCode::kResourceExhausted, "the queue is full");
    }
    Running running;
    running.script = seen_.size();
    running_.emplace(request.id, running);
    index_[request.id] = seen_.size();
    seen_.push_back({.request = std::move(request)});
    wake_.notify_all();
    return {};
  }

  void cancel(RequestId id) override {
    std::lock_guard lock(mutex_);
    if (const auto found = running_.find(id); found != running_.end()) {
      found->second.cancelled = true;
      seen_[index_[id]].cancelled = true;
      wake_.notify_all();
    }
  }

  std::vector<Event> next_events(std::int64_t timeout_us) override {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::microseconds(timeout_us),
                   [&] { return !running_.empty() || stop_; });
    if (options_.step_us > 0 && !running_.empty()) {
      wake_.wait_for(lock, std::chrono::microseconds(options_.step_us), [&] { return stop_; });
    }
    std::vector<Event> events;
    for (auto at = running_.begin(); at != running_.end();) {
      at = step(at->first, at->second, events) ? running_.erase(at) : std::next(at);
    }
    return events;
  }

  EngineStats stats() const override {
    std::lock_guard lock(mutex_);
    EngineStats stats;
    stats.running = static_cast<std::int32_t>(running_.size());
    return stats;
  }
  void drain() override {
    std::lock_guard lock(mutex_);
    draining_ = true;
  }
  void stop() override {
    std::lock_guard lock(mutex_);
    stop_ = true;
    for (auto& [id, running] : running_) running.cancelled = true;
    wake_.notify_all();
  }
  bool stopped() const override {
    std::lock_guard lock(mutex_);
    return stop_ && running_.empty();
  }

  // What was asked of it so far, in the order of submission.
  std::vector<Seen> seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  struct Running {
    std::size_t script = 0;
    std::int32_t tokens = 0;
    bool prompt_told = false;
    bool cancelled = false;
  };

  void add_logprobs(const Request& request, Event& event) const {
    if (request.logprobs < 0) return;
    event.has_logprob = true;
    event.logprob = -0.5F;
    for (std::int32_t i = 0; i < request.logprobs; ++i) {
      event.top.push_back({(event.token + i) % options_.vocabulary, -0.5F - static_cast<float>(i)});
    }
  }

  // One step of one request; true: it has ended.
  bool step(RequestId id, Running& running, std::vector<Event>& events) {
    Seen& seen = seen_[index_[id]];
    const Request& request = seen.request;
    Event event;
    event.request = id;
    if (request.prompt_logprobs && !running.prompt_told) {
      running.prompt_told = true;
      for (std::size_t i = 0; i < request.prompt.size(); ++i) {
        Event prompt = event;
        prompt.kind = EventKind::kPrompt;
        prompt.token = request.prompt[i];
        if (i > 0) add_logprobs(request, prompt);
        events.push_back(std::move(prompt));
      }
    }
    if (running.cancelled) return end(seen, FinishReason::kCancelled, -1, events);
    if (running.tokens == options_.fail_after_tokens) {
      return end(seen, FinishReason::kFailed, -1, events);
    }
    if (running.tokens >= request.max_tokens) return end(seen, FinishReason::kLength, -1, events);
    std::int32_t token = 'x';
    if (!options_.scripts.empty()) {
      const auto& script = options_.scripts[running.script % options_.scripts.size()];
      const auto at = static_cast<std::size_t>(running.tokens);
      if (at >= script.size()) return end(seen, FinishReason::kStop, 257, events);
      token = script[at];
    }
    event.token = token;
    add_logprobs(request, event);
    events.push_back(std::move(event));
    seen.tokens = ++running.tokens;
    return false;
  }

  bool end(Seen& seen, FinishReason reason, std::int32_t stop_token, std::vector<Event>& events) {
    seen.finished = true;
    Event event;
    event.request = seen.request.id;
    event.kind = EventKind::kChoiceFinished;
    event.finish = reason;
    event.stop_token = stop_token;
    events.push_back(event);
    event.kind = EventKind::kFinished;
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
  std::map<RequestId, Running> running_;
  std::map<RequestId, std::size_t> index_;
  std::vector<Seen> seen_;
  bool draining_ = false;
  bool stop_ = false;
};

}  // namespace hangar
