// MetricHistogram: how many values fell between borders, counted without a lock.
//
// Promise: observe() is two relaxed additions and a binary search: nanoseconds, no lock, no memory.
//   A snapshot may miss values that are being counted; its counts add up to its total.
// Units: the caller's: microseconds for times, tokens for counts.
// Errors: none. Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace hangar {

class MetricHistogram {
 public:
  static constexpr std::size_t kMaxBorders = 31;

  // Ascending, at most kMaxBorders, of static life. A value belongs to the first border that is not
  // below it; what is above the last is counted for itself.
  explicit MetricHistogram(std::span<const std::int64_t> borders) : borders_(borders) {}

  void observe(std::int64_t value);

  struct Snapshot {
    std::span<const std::int64_t> borders;
    std::vector<std::uint64_t> counts;  // one more than borders
    std::uint64_t total = 0;            // of counts
    std::int64_t sum = 0;               // of values
  };
  Snapshot snapshot() const;

 private:
  std::span<const std::int64_t> borders_;
  std::array<std::atomic<std::uint64_t>, kMaxBorders + 1> counts_{};
  std::atomic<std::int64_t> sum_{0};
};

}  // namespace hangar
