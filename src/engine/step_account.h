// Where a model's step spends its time: an account by operation that adds up to the step.
//
// Promise: every step of a test (speed_probe.h; greedy sampling instead of the read of logits) runs
//   with clocks and without, in turn, so that whatever else the machine does falls on both;
//   `repeats` times over. The account is of those clocked steps whose times are the middle third:
//   their operations and what lies between them sum to their wall time exactly. plain_us beside it,
//   of the plain steps' middle third, says what the clocks themselves changed.
// Units: microseconds of a step: for decode one token of each sequence, for prefill the prompt.
// Errors: as ProbeModel::make.
// Threads: one.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/timed/operation_times.h"
#include "base/result.h"
#include "engine/speed_probe.h"
#include "formats/checkpoint.h"

namespace hangar {

struct StepAccount {
  ProbeTest test;
  std::int64_t steps = 0;  // that the times are of
  double plain_us = 0.0;   // a step without clocks
  double clocked_us = 0.0;
  OperationTimes times;  // of all the steps

  double us_a_step(std::int64_t ns) const {
    return static_cast<double>(ns) / 1e3 / static_cast<double>(steps);
  }
  // Of operations, less the waits in it.
  double own_us(StepPart part) const {
    return us_a_step(times.of(part).ns - times.of(part).waits_ns);
  }
  double waits_us() const { return us_a_step(times.total().waits_ns); }
  // Between operations: laying out the batch, the model's own code.
  double outside_us() const { return clocked_us - us_a_step(times.total().ns); }
};

Result<std::vector<StepAccount>> account_steps(const Checkpoint& checkpoint,
                                               const SpeedProbeOptions& options);

}  // namespace hangar
