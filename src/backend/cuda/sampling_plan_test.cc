// How SampleRows are packed for the card: needs none.
#include "backend/cuda/sampling_plan.h"

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

namespace hangar::cuda {
namespace {

constexpr std::size_t kParamWords = sizeof(RowParams) / sizeof(std::uint32_t);

class SamplePlanTest : public ::testing::Test {
 protected:
  void pack(const std::vector<SampleRow>& rows, std::size_t first = 0, std::int32_t padded = 0) {
    words_.assign(room_.words, 0xABABABABU);
    plan_.pack(rows, first, padded, words_.data());
  }
  RowParams params(std::size_t i) const {
    RowParams result;
    std::memcpy(static_cast<void*>(&result), words_.data() + i * kParamWords, sizeof(result));
    return result;
  }
  std::vector<std::int32_t> list(const WordList& where, std::int32_t words_each = 1) const {
    const auto begin = words_.begin() + where.first;
    return {begin, begin + where.count * words_each};
  }

  SampleRoom room_ = SampleRoom::of(100, 8);
  SamplePlan plan_{room_};
  std::vector<std::uint32_t> words_;
};

TEST_F(SamplePlanTest, ListsAndParametersArriveAsTheyWere) {
  const std::vector<std::pair<std::int32_t, float>> bias = {{7, 1.5F}, {120, -2.0F}};
  const std::vector<std::int32_t> seen = {1, 2, 3};
  const std::vector<TokenCount> counts = {{4, 2}};
  const std::vector<std::int32_t> banned = {99};
  pack({{.row = 5,
         .logprobs = 3,
         .temperature = 0.5F,
         .top_p = 0.9F,
         .top_k = 10,
         .min_p = 0.1F,
         .uniform = 0.25,
         .pending = 2,
         .repetition_penalty = 1.2F,
         .presence_penalty = 0.3F,
         .frequency_penalty = 0.4F,
         .bias = bias,
         .seen = seen,
         .counts = counts,
         .banned = banned}});
  ASSERT_EQ(plan_.taken(), 1);
  EXPECT_FALSE(plan_.greedy());
  const RowParams row = params(0);
  EXPECT_EQ(row.flags, kRowActive | kRowFront | kRowAdjusts | kRowScored);
  EXPECT_EQ(row.row, 5);
  EXPECT_EQ(row.tops, 3);
  EXPECT_EQ(row.top_k, 10);
  EXPECT_EQ(row.top_p, 0.9F);
  EXPECT_EQ(row.min_p, 0.1F);
  EXPECT_EQ(row.inverse_temperature, 2.0F);
  EXPECT_EQ(row.uniform, 0.25);
  EXPECT_EQ(row.pending, 2);
  EXPECT_EQ(list(row.seen), seen);
  EXPECT_EQ(list(row.counts, 2), (std::vector<std::int32_t>{4, 2}));
  EXPECT_EQ(list(row.banned), banned);
  const auto pairs = list(row.bias, 2);
  float value = 0.0F;
  std::memcpy(&value, &pairs[3], sizeof(value));
  EXPECT_EQ(pairs[0], 7);
  EXPECT_EQ(pairs[2], 120);
  EXPECT_EQ(value, -2.0F);
  EXPECT_EQ(plan_.used_words(), kParamWords + 4 + 3 + 2 + 1);
}

TEST_F(SamplePlanTest, WhatChangesNothingIsLeftOut) {
  const std::vector<std::int32_t> seen = {1, 2, 3};
  const std::vector<TokenCount> counts = {{4, 2}};
  const std::vector<std::int32_t> banned = {9};
  pack({{.temperature = 0.0F, .seen = seen, .counts = counts},
        {.forced = 3, .banned = banned},
        {.temperature = 2.0F, .top_k = 1},
        {.temperature = 1e-45F}});
  EXPECT_TRUE(plan_.greedy());
  EXPECT_EQ(params(0).flags, kRowActive | kRowGreedy);
  EXPECT_EQ(params(1).flags, kRowActive | kRowForced);
  EXPECT_EQ(params(1).forced, 3);
  EXPECT_EQ(params(2).flags, kRowActive | kRowGreedy);
  EXPECT_EQ(params(3).flags, kRowActive | kRowGreedy);
  EXPECT_EQ(plan_.used_words(), 4 * kParamWords);
  // A pending token is one that was seen.
  pack({{.temperature = 0.0F, .pending = 0, .repetition_penalty = 2.0F}});
  EXPECT_EQ(params(0).flags, kRowActive | kRowGreedy | kRowAdjusts);
  EXPECT_FALSE(plan_.greedy());
  pack({{.logprobs = 0, .temperature = 0.0F}});
  EXPECT_FALSE(plan_.greedy());
  pack({{.temperature = 1.0F}});
  EXPECT_FALSE(plan_.greedy());
  EXPECT_EQ(params(0).flags, kRowActive + 0U);
}

TEST_F(SamplePlanTest, PaddingAsksNothing) {
  pack({{.temperature = 0.0F}}, 0, 4);
  EXPECT_EQ(plan_.taken(), 1);
  EXPECT_EQ(plan_.padded_rows(), 4);
  EXPECT_EQ(plan_.used_words(), 4 * kParamWords);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(params(i).flags, 0U);
}

TEST_F(SamplePlanTest, ARoundEndsWhereNoMoreFits) {
  std::vector<SampleRow> rows(11);
  pack(rows);
  EXPECT_EQ(plan_.taken(), 8);
  pack(rows, 8);
  EXPECT_EQ(plan_.taken(), 3);
  EXPECT_EQ(params(0).place, 8);
  EXPECT_EQ(params(0).flags, kRowActive | kRowPendingKept);

  // Lists.
  const std::vector<std::int32_t> banned(room_.words / 3, 1);
  for (SampleRow& row : rows) row.banned = banned;
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].row = static_cast<std::int32_t>(i);
  pack(rows);
  EXPECT_EQ(plan_.taken(), 2);
  const std::vector<std::int32_t> too_many(room_.words, 1);
  rows[0].banned = too_many;
  EXPECT_THROW(pack(rows), std::length_error);

