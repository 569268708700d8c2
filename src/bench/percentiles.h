// Percentiles of measured values, all kept, none estimated.
//
// Promise: percentile() interpolates linearly between the two nearest ranks (as numpy does by
//   default): of one value it is that value. spread_of() sorts a copy once.
// Errors: none: of no values every figure is 0 and `count` says so.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace hangar::bench {

// `sorted` ascending; `percent` in [0, 100].
double percentile(std::span<const double> sorted, double percent);

struct Spread {
  std::size_t count = 0;
  double mean = 0;
  double least = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double most = 0;
};
Spread spread_of(std::vector<double> values);

}  // namespace hangar::bench
