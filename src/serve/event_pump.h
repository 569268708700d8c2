// EventPump: the thread that takes an engine's events to the streams they belong to.
//
// Promise: each request that start() took reaches its stream's one end, also when the engine is
//   stopped. An event costs one look-up, whatever the number of streams; a stream that is dropped
//   costs one call of Engine::cancel. The engine is not called after join().
// Errors: start: Engine::submit_all's; kUnavailable after the engine has ended.
// Threads: start from any; run's thread is its own; join once, after Engine::stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "serve/metrics/completion_rate.h"
#include "serve/metrics/model_metrics.h"
#include "serve/output_stream.h"
#include "serve/running_stream.h"

namespace hangar {

// Streams hold it too: they may outlive the model.
class EventPump : public std::enable_shared_from_this<EventPump> {
 public:
  explicit EventPump(Engine& engine);
  ~EventPump();
  EventPump(const EventPump&) = delete;
  EventPump& operator=(const EventPump&) = delete;

  struct Start {
    Request request;
    RunningStream::Options options;
  };
  // All of them together, or none. Gives the requests their ids. counted: they are in the metrics.
  Result<std::vector<std::unique_ptr<OutputStream>>> start(std::vector<Start> starts,
                                                           const Tokenizer& tokenizer,
                                                           bool counted);
  // A token has come out of the engine.
  bool has_produced() const { return produced_.load(std::memory_order_relaxed); }
  const ModelMetrics& metrics() const { return metrics_; }
  const CompletionRate& completions() const { return completions_; }
  void cancel(RequestId id);
  // Is called, once, if the engine ends by itself (Engine::failure), on the pump's thread or, where
  // that has happened already, at once.
  void on_failure(std::function<void(const std::string&)> told);
  void join();

 private:
  using StreamPtr = std::shared_ptr<RunningStream>;

  void run();
  void take_arrivals();
  void handle(const Event& event, std::int64_t now_us);
  void close();
  void withdraw(const std::vector<StreamPtr>& streams);

  Engine& engine_;
  ModelMetrics metrics_;
  CompletionRate completions_;
  std::atomic<RequestId> next_id_{1};
  std::atomic<bool> produced_{false};
  std::unordered_map<RequestId, StreamPtr> streams_;  // the pump thread's

  std::mutex mutex_;
  std::vector<StreamPtr> arrivals_;   // submitted, not yet in streams_; guarded by mutex_
  std::vector<RequestId> withdrawn_;  // refused by the engine; guarded by mutex_
  bool closed_ = false;               // guarded by mutex_
  std::function<void(const std::string&)> told_;  // guarded by mutex_

  std::thread thread_;
};

}  // namespace hangar
