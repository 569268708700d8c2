#include "hub/retry_policy.h"

#include <algorithm>

namespace hangar::hub {

bool is_passing_status(int status) {
  if (status == 408 || status == 425 || status == 429) return true;
  return status >= 500 && status < 600 && status != 501 && status != 505;
}

std::optional<std::int64_t> retry_wait_us(const RetryPolicy& policy, int failures,
                                          std::int64_t retry_after_us, std::uint64_t random) {
  if (failures > policy.most_retries) return std::nullopt;
  if (retry_after_us > policy.most_retry_after_us) return std::nullopt;
  std::int64_t wait_us = policy.first_wait_us;
  for (int i = 1; i < failures && wait_us < policy.most_wait_us; ++i) wait_us *= 2;
  wait_us = std::min(wait_us, policy.most_wait_us);
  const auto half = static_cast<std::uint64_t>(wait_us / 2);
  wait_us -= static_cast<std::int64_t>(random % (half + 1));
  // Never sooner than asked; a little later, for the same reason that the waits are random.
  if (retry_after_us > 0) wait_us = std::max(wait_us, retry_after_us + wait_us / 4);
  return wait_us;
}

}  // namespace hangar::hub
