// AheadSteps: steps of a backend that runs ahead: the next is queued on the device before the
// results of the one before are known, so that the device never waits for the host.
//
// Promise: Steps', with two under way at most. start() only queues work; wait() waits for the
// device.
//   took_us of a step is the time from the end of the one before, or from its own start if that was
//   later.
// Errors: after the first, lost() is true: what a device had queued behind it means nothing.
// Threads: as Steps; it has none of its own.
#pragma once

#include <atomic>
#include <deque>

#include "engine/steps.h"

namespace hangar {

class AheadSteps final : public Steps {
 public:
  explicit AheadSteps(Runner& runner) : runner_(runner) {}
  ~AheadSteps() override;

  std::int32_t most_under_way() const override { return 2; }
  std::int32_t under_way() const override { return static_cast<std::int32_t>(queued_.size()); }
  void start(std::unique_ptr<Step> step) override;
  std::unique_ptr<Step> wait() override;
  std::int64_t running_since_us() const override { return running_since_us_.load(); }
  bool lost() const override { return lost_; }

 private:
  struct Queued {
    std::unique_ptr<Step> step;
    std::int64_t started_us = 0;
  };

  Runner& runner_;
  std::deque<Queued> queued_;
  std::int64_t last_end_us_ = 0;
  bool lost_ = false;
  std::atomic<std::int64_t> running_since_us_{0};
};

}  // namespace hangar
