#include "eval/tally.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "eval/log_likelihood.h"

namespace hangar {
namespace {

TEST(TallyTest, PerplexityIsTheExponentialOfTheMean) {
  Tally tally;
  EXPECT_TRUE(std::isnan(tally.perplexity()));
  EXPECT_EQ(tally.standard_error(), 0.0);
  for (const double value : {std::log(2.0), std::log(8.0), std::log(4.0)}) tally.add(value, 1.0);
  EXPECT_EQ(tally.count(), 3.0);
  EXPECT_NEAR(tally.mean(), std::log(4.0), 1e-14);
  EXPECT_NEAR(tally.perplexity(), 4.0, 1e-13);
  // Variance 2/3 log(2)^2, of the mean of three over two.
  EXPECT_NEAR(tally.standard_error(), 4.0 * std::log(2.0) / std::sqrt(3.0), 1e-13);
}

TEST(TallyTest, WeightsCountATokenAsSoMany) {
  Tally whole;
  Tally weighted;
  Tally parts;
  Tally first;
  for (const double value : {1.0, 1.0, 1.0, 4.0, 4.0}) whole.add(value, 1.0);
  weighted.add(1.0, 3.0);
  weighted.add(4.0, 2.0);
  first.add(1.0, 3.0);
  parts.add(first);
  parts.add(weighted);
  EXPECT_EQ(weighted.mean(), whole.mean());
  EXPECT_EQ(weighted.standard_error(), whole.standard_error());
  EXPECT_EQ(parts.count(), 8.0);
  EXPECT_EQ(parts.mean(), (3.0 + 3.0 + 8.0) / 8.0);
}

TEST(TallyTest, EqualTokensHaveNoError) {
  Tally tally;
  for (int i = 0; i < 1000; ++i) tally.add(0.1, 1.0);
  EXPECT_NEAR(tally.standard_error(), 0.0, 1e-9);
}

TEST(LogLikelihoodTest, IsTheLogarithmOfTheSoftmax) {
  const std::vector<float> logits = {std::log(1.0F), std::log(2.0F), std::log(5.0F)};
  EXPECT_NEAR(negative_log_likelihood(logits, 0), std::log(8.0), 1e-7);
  EXPECT_NEAR(negative_log_likelihood(logits, 1), std::log(4.0), 1e-7);
  EXPECT_NEAR(negative_log_likelihood(logits, 2), std::log(8.0 / 5.0), 1e-7);
  EXPECT_EQ(negative_log_likelihood(std::vector<float>{7.0F}, 0), 0.0);
}

TEST(LogLikelihoodTest, AnyLengthAndAnySizeOfLogits) {
  for (std::size_t n = 1; n < 40; ++n) {
    std::vector<float> logits(n);
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      logits[i] = 3.0F * static_cast<float>(std::sin(static_cast<double>(7 * i + n)));
      total += std::exp(static_cast<double>(logits[i]));
    }
    const auto last = static_cast<std::int32_t>(n - 1);
    const double wanted = std::log(total) - static_cast<double>(logits[n - 1]);
    EXPECT_NEAR(negative_log_likelihood(logits, last), wanted, 1e-12) << n;
    for (float& logit : logits) logit += 4096.0F;
    EXPECT_NEAR(negative_log_likelihood(logits, last), wanted, 2e-3) << n;
  }
  // Far beyond what floats' exponentials hold.
  EXPECT_NEAR(negative_log_likelihood(std::vector<float>{3e30F, -3e30F, 0, 1, 2}, 0), 0.0, 1e-12);
  EXPECT_TRUE(std::isnan(negative_log_likelihood(
      std::vector<float>{0, 1, std::numeric_limits<float>::quiet_NaN(), 2, 3}, 0)));
}

}  // namespace
}  // namespace hangar
