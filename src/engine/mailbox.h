// Mailbox: what passes between an engine's callers and its plan thread.
//
// Promise: requests and cancellations come out in the order they went in; events too. An id is
// known
//   from submit until its kFinished event has been put out. publish() hands out events and figures.
// Errors: submit: kUnavailable (draining, stopping), kResourceExhausted (queue full),
//   kInvalidArgument (the id is running already).
// Threads: any; take() and publish() from the plan thread alone, next_events from one pump.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace hangar {

struct Cancellation {
  RequestId request = 0;
  std::int32_t choice = -1;  // -1: all of them
};

class Mailbox {
 public:
  struct Taken {
    std::vector<Request> requests;
    std::vector<Cancellation> cancellations;
    bool stopping = false;
  };

  explicit Mailbox(std::int32_t max_waiting) : max_waiting_(max_waiting) {}

  Status submit(std::vector<Request> requests);  // all or none
  void cancel(Cancellation cancellation);
  std::vector<Event> next_events(std::int64_t timeout_us);
  EngineStats stats() const;
  void drain();
  void stop();
  // Stops for this reason.
  void fail(std::string reason);
  std::string failure() const;             // "": none
  bool closed() const;                     // nothing will come any more, and all has been taken
  std::int64_t oldest_arrival_us() const;  // of those not taken; 0: none

  // Waits until something is there, or until timeout_us have passed (nullopt: without end; 0:
  // looks).
  Taken take(std::optional<std::int64_t> timeout_us);
  // `stats` replaces all but what the mailbox itself counts.
  void publish(std::vector<Event>& events, const EngineStats& stats);
  void close();

 private:
  const std::int32_t max_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable events_ready_;
  std::deque<Request> arrivals_;
  std::vector<Cancellation> cancellations_;
  std::unordered_set<RequestId> known_;
  std::vector<Event> events_;
  EngineStats stats_;
  std::int64_t arriving_ = 0;  // sequences submitted and not yet in stats_.waiting
  std::int64_t oldest_arrival_us_ = 0;
  bool draining_ = false;
  bool stopping_ = false;
  bool closed_ = false;
  std::string failure_;
};

}  // namespace hangar
