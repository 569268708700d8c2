#include "engine/sampler_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace hangar {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<Request> request_with_seed(std::uint64_t seed) {
  auto request = std::make_shared<Request>();
  request->prompt = {4, 7, 4};
  request->sampling.seed = seed;
  return request;
}

TEST(SamplerState, DrawsDependOnSeedChoiceAndCountAlone) {
  const auto request = request_with_seed(11);
  SamplerState a(request, 0);
  SamplerState b(request_with_seed(11), 0);
  b.accept(90);
  EXPECT_NE(a.next(0).uniform, b.next(0).uniform);
  a.accept(3);  // another token: the draws stay the same
  EXPECT_EQ(a.next(0).uniform, b.next(5).uniform);
  EXPECT_EQ(b.next(5).row, 5);
  EXPECT_EQ(SamplerState(request, 1).next(0).uniform,
            SamplerState(request_with_seed(12), 0).next(0).uniform);
  std::set<double> draws;
  for (int i = 0; i < 1000; ++i) {
    draws.insert(a.next(0).uniform);
    a.accept(1);
  }
  EXPECT_EQ(draws.size(), 1000U);
  EXPECT_GE(*draws.begin(), 0.0);
  EXPECT_LT(*draws.rbegin(), 1.0);
}

TEST(SamplerState, WithoutASeedNoTwoAreAlike) {
  const auto request = std::make_shared<Request>();
  EXPECT_NE(SamplerState(request, 0).next(0).uniform, SamplerState(request, 0).next(0).uniform);
}

TEST(SamplerState, KeepsWhatPenaltiesNeed) {
  const auto request = request_with_seed(1);
  request->sampling.repetition_penalty = 1.1F;
  request->sampling.presence_penalty = 0.5F;
  SamplerState state(request, 0);
  EXPECT_THAT(state.next(0).seen, ElementsAre(4, 7));
  EXPECT_THAT(state.next(0).counts, IsEmpty());
  for (const std::int32_t token : {9, 7, 9}) state.accept(token);
  EXPECT_THAT(state.next(0).seen, ElementsAre(4, 7, 9));
  const auto counts = state.next(0).counts;
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[0].token, 9);
  EXPECT_EQ(counts[0].count, 2);
  EXPECT_EQ(counts[1].count, 1);
}

TEST(SamplerState, StopTokensAreBannedUntilMinTokens) {
  const auto request = request_with_seed(1);
  request->stop_tokens = {2};
  request->min_tokens = 1;
  SamplerState state(request, 0);
  EXPECT_THAT(state.next(0).banned, ElementsAre(2));
  state.accept(8);
  EXPECT_THAT(state.next(0).banned, IsEmpty());
  request->ignore_eos = true;
  EXPECT_THAT(SamplerState(request, 0).next(0).banned, IsEmpty());
}

}  // namespace
}  // namespace hangar
