// UseSamples: how busy an engine was, looked at every few milliseconds.
//
// Promise: take() turns the engine's counters into a point in time; slots in use are the sequences
// of
//   its last step while it is in steps, none while it has nothing to do. The share of time is that
//   of its steps.
// Units: microseconds since the load began; sequences; shares from 0 to 1.
// Errors: none.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace hangar::bench {

struct UseSample {
  std::int64_t time_us = 0;
  double slots = 0;       // sequences computed in a step
  double busy_share = 0;  // of the time since the sample before, spent in steps
  std::int32_t running = 0;
  std::int32_t waiting = 0;
  std::int32_t kv_blocks_used = 0;
};

class UseSamples {
 public:
  void take(std::int64_t time_us, const EngineStats& stats);
  const std::vector<UseSample>& samples() const { return samples_; }

  double mean_slots() const;       // each sample weighted with its time
  double mean_busy_share() const;  // by the counters, from the first look to the last

 private:
  std::vector<UseSample> samples_;
  EngineStats last_;
  std::int64_t last_us_ = 0;
  std::int64_t first_us_ = 0;
  std::int64_t first_busy_us_ = 0;
  bool begun_ = false;
};

}  // namespace hangar::bench
