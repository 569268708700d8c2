// CompletionRate: how many sequences have lately ended a second, and so how long a queue will take.
//
// Promise: over the last kWindowS seconds, or since the first call if that is less. wait_s is never
//   below 1 nor above 60: what a Retry-After says.
// Units: time is the steady clock's, in microseconds.
// Errors: none. Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

namespace hangar {

class CompletionRate {
 public:
  static constexpr std::int64_t kWindowS = 30;
  static constexpr int kMostWaitS = 60;

  explicit CompletionRate(std::int64_t now_us) : begin_s_(now_us / kMicros) {}

  void add(std::int64_t ended, std::int64_t now_us);
  // Until so many that wait have had their turn.
  int wait_s(std::int64_t waiting, std::int64_t now_us) const;

 private:
  static constexpr std::int64_t kMicros = 1'000'000;
  struct Second {
    std::int64_t second = -1;
    std::int64_t ended = 0;
  };

  std::int64_t begin_s_;
  mutable std::mutex mutex_;
  std::array<Second, kWindowS> seconds_{};
};

}  // namespace hangar
