#include "engine/ahead_steps.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/clock.h"

namespace hangar {

AheadSteps::~AheadSteps() {
  while (!queued_.empty()) (void)wait();
}

void AheadSteps::start(std::unique_ptr<Step> step) {
  const std::int64_t now_us = steady_now_us();
  if (queued_.empty()) running_since_us_.store(now_us);
  if (lost_) step->error = "the device is lost";
  try {
    if (!lost_) runner_.run(step->batch, step->plan.copies);
    if (!lost_) runner_.start_sample(step->rows);
  } catch (const std::exception& error) {
    spdlog::error("a step of {} rows failed: {}", step->plan.rows, error.what());
    step->error = error.what();
    lost_ = true;
  }
  queued_.push_back({std::move(step), now_us});
}

std::unique_ptr<Step> AheadSteps::wait() {
  Queued oldest = std::move(queued_.front());
  queued_.pop_front();
  Step& step = *oldest.step;
  if (step.error.empty()) {
    try {
      step.sampled.resize(step.rows.size());
      runner_.finish_sample(step.sampled);
      step.device_us = runner_.backend().step_device_us();
    } catch (const std::exception& error) {
      spdlog::error("a step of {} rows failed: {}", step.plan.rows, error.what());
      step.error = error.what();
      lost_ = true;
    }
  }
  const std::int64_t now_us = steady_now_us();
  step.took_us = now_us - std::max(oldest.started_us, last_end_us_);
  last_end_us_ = now_us;
  running_since_us_.store(queued_.empty() ? 0 : std::max(queued_.front().started_us, now_us));
  return std::move(oldest.step);
}

}  // namespace hangar
