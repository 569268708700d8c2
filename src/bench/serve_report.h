// ServeReport: what `hangar bench serve` found: as tables for the terminal, JSON and a page.
//
// Promise: the three hold the same figures.
// Errors: none.
// Threads: pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bench/load.h"
#include "bench/page.h"
#include "bench/summary.h"

namespace hangar::bench {

struct ServeReport {
  std::vector<std::pair<std::string, std::string>> facts;  // server, model, load, when
  LoadResult load;
  Summary summary;
  LatencyTargets targets;
};

std::vector<PageTable> serve_tables(const ServeReport& report);
boost::json::object serve_json(const ServeReport& report);
Page serve_page(const ServeReport& report);

}  // namespace hangar::bench
