#include "base/process_age.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/clock.h"

namespace hangar {
namespace {

TEST(ProcessAge, GrowsAsTheClockDoes) {
  const auto before = process_age_s();
  const std::int64_t begin_us = steady_now_us();
  ASSERT_TRUE(before.has_value());
  EXPECT_GE(*before, -0.02);
  EXPECT_LT(*before, 3600.0) << "this test has been running for an hour?";
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  const auto after = process_age_s();
  ASSERT_TRUE(after.has_value());
  const double passed_s = static_cast<double>(steady_now_us() - begin_us) * 1e-6;
  EXPECT_NEAR(*after - *before, passed_s, 0.02);
}

}  // namespace
}  // namespace hangar
