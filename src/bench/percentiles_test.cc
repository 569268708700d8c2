#include "bench/percentiles.h"

#include <gtest/gtest.h>

#include <vector>

namespace hangar::bench {
namespace {

TEST(Percentile, InterpolatesBetweenRanks) {
  const std::vector<double> values = {10, 20, 30, 40};
  EXPECT_DOUBLE_EQ(percentile(values, 0), 10);
  EXPECT_DOUBLE_EQ(percentile(values, 50), 25);
  EXPECT_DOUBLE_EQ(percentile(values, 90), 37);  // numpy.percentile([10, 20, 30, 40], 90)
  EXPECT_DOUBLE_EQ(percentile(values, 100), 40);
}

TEST(Percentile, OfOneValueIsThatValueAndOfNoneIsZero) {
  const std::vector<double> one = {7};
  EXPECT_DOUBLE_EQ(percentile(one, 1), 7);
  EXPECT_DOUBLE_EQ(percentile(one, 99), 7);
  EXPECT_DOUBLE_EQ(percentile({}, 50), 0);
}

TEST(Spread, OfUnsortedValues) {
  std::vector<double> values;
  for (int i = 0; i <= 100; ++i) values.push_back((i * 37) % 101);  // 0..100 in some order
  const Spread spread = spread_of(values);
  EXPECT_EQ(spread.count, 101U);
  EXPECT_DOUBLE_EQ(spread.mean, 50);
  EXPECT_DOUBLE_EQ(spread.least, 0);
  EXPECT_DOUBLE_EQ(spread.p50, 50);
  EXPECT_DOUBLE_EQ(spread.p90, 90);
  EXPECT_DOUBLE_EQ(spread.p99, 99);
  EXPECT_DOUBLE_EQ(spread.most, 100);
}

TEST(Spread, OfNothing) {
  const Spread spread = spread_of({});
  EXPECT_EQ(spread.count, 0U);
  EXPECT_DOUBLE_EQ(spread.p99, 0);
}

}  // namespace
}  // namespace hangar::bench
