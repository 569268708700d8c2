#include "serve/metrics/completion_rate.h"

#include <algorithm>
#include <cstddef>

namespace hangar {

void CompletionRate::add(std::int64_t ended, std::int64_t now_us) {
  const std::int64_t now_s = now_us / kMicros;
  std::lock_guard lock(mutex_);
  Second& slot = seconds_[static_cast<std::size_t>(now_s % kWindowS)];
  if (slot.second != now_s) slot = {now_s, 0};
  slot.ended += ended;
}

int CompletionRate::wait_s(std::int64_t waiting, std::int64_t now_us) const {
  const std::int64_t now_s = now_us / kMicros;
  std::int64_t ended = 0;
  {
    std::lock_guard lock(mutex_);
    for (const Second& slot : seconds_) {
      if (slot.second > now_s - kWindowS && slot.second <= now_s) ended += slot.ended;
    }
  }
  const std::int64_t seen_s = std::clamp<std::int64_t>(now_s - begin_s_ + 1, 1, kWindowS);
  // One more than have ended: the next one is on its way, and nothing is divided by zero.
  const std::int64_t turns = std::max<std::int64_t>(waiting, 0) + 1;
  const std::int64_t wait = (turns * seen_s + ended) / (ended + 1);
  return static_cast<int>(std::clamp<std::int64_t>(wait, 1, kMostWaitS));
}

}  // namespace hangar
