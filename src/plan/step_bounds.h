// StepBounds: what a model must read and compute for a load of requests, by arithmetic, and so how
// fast a machine could be at most.
//
// Promise: reads are those that no implementation is spared: each step every weight that its rows
//   go through, once, and each layer's keys and values of what its rows attend to, once a KV head.
//   Products count two operations a multiply-add. Of experts as many are read as the step's rows
//   touch when each row picks evenly. The embedding table, norms and biases, and what is written,
//   are left out: a fraction of a percent. least_seconds is then a bound: bytes and operations
//   overlap wholly, and nothing else takes time.
// Units: bytes, floating-point operations, tokens, seconds.
// Errors: none. Threads: pure functions.
#pragma once

#include <cstdint>

#include "formats/model_config.h"

namespace hangar {

// How a model lies in memory.
struct StoredSizes {
  double weight_bits = 16.0;    // of one element, block overheads included
  double kv_token_bytes = 0.0;  // of one token in all layers
};

// Requests that are alike. All are there from the start, `running` of them at once.
struct LoadShape {
  std::int64_t requests = 1;
  std::int64_t running = 1;
  std::int64_t input_tokens = 1;
  std::int64_t output_tokens = 1;  // the first of them comes of the prompt's step
  std::int64_t step_tokens = 1;    // rows of a prefill step
};

struct StepWork {
  double weight_bytes = 0.0;
  double kv_bytes = 0.0;
  double operations = 0.0;

  double bytes() const { return weight_bytes + kv_bytes; }
  StepWork& operator+=(const StepWork& other);
};

// The prompts alone, with the head for each one's last row.
StepWork prefill_work(const ModelConfig& config, const StoredSizes& sizes, const LoadShape& load);
// All output tokens but each request's first, `running` sequences a step.
StepWork decode_work(const ModelConfig& config, const StoredSizes& sizes, const LoadShape& load);

// 0: not known, and bounds nothing.
struct MachineRates {
  double bytes_per_s = 0.0;
  double operations_per_s = 0.0;
};

// 0: neither rate is known.
double least_seconds(const StepWork& work, const MachineRates& rates);

// Elements of the weights that a row of a dense model goes through, head and all.
double active_elements(const ModelConfig& config);

}  // namespace hangar
