// run_load: puts a load on a Target and gives back what was seen of every request.
//
// Promise: closed loop (rate_per_s 0): `concurrency` requests are under way at any time. Open loop:
//   requests are sent when due (Poisson), however many are under way, and count from when they were
//   due. Warm-up requests run before the measured time and leave no record. The load ends when
//   `requests` have ended, or after `duration_us`, or when tick() returns false; what then still
//   runs is stopped and its record stays kRunning.
// Units: microseconds.
// Errors: none; one of requests and duration_us is above 0.
// Threads: runs the io_context on the calling thread until the load has ended; tick() comes from it
//   at once and then every tick_us.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <vector>

#include "bench/prompts.h"
#include "bench/record.h"
#include "bench/target.h"

namespace hangar::bench {

struct LoadOptions {
  std::int32_t concurrency = 1;
  double rate_per_s = 0;
  std::int64_t requests = 0;     // 0: no limit
  std::int64_t duration_us = 0;  // 0: no limit
  std::int64_t warmup = 0;
  double cancel_share = 0;  // of the requests: given up somewhere in their output
  std::uint64_t seed = 0;
  std::int64_t tick_us = 100'000;
};

struct LoadProgress {
  bool warming_up = false;
  std::int64_t elapsed_us = 0;
  std::int64_t started = 0;
  std::int64_t ended = 0;
  std::int64_t failed = 0;
  std::int64_t running = 0;
  std::int64_t pieces = 0;  // of requests that have ended and of those that run
};

struct LoadResult {
  std::vector<RequestRecord> records;  // in the order in which they were due
  std::int64_t begin_us = 0;
  std::int64_t elapsed_us = 0;
  bool interrupted = false;  // tick() ended it
};

// false ends the load.
using LoadTick = std::function<bool(const LoadProgress& progress)>;

LoadResult run_load(boost::asio::io_context& io, Target& target, PromptSource& prompts,
                    const LoadOptions& options, const LoadTick& tick);

}  // namespace hangar::bench
