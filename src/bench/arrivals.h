// PoissonArrivals: when the requests of an open loop are due.
//
// Promise: gaps between arrivals are exponential with mean 1 / rate, so arrivals do not wait for
//   answers and come in bursts as independent people's do. The same seed gives the same moments.
// Units: microseconds since the load began; the first arrival comes after the first gap.
// Errors: none; rate_per_s is above 0.
// Threads: one at a time.
#pragma once

#include <cmath>
#include <cstdint>

#include "bench/random.h"

namespace hangar::bench {

class PoissonArrivals {
 public:
  PoissonArrivals(double rate_per_s, std::uint64_t seed)
      : mean_gap_us_(1e6 / rate_per_s), random_(seed) {}

  std::int64_t next_us() {
    due_us_ += mean_gap_us_ * random_.exponential();
    return std::llround(due_us_);
  }

 private:
  double mean_gap_us_;
  double due_us_ = 0.0;
  Random random_;
};

}  // namespace hangar::bench