  // Log-probabilities.
  std::vector<SampleRow> scored(3);
  for (SampleRow& row : scored) row.logprobs = 100;
  SamplePlan narrow(SampleRoom{.vocabulary = 100, .rows = 8, .words = 10'000, .tops = 250});
  std::vector<std::uint32_t> words(10'000);
  narrow.pack(scored, 0, 0, words.data());
  EXPECT_EQ(narrow.taken(), 2);
  EXPECT_EQ(narrow.tops(), 200);
}

TEST_F(SamplePlanTest, ARowOfLogitsThatIsChangedIsNotReadByAnotherInTheSameRound) {
  const std::vector<std::int32_t> banned = {1};
  std::vector<SampleRow> rows(3);  // all of row 0
  pack(rows);
  EXPECT_EQ(plan_.taken(), 3);
  rows[1].banned = banned;
  pack(rows);
  EXPECT_EQ(plan_.taken(), 1);
  pack(rows, 1);
  EXPECT_EQ(plan_.taken(), 1);
  pack(rows, 2);
  EXPECT_EQ(plan_.taken(), 1);
  rows[1].row = 1;
  pack(rows);
  EXPECT_EQ(plan_.taken(), 3);
}

TEST_F(SamplePlanTest, MoreLogProbabilitiesThanTheKernelHasAreRefused) {
  SamplePlan wide(SampleRoom::of(5000, 1));
  std::vector<std::uint32_t> words(SampleRoom::of(5000, 1).words);
  const std::vector<SampleRow> most = {{.logprobs = kMostTops}};
  wide.pack(most, 0, 0, words.data());
  EXPECT_EQ(wide.tops(), kMostTops);
  const std::vector<SampleRow> more = {{.logprobs = kMostTops + 1}};
  EXPECT_THROW(wide.pack(more, 0, 0, words.data()), std::invalid_argument);
}

}  // namespace
}  // namespace hangar::cuda
