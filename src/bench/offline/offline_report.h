// The offline benchmark's report: a table for people, JSON for programs.
//
// Promise: the same figures in both. A step's time is split into the share in which the backend was
//   busy, the gaps in which it waited, and what the engine's own thread (planning, laying out,
//   handing over) took, which runs beside the backend. Where the backend cannot tell when its
//   device computes, busy is the time that steps were under way.
// Units: as offline_run.h; microseconds a step; bytes and operations a second for the machine.
// Errors: none. Threads: pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/offline/offline_run.h"
#include "bench/page.h"

namespace hangar::bench {

struct OfflineReport {
  std::vector<std::pair<std::string, std::string>> facts;
  MachineRates rates;
  double load_s = 0.0;                  // from the checkpoint's opening to the engine
  std::optional<double> first_token_s;  // from the process's start
  OfflineRun run;
};

std::vector<PageTable> offline_tables(const OfflineReport& report);
boost::json::object offline_json(const OfflineReport& report);

}  // namespace hangar::bench
