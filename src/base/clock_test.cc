#include "base/clock.h"

#include <gtest/gtest.h>

#include <ctime>

namespace hangar {
namespace {

TEST(ClockTest, SteadyNeverGoesBack) {
  std::int64_t last = steady_now_us();
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t now = steady_now_us();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(ClockTest, UnixIsTheCalendars) {
  const auto seconds = static_cast<std::int64_t>(std::time(nullptr));
  EXPECT_NEAR(static_cast<double>(unix_now_us() / 1'000'000), static_cast<double>(seconds), 2.0);
}

}  // namespace
}  // namespace hangar
