// Steps: computes laid-out steps, while the plan thread plans the next.
//
// Promise: start() hands a step over, in order; wait() returns the oldest when it is done.
//   running_since_us() tells since when one has been under way. An exception in the model becomes
//   the step's error.
// Errors: none. Threads: start and wait from the plan thread; the rest from any.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/runner.h"
#include "engine/step.h"

namespace hangar {

class Steps {
 public:
  Steps() = default;
  virtual ~Steps() = default;  // waits for what is under way
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;

  // How many may be started before the first is waited for. With more than one, tokens drawn by the
  // one before are named in the next by their place (RaggedBatch::token_ids).
  virtual std::int32_t most_under_way() const = 0;
  virtual std::int32_t under_way() const = 0;
  virtual void start(std::unique_ptr<Step> step) = 0;
  virtual std::unique_ptr<Step> wait() = 0;
  virtual std::int64_t running_since_us() const = 0;  // 0: none
  // An error of a step has left the device unusable: no later step can be right.
  virtual bool lost() const { return false; }
};

// AheadSteps where the runner's backend runs ahead, else a StepThread.
std::unique_ptr<Steps> make_steps(Runner& runner);

}  // namespace hangar
