// How fast a model runs here, without server or sampling: prefill and decode in tokens per second.
//
// Promise: "ppN" computes a prompt of N random tokens; "tgN" computes N tokens one at a time, and
//   "tgN xB" N tokens of each of B sequences that go together, all of them counted. "@ dD": behind
//   a context of D tokens, which is not counted. Each is run once to warm up, then `repeats` times.
// Units: tokens per second, one figure a repeat.
// Errors: as ProbeModel::make.
// Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/probe_model.h"
#include "formats/checkpoint.h"
#include "tensor/weight_quant.h"

namespace hangar {

struct SpeedProbeOptions {
  std::string backend = "cpu";
  int threads = 0;
  QuantOptions quant = {};  // as BackendOptions'
  std::vector<std::int32_t> prefill_tokens = {512};
  std::vector<std::int32_t> decode_tokens = {128};
  std::vector<std::int32_t> sequences = {1};  // that decode together
  std::int32_t depth_tokens = 0;
  std::int32_t batch_rows = 512;  // rows of one prefill step
  std::int32_t repeats = 3;
};

// Prefill first, then decode: each length with each number of sequences.
std::vector<ProbeTest> probe_tests(const SpeedProbeOptions& options);

struct SpeedProbeResult {
  ProbeTest test;
  std::vector<double> tokens_per_s;
};

Result<std::vector<SpeedProbeResult>> run_speed_probe(const Checkpoint& checkpoint,
                                                      const SpeedProbeOptions& options);

}  // namespace hangar
