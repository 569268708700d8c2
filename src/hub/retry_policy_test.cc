#include "hub/retry_policy.h"

#include <gtest/gtest.h>

namespace hangar::hub {
namespace {

constexpr std::uint64_t kNoJitter = 0;

TEST(RetryPolicy, WaitsDoubleUpToTheMost) {
  RetryPolicy policy;
  policy.most_retries = 100;
  EXPECT_EQ(retry_wait_us(policy, 1, 0, kNoJitter), 1'000'000);
  EXPECT_EQ(retry_wait_us(policy, 2, 0, kNoJitter), 2'000'000);
  EXPECT_EQ(retry_wait_us(policy, 5, 0, kNoJitter), 16'000'000);
  EXPECT_EQ(retry_wait_us(policy, 6, 0, kNoJitter), 30'000'000);
  EXPECT_EQ(retry_wait_us(policy, 100, 0, kNoJitter), 30'000'000);
}

TEST(RetryPolicy, JitterTakesAtMostHalf) {
  const RetryPolicy policy;
  bool differs = false;
  for (std::uint64_t random = 0; random < 3'000'000; random += 9'973) {
    const auto wait_us = retry_wait_us(policy, 1, 0, random);
    ASSERT_TRUE(wait_us.has_value());
    EXPECT_GE(*wait_us, 500'000);
    EXPECT_LE(*wait_us, 1'000'000);
    differs = differs || *wait_us < 700'000;
  }
  EXPECT_TRUE(differs);
}

TEST(RetryPolicy, GivesUpAfterTheLastRetry) {
  RetryPolicy policy;
  policy.most_retries = 2;
  EXPECT_TRUE(retry_wait_us(policy, 2, 0, 7).has_value());
  EXPECT_FALSE(retry_wait_us(policy, 3, 0, 7).has_value());
  policy.most_retries = 0;
  EXPECT_FALSE(retry_wait_us(policy, 1, 0, 7).has_value());
}

TEST(RetryPolicy, RetryAfterIsHonouredAndBounded) {
  const RetryPolicy policy;
  const auto wait_us = retry_wait_us(policy, 1, 10'000'000, 12345);
  ASSERT_TRUE(wait_us.has_value());
  EXPECT_GE(*wait_us, 10'000'000);
  EXPECT_LE(*wait_us, 11'000'000);
  EXPECT_FALSE(retry_wait_us(policy, 1, policy.most_retry_after_us + 1, 0).has_value());
}

TEST(RetryPolicy, StatusesThatPass) {
  for (const int status : {408, 425, 429, 500, 502, 503, 504, 520}) {
    EXPECT_TRUE(is_passing_status(status)) << status;
  }
  for (const int status : {200, 206, 301, 400, 401, 403, 404, 416, 501, 505}) {
    EXPECT_FALSE(is_passing_status(status)) << status;
  }
}

}  // namespace
}  // namespace hangar::hub
