#include "bench/lengths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace hangar::bench {
namespace {

struct Moments {
  double mean = 0, deviation = 0;
  std::int32_t least = 0, most = 0;
};

Moments measure(const char* text) {
  const auto lengths = LengthDistribution::parse(text);
  EXPECT_TRUE(lengths.has_value()) << text;
  Random random(7);
  std::vector<double> drawn;
  Moments moments;
  double sum = 0, squares = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::int32_t length = lengths->sample(random);
    sum += length;
    squares += static_cast<double>(length) * length;
    moments.least = i == 0 ? length : std::min(moments.least, length);
    moments.most = std::max(moments.most, length);
  }
  moments.mean = sum / 1e5;
  moments.deviation = std::sqrt(squares / 1e5 - moments.mean * moments.mean);
  return moments;
}

TEST(LengthDistribution, FixedIsOneNumberWithOrWithoutItsName) {
  for (const char* text : {"fixed:37", "37"}) {
    const Moments moments = measure(text);
    EXPECT_EQ(moments.least, 37);
    EXPECT_EQ(moments.most, 37);
  }
}

TEST(LengthDistribution, UniformHoldsBothEndsAndItsMean) {
  const Moments moments = measure("uniform:10-20");
  EXPECT_EQ(moments.least, 10);
  EXPECT_EQ(moments.most, 20);
  EXPECT_NEAR(moments.mean, 15.0, 0.05);
}

TEST(LengthDistribution, NormalHasItsMeanAndDeviationAndNeverFallsUnderOne) {
  const Moments moments = measure("normal:200,30");
  EXPECT_NEAR(moments.mean, 200.0, 0.5);
  EXPECT_NEAR(moments.deviation, 30.0, 0.5);
  EXPECT_EQ(measure("normal:2,40").least, 1);
}

TEST(LengthDistribution, LogNormalsMeanAndDeviationAreThoseOfTheLengths) {
  const Moments moments = measure("lognormal:120,90");
  EXPECT_NEAR(moments.mean, 120.0, 1.5);
  EXPECT_NEAR(moments.deviation, 90.0, 3.0);
  EXPECT_GT(moments.most, 120 + 4 * 90) << "a long tail to the right";
}

TEST(LengthDistribution, TheSameSeedDrawsTheSameLengths) {
  const auto lengths = LengthDistribution::parse("lognormal:120,90");
  Random first(11), second(11), other(12);
  std::vector<std::int32_t> a, b, c;
  for (int i = 0; i < 50; ++i) {
    a.push_back(lengths->sample(first));
    b.push_back(lengths->sample(second));
    c.push_back(lengths->sample(other));
  }
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(LengthDistribution, RefusesWhatIsNoLength) {
  for (const char* text : {"", "0", "-3", "fixed:", "fixed:1.5", "uniform:5", "uniform:9-3",
                           "uniform:0-3", "normal:10", "normal:10,-1", "normal:nan,1",
                           "lognormal:0,1", "poisson:3,4", "fixed:99999999999"}) {
    const auto lengths = LengthDistribution::parse(text);
    ASSERT_FALSE(lengths.has_value()) << text;
    EXPECT_EQ(lengths.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(lengths.error().message, ::testing::HasSubstr("lognormal:MEAN,SD"));
  }
}

}  // namespace
}  // namespace hangar::bench
