// StopClock: adds the time that passes to a sum of nanoseconds, if there is one.
//
// Promise: runs from construction on, but between pause() and resume(); what ran is added to *sum
//   when it is destroyed. Without a sum no clock is ever read: it costs a test of a pointer.
// Threads: one; the sum is that thread's.
#pragma once

#include <chrono>
#include <cstdint>

namespace hangar {

inline std::int64_t steady_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class StopClock {
 public:
  explicit StopClock(std::int64_t* sum_ns) : sum_ns_(sum_ns) { resume(); }
  ~StopClock() {
    if (running_) pause();
  }
  StopClock(const StopClock&) = delete;
  StopClock& operator=(const StopClock&) = delete;

  void pause() {
    if (sum_ns_ != nullptr) *sum_ns_ += steady_now_ns() - since_ns_;
    running_ = false;
  }
  void resume() {
    if (sum_ns_ != nullptr) since_ns_ = steady_now_ns();
    running_ = true;
  }

 private:
  std::int64_t* sum_ns_;
  std::int64_t since_ns_ = 0;
  bool running_ = false;
};

}  // namespace hangar
