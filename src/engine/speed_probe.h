// How fast a model runs here, without server or sampling: prefill and decode in tokens per second.
//
// Promise: "ppN" computes a prompt of N random tokens from an empty cache; "tgN" computes N tokens
//   one at a time from an empty cache. Each is run once to warm up, then `repeats` times. The same
//   tests, by the same names, as the field's usual benchmark of this kind.
// Units: tokens per second, one figure a repeat.
// Errors: as Runner::make; kInvalidArgument where a test is longer than the model's context.
// Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"

namespace hangar {

struct SpeedProbeOptions {
  std::string backend = "cpu";
  int threads = 0;
  std::vector<std::int32_t> prefill_tokens = {512};
  std::vector<std::int32_t> decode_tokens = {128};
  std::int32_t batch_rows = 512;  // rows of one prefill step
  std::int32_t repeats = 3;
};

struct SpeedProbeResult {
  std::string test;
  std::vector<double> tokens_per_s;
};

Result<std::vector<SpeedProbeResult>> run_speed_probe(const Checkpoint& checkpoint,
                                                      const SpeedProbeOptions& options);

}  // namespace hangar
