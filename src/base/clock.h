// The two clocks as numbers of microseconds.
//
// Promise: steady_now_us never goes back, and its origin means nothing outside this process: to
//   measure with. unix_now_us is since 1970, and jumps when the clock is set: for moments that
//   another process must understand, such as a request's deadline (engine/request.h).
// Errors: none.
// Threads: any.
#pragma once

#include <chrono>
#include <cstdint>

namespace hangar {

inline std::int64_t steady_now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline std::int64_t unix_now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace hangar
