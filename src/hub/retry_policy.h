// RetryPolicy: whether a request that failed is tried again, and how long to wait before.
//
// Promise: waits double from `first_wait_us` up to `most_wait_us`, each shortened by up to half at
//   random, so that many clients do not come back at once. What a server asks for by Retry-After is
//   waited for, if it is no more than `most_retry_after_us`; if more, there is no retry. A count of
//   failures begins anew when the caller sees progress.
// Units: microseconds; `random` is any 64 bits.
// Errors: none.
// Threads: pure functions: no clock, no randomness of their own.
#pragma once

#include <cstdint>
#include <optional>

namespace hangar::hub {

struct RetryPolicy {
  int most_retries = 5;  // after the first try
  std::int64_t first_wait_us = 1'000'000;
  std::int64_t most_wait_us = 30'000'000;
  std::int64_t most_retry_after_us = 300'000'000;
};

// A host that cannot be reached at all is given up on sooner.
inline constexpr int kMostUnreachableRetries = 2;

// Of an HTTP status: 408, 425, 429 and the passing ones of 5xx.
bool is_passing_status(int status);

// How long to wait before retry number `failures` (1 for the first); nothing: give up.
// retry_after_us: what the server asked for, 0 for nothing.
std::optional<std::int64_t> retry_wait_us(const RetryPolicy& policy, int failures,
                                          std::int64_t retry_after_us, std::uint64_t random);

}  // namespace hangar::hub
