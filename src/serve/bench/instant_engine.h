// InstantEngine: for benchmarks of the front end only: an Engine that answers each request at once
// with the same tokens.
//
// Promise: all events of a request are there when submit_all() returns: the answer's tokens,
// repeated or
//   cut to max_tokens, for each choice. No model, no time of its own, so that what is measured over
//   it is the front end's.
// Errors: submit: kUnavailable (draining or stopped).
// Threads: Engine's.
#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "engine/engine.h"

namespace hangar {

class InstantEngine final : public Engine {
 public:
  InstantEngine(std::vector<std::int32_t> answer, std::int32_t context_tokens,
                std::int32_t vocabulary);

  const EngineInfo& info() const override { return info_; }
  Status submit_all(std::vector<Request> requests) override;
  void cancel(RequestId /*id*/, std::int32_t /*choice*/ = -1) override {}  // it has ended already
  std::vector<Event> next_events(std::int64_t timeout_us) override;
  EngineStats stats() const override;
  void drain() override;
  void stop() override;
  bool stopped() const override;

 private:
  std::vector<std::int32_t> answer_;
  EngineInfo info_;
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Event> events_;
  EngineStats stats_;
  bool draining_ = false;
  bool stop_ = false;
};

}  // namespace hangar
