// BatchingReport: what `hangar bench batching` found: the policies side by side.
//
// Promise: tables, JSON and page hold the same figures; the page also shows, for each policy, the
// slots
//   in use over time on axes of the same length, so that one sees where they stood empty.
// Errors: none.
// Threads: pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bench/batching.h"
#include "bench/page.h"

namespace hangar::bench {

struct BatchingReport {
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<BatchingRun> runs;
  LatencyTargets targets;
  std::int32_t slots = 1;  // that each policy had
};

std::vector<PageTable> batching_tables(const BatchingReport& report);
boost::json::object batching_json(const BatchingReport& report);
Page batching_page(const BatchingReport& report);

}  // namespace hangar::bench
