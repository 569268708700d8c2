// The log-likelihood of one token under a row of logits.
//
// Promise: log(sum of e^(logit - logits[token])), in double throughout; the same bits on one
// machine
//   whenever asked. Never negative but for rounding. NaN where a logit is no number.
// Units: nats.
// Errors: none; token is an index of logits.
// Threads: pure function.
#pragma once

#include <cstdint>
#include <span>

namespace hangar {

double negative_log_likelihood(std::span<const float> logits, std::int32_t token);

}  // namespace hangar
