// StepThread: steps on a thread of their own, one at a time, for a backend that computes in it.
//
// Promise: Steps', with one under way at most.
// Errors: none. Threads: as Steps.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/steps.h"

namespace hangar {

class StepThread final : public Steps {
 public:
  explicit StepThread(Runner& runner);
  ~StepThread() override;

  std::int32_t most_under_way() const override { return 1; }
  std::int32_t under_way() const override { return running_since_us_.load() != 0 ? 1 : 0; }
  void start(std::unique_ptr<Step> step) override;
  std::unique_ptr<Step> wait() override;
  std::int64_t running_since_us() const override { return running_since_us_.load(); }

 private:
  void loop();

  Runner& runner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Step> todo_;
  std::unique_ptr<Step> done_;
  bool ending_ = false;
  std::atomic<std::int64_t> running_since_us_{0};  // from start() to wait()
  std::thread thread_;                             // last: it uses all of the above
};

}  // namespace hangar
