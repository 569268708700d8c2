// What sampling means, held to numbers worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "backend/logit_adjustments.h"
#include "backend/registry.h"

namespace hangar {
namespace {

using ::testing::ElementsAre;

const std::vector<float> kLogits = {1.0F, 3.0F, 2.0F, -1.0F, 3.0F, 0.0F};
const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

class RefSamplingTest : public ::testing::Test {
 protected:
  Sampled sample(const SampleRow& row, std::vector<float> logits = kLogits) {
    const Activation x{logits.data(), 1, std::ssize(logits), DType::kF32};
    Sampled out;
    backend_->sample(x, {&row, 1}, {&out, 1});
    return out;
  }
  std::int32_t greedy(SampleRow row, std::vector<float> logits = kLogits) {
    row.temperature = 0.0F;
    return sample(row, std::move(logits)).token;
  }
  // How often each token comes as `uniform` walks evenly through [0, 1).
  std::map<std::int32_t, int> sweep(SampleRow row, int draws,
                                    const std::vector<float>& logits = kLogits) {
    std::map<std::int32_t, int> counts;
    for (int i = 0; i < draws; ++i) {
      row.uniform = (i + 0.5) / draws;
      ++counts[sample(row, logits).token];
    }
    return counts;
  }

  std::unique_ptr<Backend> backend_ = make_backend("ref", 1).value();
};

TEST_F(RefSamplingTest, GreedyTakesTheLowestOfEquals) {
  EXPECT_EQ(greedy({}), 1);
  EXPECT_EQ(greedy({.uniform = 0.999}), 1);
}

TEST_F(RefSamplingTest, UniformsFallIntoTheSoftmaxInTheOrderOfIds) {
  for (const float temperature : {0.5F, 1.0F, 2.0F}) {
    double total = 0.0;
    for (const float logit : kLogits) total += std::exp(double{logit} / temperature);
    double before = 0.0;
    for (std::size_t i = 0; i < kLogits.size(); ++i) {
      const double p = std::exp(double{kLogits[i]} / temperature) / total;
      for (const double part : {0.001, 0.5, 0.999}) {
        const SampleRow row{.temperature = temperature, .uniform = before + part * p};
        EXPECT_EQ(sample(row).token, static_cast<std::int32_t>(i)) << part << " of " << p;
      }
      before += p;
    }
  }
}

TEST_F(RefSamplingTest, TopKTopPMinPCutTheTail) {
  const float log2 = std::log(2.0F);
  const std::vector<float> logits = {0, 2 * log2, log2, 3 * log2, log2};  // 1:4:2:8:2 of 17
  const auto counts = [&](const SampleRow& row) { return sweep(row, 1700, logits); };
  using Counts = std::map<std::int32_t, int>;
  EXPECT_EQ(counts({.top_k = 2}), (Counts{{1, 567}, {3, 1133}}));
  // Of equal tokens the lower.
  EXPECT_EQ(counts({.top_k = 3}), (Counts{{1, 486}, {2, 243}, {3, 971}}));
  EXPECT_EQ(counts({.top_k = 9}).size(), 5U);
  EXPECT_EQ(counts({.top_k = 1}), (Counts{{3, 1700}}));
  // 8 of 17 is 0.47, 12 is 0.71, 14 is 0.82.
  EXPECT_EQ(counts({.top_p = 0.4F}), (Counts{{3, 1700}}));
  EXPECT_EQ(counts({.top_p = 0.5F}), (Counts{{1, 567}, {3, 1133}}));
  EXPECT_EQ(counts({.top_p = 0.75F}), (Counts{{1, 486}, {2, 243}, {3, 971}}));
  // top_p is of what top_k left: 8 of 12 is 0.67.
  EXPECT_EQ(counts({.top_p = 0.6F, .top_k = 2}), (Counts{{3, 1700}}));
  // min_p is relative to the likeliest: 2 of 8 is a quarter.
  EXPECT_EQ(counts({.min_p = 0.3F}), (Counts{{1, 567}, {3, 1133}}));
  EXPECT_EQ(counts({.min_p = 0.2F}).size(), 4U);
  EXPECT_EQ(counts({.min_p = 1.0F}), (Counts{{3, 1700}}));
}

TEST_F(RefSamplingTest, TopPOverManyTokensKeepsTheSmallestSet) {
  std::vector<float> logits(1000);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = -0.01F * static_cast<float>(i);
  double total = 0.0;
  double sum = 0.0;
  for (const float logit : logits) total += std::exp(double{logit});
  std::int32_t kept = 0;
  while (sum < 0.9 * total) sum += std::exp(double{logits[static_cast<std::size_t>(kept++)]});
  EXPECT_EQ(sample({.top_p = 0.9F, .uniform = 1.0 - 1e-12}, logits).token, kept - 1);
}

TEST_F(RefSamplingTest, PenaltiesAndBiasMoveTheChoice) {
  const std::vector<TokenCount> counts = {{1, 1}, {4, 2}, {77, 1}};
  EXPECT_EQ(greedy({.presence_penalty = 0.5F, .counts = counts}), 1);
  EXPECT_EQ(greedy({.presence_penalty = 1.5F, .counts = counts}), 2);
  EXPECT_EQ(greedy({.frequency_penalty = 0.6F, .counts = counts}), 1);
  EXPECT_EQ(greedy({.frequency_penalty = 1.1F, .counts = counts}), 2);
  const std::vector<std::pair<std::int32_t, float>> bias = {
      {1, -100.0F}, {4, -100.0F}, {3, 3.5F}, {99, 50.0F}, {-1, 50.0F}};
  EXPECT_EQ(greedy({.bias = bias}), 3);
  const std::vector<std::int32_t> seen = {0, 5, 1234};
  const SampleRow repeated{.repetition_penalty = 4.0F, .seen = seen};
  EXPECT_EQ(greedy(repeated, {1.0F, 0.5F, -1.0F, -1.0F, -1.0F, 0.9F}), 1);
  // Negative ones get more negative.
  EXPECT_EQ(greedy(repeated, {-0.1F, -0.2F, -1.0F, -1.0F, -1.0F, -0.05F}), 1);
  const std::vector<std::int32_t> banned = {1, -7, 6};
  EXPECT_EQ(greedy({.banned = banned}), 4);
}

TEST_F(RefSamplingTest, AdjustmentsComeInOrder) {
  const std::vector<std::pair<std::int32_t, float>> bias = {{0, 3.0F}, {1, 9.0F}};
  const std::vector<std::int32_t> seen = {0, 2};
  const std::vector<TokenCount> counts = {{0, 2}};
  const std::vector<std::int32_t> banned = {1};
  const SampleRow row{.repetition_penalty = 2.0F,
                      .presence_penalty = 0.5F,
                      .frequency_penalty = 0.25F,
                      .bias = bias,
                      .seen = seen,
                      .counts = counts,
                      .banned = banned};
  EXPECT_TRUE(adjusts(row));
  std::vector<float> logits = {1, 2, -3, 4};
  adjust_logits(logits, row);
  EXPECT_THAT(logits, ElementsAre((1.0F + 3.0F) / 2 - 1.0F, -kInfinity, -6, 4));
  EXPECT_FALSE(adjusts({.seen = seen, .counts = counts}));
  EXPECT_FALSE(adjusts({.repetition_penalty = 2.0F, .presence_penalty = 1.0F}));
}

TEST_F(RefSamplingTest, LogprobsAreTheModelsOwn) {
  const std::vector<std::pair<std::int32_t, float>> bias = {{2, 50.0F}};
  double total = 0.0;
  for (const float logit : kLogits) total += std::exp(double{logit});
  const Sampled out = sample({.logprobs = 3, .temperature = 0.0F, .bias = bias});
  EXPECT_EQ(out.token, 2);
  EXPECT_TRUE(out.has_logprob);
  EXPECT_NEAR(out.logprob, 2.0 - std::log(total), 1e-5);
  ASSERT_EQ(out.top.size(), 3U);
  EXPECT_EQ(out.top[0].token, 1);
  EXPECT_EQ(out.top[1].token, 4);
  EXPECT_EQ(out.top[2].token, 2);
  EXPECT_NEAR(out.top[0].logprob, 3.0 - std::log(total), 1e-5);

  const Sampled none = sample({});
  EXPECT_FALSE(none.has_logprob);
  const Sampled own = sample({.forced = 3, .logprobs = 0});
  EXPECT_EQ(own.token, 3);
  EXPECT_NEAR(own.logprob, -1.0 - std::log(total), 1e-5);
  EXPECT_TRUE(own.top.empty());
  EXPECT_EQ(sample({.logprobs = 20}).top.size(), kLogits.size());
}

TEST_F(RefSamplingTest, NotFiniteLogitsAreNeverPicked) {
  const std::vector<float> logits = {kNan, -kInfinity, 0.5F, kNan, kInfinity};
  for (const float temperature : {0.0F, 1.0F}) {
    EXPECT_EQ(sweep({.temperature = temperature}, 50, logits),
              (std::map<std::int32_t, int>{{2, 50}}));
    EXPECT_EQ(sample({.temperature = temperature}, {kNan, kInfinity}).token, 0);
  }
  const Sampled out = sample({.logprobs = 3}, logits);
  EXPECT_EQ(out.logprob, 0.0F);
  ASSERT_EQ(out.top.size(), 3U);
  EXPECT_EQ(out.top[0].token, 2);
  EXPECT_EQ(out.top[1].token, 0);
  EXPECT_EQ(out.top[1].logprob, -kInfinity);
  EXPECT_EQ(out.top[2].token, 1);
}

}  // namespace
}  // namespace hangar
