#include "sched/batching.h"

#include <algorithm>

namespace hangar {
namespace {

bool batch_is_open(const BatchingState& state) {
  return state.running == 0 || state.gathering;
}

std::int64_t longest_gathering_us(const BatchingOptions& options) {
  return options.policy == BatchingPolicy::kStatic ? options.static_wait_us : options.batch_wait_us;
}

}  // namespace

std::int32_t batch_joiners(const BatchingOptions& options, const BatchingState& state) {
  const std::int32_t room = std::max(0, options.max_sequences - state.running);
  switch (options.policy) {
    case BatchingPolicy::kNone:
      return state.running == 0 ? std::min(1, state.waiting) : 0;
    case BatchingPolicy::kStatic:
    case BatchingPolicy::kDynamic: {
      if (!batch_is_open(state)) return 0;
      const bool begins =
          state.waiting >= room || state.longest_wait_us >= longest_gathering_us(options);
      return begins ? std::min(state.waiting, room) : 0;
    }
    case BatchingPolicy::kContinuous:
      return std::min(state.waiting, room);
  }
  return 0;
}

std::optional<std::int64_t> batch_next_change_us(const BatchingOptions& options,
                                                 const BatchingState& state) {
  const bool gathers =
      options.policy == BatchingPolicy::kStatic || options.policy == BatchingPolicy::kDynamic;
  if (!gathers || !batch_is_open(state) || state.waiting == 0) return std::nullopt;
  if (batch_joiners(options, state) > 0) return std::nullopt;
  return longest_gathering_us(options) - state.longest_wait_us;
}

}  // namespace hangar
