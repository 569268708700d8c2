#include "bench/use_samples.h"

#include <algorithm>

namespace hangar::bench {

void UseSamples::take(std::int64_t time_us, const EngineStats& stats) {
  if (begun_ && time_us > last_us_) {
    UseSample sample;
    sample.time_us = time_us;
    sample.running = stats.running;
    sample.waiting = stats.waiting;
    sample.kv_blocks_used = stats.kv_blocks_used;
    sample.busy_share = std::clamp(static_cast<double>(stats.busy_us - last_.busy_us) /
                                       static_cast<double>(time_us - last_us_),
                                   0.0, 1.0);
    // A step may be longer than the time between two looks: it counts as busy when it ends, so what
    // runs without an end in sight counts as one.
    const bool in_step = stats.steps == last_.steps && stats.running > 0;
    if (in_step && last_.running > 0) sample.busy_share = 1.0;
    sample.slots = sample.busy_share * static_cast<double>(stats.step_sequences);
    samples_.push_back(sample);
  }
  if (!begun_) {
    first_busy_us_ = stats.busy_us;
    first_us_ = time_us;
  }
  begun_ = true;
  last_ = stats;
  last_us_ = time_us;
}

double UseSamples::mean_slots() const {
  double sum = 0;
  std::int64_t before_us = first_us_;
  for (const UseSample& sample : samples_) {
    sum += sample.slots * static_cast<double>(sample.time_us - before_us);
    before_us = sample.time_us;
  }
  return before_us > first_us_ ? sum / static_cast<double>(before_us - first_us_) : 0.0;
}

double UseSamples::mean_busy_share() const {
  if (last_us_ <= first_us_) return 0.0;
  return std::clamp(static_cast<double>(last_.busy_us - first_busy_us_) /
                        static_cast<double>(last_us_ - first_us_),
                    0.0, 1.0);
}

}  // namespace hangar::bench
