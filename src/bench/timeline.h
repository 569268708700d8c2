// Timeline: a load's throughput and the number of requests at work, over time.
//
// Promise: at most kMostBuckets buckets of one width (a round number of seconds) that cover the
//   measured time; each token is counted in the bucket in which its piece came (answers that were
//   not streamed: when they ended), so the buckets together hold all of them.
// Units: seconds since the load began; tokens a second; requests.
// Errors: none.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bench/record.h"

namespace hangar::bench {

struct Timeline {
  static constexpr std::size_t kMostBuckets = 120;

  double bucket_s = 0;
  std::vector<double> output_tokens_per_s;
  std::vector<double> in_flight;  // mean number of requests between due and ended
};

Timeline make_timeline(std::span<const RequestRecord> records, std::int64_t begin_us,
                       std::int64_t elapsed_us);

}  // namespace hangar::bench
