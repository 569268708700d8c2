#include "bench/arrivals.h"

#include <gtest/gtest.h>

#include <vector>

namespace hangar::bench {
namespace {

TEST(PoissonArrivals, HaveTheRateAndTheSpreadOfAPoissonProcess) {
  PoissonArrivals arrivals(50.0, 3);
  constexpr int kSeconds = 2000;
  std::vector<int> per_second(kSeconds, 0);
  std::int64_t last_us = 0, due_us = 0;
  while ((due_us = arrivals.next_us()) < kSeconds * 1'000'000LL) {
    ASSERT_GE(due_us, last_us);
    last_us = due_us;
    ++per_second[static_cast<std::size_t>(due_us / 1'000'000)];
  }
  double sum = 0, squares = 0;
  for (const int count : per_second) {
    sum += count;
    squares += static_cast<double>(count) * count;
  }
  const double mean = sum / kSeconds;
  const double variance = squares / kSeconds - mean * mean;
  EXPECT_NEAR(mean, 50.0, 0.7);
  EXPECT_NEAR(variance, 50.0, 6.0) << "a Poisson count's variance is its mean";
}

TEST(PoissonArrivals, TheSeedDecides) {
  PoissonArrivals first(10.0, 1), second(10.0, 1), other(10.0, 2);
  bool differs = false;
  for (int i = 0; i < 20; ++i) {
    const std::int64_t due_us = first.next_us();
    EXPECT_EQ(due_us, second.next_us());
    differs = differs || due_us != other.next_us();
  }
  EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace hangar::bench
