// Which ways of cutting a product are worth measuring: those whose blocks have work most of the
// time.
//
// Promise: round_share() is how much of the blocks' time is work where so many items are dealt out
//   in rounds, the last of them in halves where it says so (TileItems::halve_last()). keep_even()
//   takes out the ways whose evenness is far below the best, and what is beyond so many.
// Threads: values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hangar::cuda {

// A copy of less is slow to ask for, a ring of few slots slow to refill.
inline constexpr int kLeastSlotBytes = 8 << 10;
inline constexpr int kLeastSlots = 3;
// Of a multiprocessor's 227: a block that takes no more leaves room for the decode kernel's.
inline constexpr int kRoomKib = 112;

constexpr double round_share(std::int64_t items, std::int64_t at_once, bool halves = false) {
  const std::int64_t whole = items / at_once;
  const std::int64_t rest = items % at_once;
  const double last = rest == 0 ? 0.0 : halves && 2 * rest <= at_once ? 0.5 : 1.0;
  return static_cast<double>(items) /
         ((static_cast<double>(whole) + last) * static_cast<double>(at_once));
}

template <typename Way, typename Evenness>
void keep_even(std::vector<Way>& ways, std::size_t most, Evenness&& evenness) {
  constexpr double kWorse = 0.85;  // than the most even: not worth a measurement
  double best = 0.0;
  for (const Way& way : ways) best = std::max(best, evenness(way));
  std::erase_if(ways, [&](const Way& way) { return evenness(way) < kWorse * best; });
  if (ways.size() > most) ways.resize(most);
}

}  // namespace hangar::cuda
