#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

namespace hangar {
namespace {

const std::vector<float> kLogits = {1.0F, 3.0F, 2.0F, -1.0F, 3.0F, 0.0F};

Request request_with(SamplingParams sampling) {
  Request request;
  request.prompt = {0, 5};
  request.sampling = std::move(sampling);
  if (!request.sampling.seed) request.sampling.seed = 42;
  return request;
}

std::map<std::int32_t, int> histogram(const Request& request, int draws,
                                      std::vector<float> logits = kLogits) {
  std::map<std::int32_t, int> counts;
  Sampler sampler(request, 0);
  for (int i = 0; i < draws; ++i) {
    std::vector<float> scratch = logits;
    ++counts[sampler.pick(scratch).token];
  }
  return counts;
}

TEST(Sampler, GreedyTakesTheLowestOfEquals) {
  SamplingParams params;
  params.temperature = 0.0F;
  EXPECT_EQ(histogram(request_with(params), 5), (std::map<std::int32_t, int>{{1, 5}}));
}

TEST(Sampler, FrequenciesFollowTheSoftmax) {
  for (const float temperature : {0.5F, 1.0F, 2.0F}) {
    SamplingParams params;
    params.temperature = temperature;
    const int draws = 40000;
    auto counts = histogram(request_with(params), draws);
    double total = 0.0;
    for (const float logit : kLogits) total += std::exp(double{logit} / temperature);
    for (std::size_t i = 0; i < kLogits.size(); ++i) {
      const double p = std::exp(double{kLogits[i]} / temperature) / total;
      const double sigma = std::sqrt(p * (1 - p) / draws);
      EXPECT_NEAR(counts[static_cast<std::int32_t>(i)] / double{draws}, p, 5 * sigma + 1e-9)
          << "token " << i << " at temperature " << temperature;
    }
  }
}

TEST(Sampler, TopKTopPMinPCutTheTail) {
  SamplingParams params;
  params.top_k = 3;
  auto counts = histogram(request_with(params), 5000);
  EXPECT_EQ(counts.size(), 3U);
  EXPECT_TRUE(counts.contains(1) && counts.contains(4) && counts.contains(2));

  params = {};
  params.top_p = 0.7F;  // each of the two likeliest has p = 0.40
  counts = histogram(request_with(params), 5000);
  EXPECT_EQ(counts.size(), 2U);
  EXPECT_TRUE(counts.contains(1) && counts.contains(4));

  params = {};
  params.min_p = 0.3F;  // e^-1 = 0.37 of the likeliest stays, e^-2 = 0.14 goes
  counts = histogram(request_with(params), 5000);
  EXPECT_EQ(counts.size(), 3U);
  EXPECT_FALSE(counts.contains(0));
}

TEST(Sampler, TopPOverManyTokensKeepsTheSmallestSet) {
  std::vector<float> logits(1000);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = -0.01F * static_cast<float>(i);
  double total = 0.0, sum = 0.0;
  for (const float logit : logits) total += std::exp(double{logit});
  std::int32_t kept = 0;
  while (sum < 0.9 * total) sum += std::exp(double{logits[static_cast<std::size_t>(kept++)]});
  SamplingParams params;
  params.top_p = 0.9F;
  const auto counts = histogram(request_with(params), 20000, logits);
  EXPECT_LE(counts.rbegin()->first, kept);
  EXPECT_GE(counts.rbegin()->first, kept - 20);
}

TEST(Sampler, SeedFixesTheDrawsAndChoicesDiffer) {
  SamplingParams params;
  params.seed = 7;
  const Request request = request_with(params);
  const auto draws = [&](std::int32_t choice) {
    Sampler sampler(request, choice);
    std::vector<std::int32_t> tokens;
    for (int i = 0; i < 40; ++i) {
      std::vector<float> scratch = kLogits;
      tokens.push_back(sampler.pick(scratch).token);
    }
    return tokens;
  };
  EXPECT_EQ(draws(0), draws(0));
  EXPECT_NE(draws(0), draws(1));
}

TEST(Sampler, PenaltiesAndBiasMoveTheChoice) {
  SamplingParams params;
  params.temperature = 0.0F;
  params.presence_penalty = 1.5F;
  std::vector<std::int32_t> tokens;
  Sampler presence(request_with(params), 0);
  for (int i = 0; i < 3; ++i) {
    std::vector<float> scratch = kLogits;
    tokens.push_back(presence.pick(scratch).token);
  }
  EXPECT_EQ(tokens, (std::vector<std::int32_t>{1, 4, 2}));

  params = {};
  params.temperature = 0.0F;
  params.frequency_penalty = 0.6F;
  tokens.clear();
  Sampler frequency(request_with(params), 0);
  for (int i = 0; i < 6; ++i) {
    std::vector<float> scratch = kLogits;
    tokens.push_back(frequency.pick(scratch).token);
  }
  EXPECT_EQ(tokens, (std::vector<std::int32_t>{1, 4, 1, 4, 2, 1}));

  params = {};
  params.temperature = 0.0F;
  params.logit_bias = {{1, -100.0F}, {4, -100.0F}, {3, 3.5F}, {99, 5.0F}};
  EXPECT_EQ(histogram(request_with(params), 1).begin()->first, 3);

  params = {};
  params.temperature = 0.0F;
  params.repetition_penalty = 4.0F;  // token 0 is in the prompt: 1.0 becomes 0.25; so is 5
  std::vector<float> logits = {1.0F, 0.5F, -1.0F, -1.0F, -1.0F, 0.9F};
  EXPECT_EQ(histogram(request_with(params), 1, logits).begin()->first, 1);
  logits = {-0.1F, -0.2F, -1.0F, -1.0F, -1.0F, -0.05F};  // negative ones get more negative
  EXPECT_EQ(histogram(request_with(params), 1, logits).begin()->first, 1);
}

TEST(Sampler, StopTokensAreBannedBeforeMinTokens) {
  SamplingParams params;
  params.temperature = 0.0F;
  Request request = request_with(params);
  request.stop_tokens = {1};
  request.min_tokens = 2;
  Sampler sampler(request, 0);
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < 3; ++i) {
    std::vector<float> scratch = kLogits;
    tokens.push_back(sampler.pick(scratch).token);
  }
  EXPECT_EQ(tokens, (std::vector<std::int32_t>{4, 4, 1}));
}

TEST(Sampler, LogprobsAreTheModelsOwn) {
  SamplingParams params;
  params.temperature = 0.0F;
  params.logit_bias = {{2, 50.0F}};
  Request request = request_with(params);
  request.logprobs = 2;
  Sampler sampler(request, 0);
  std::vector<float> scratch = kLogits;
  const Pick pick = sampler.pick(scratch);
  double total = 0.0;
  for (const float logit : kLogits) total += std::exp(double{logit});
  EXPECT_EQ(pick.token, 2);
  EXPECT_TRUE(pick.has_logprob);
  EXPECT_NEAR(pick.logprob, 2.0 - std::log(total), 1e-5);
  ASSERT_EQ(pick.top.size(), 2U);
  EXPECT_EQ(pick.top[0].token, 1);
  EXPECT_EQ(pick.top[1].token, 4);
  EXPECT_NEAR(pick.top[0].logprob, 3.0 - std::log(total), 1e-5);
}

TEST(Sampler, NotFiniteLogitsAreNeverPicked) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const float temperature : {0.0F, 1.0F}) {
    SamplingParams params;
    params.temperature = temperature;
    const auto counts = histogram(request_with(params), 50, {nan, -inf, 0.5F, nan});
    EXPECT_EQ(counts, (std::map<std::int32_t, int>{{2, 50}}));
    EXPECT_EQ(histogram(request_with(params), 1, {nan, nan}).begin()->first, 0);
  }
}

}  // namespace
}  // namespace hangar
