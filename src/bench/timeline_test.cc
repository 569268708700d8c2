#include "bench/timeline.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace hangar::bench {
namespace {

constexpr std::int64_t kBegin = 5'000'000'000;

RequestRecord record_of(std::int64_t from_ms, std::int64_t to_ms, std::int32_t pieces) {
  RequestRecord record;
  record.outcome = Outcome::kDone;
  record.start_us = kBegin + from_ms * 1000;
  record.end_us = kBegin + to_ms * 1000;
  for (std::int32_t i = 1; i <= pieces; ++i) {
    record.piece_us.push_back(record.start_us + (to_ms - from_ms) * 1000 * i / pieces);
  }
  record.output_tokens = pieces;
  return record;
}

double held(const Timeline& timeline, double elapsed_s, const std::vector<double>& values) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double begin_s = static_cast<double>(i) * timeline.bucket_s;
    sum += values[i] * std::min(timeline.bucket_s, elapsed_s - begin_s);
  }
  return sum;
}

TEST(Timeline, HoldsEveryTokenAndEverySecondAtWork) {
  const std::vector<RequestRecord> records = {record_of(0, 4000, 40), record_of(500, 9990, 700),
                                              record_of(3000, 3100, 3)};
  const Timeline timeline = make_timeline(records, kBegin, 9'990'000);
  ASSERT_LE(timeline.in_flight.size(), Timeline::kMostBuckets);
  EXPECT_DOUBLE_EQ(timeline.bucket_s, 0.1);
  EXPECT_EQ(timeline.in_flight.size(), 100U);
  EXPECT_NEAR(held(timeline, 9.99, timeline.output_tokens_per_s), 743, 1e-6);
  EXPECT_NEAR(held(timeline, 9.99, timeline.in_flight), 4 + 9.49 + 0.1, 1e-6);
  EXPECT_NEAR(timeline.in_flight[30], 3, 1e-9);
  EXPECT_NEAR(timeline.in_flight[20], 2, 1e-9);
}

TEST(Timeline, AnswersNotStreamedCountWhenTheyEnd) {
  RequestRecord record = record_of(0, 900, 0);
  record.output_tokens = 50;
  const Timeline timeline = make_timeline(std::vector{record}, kBegin, 1'000'000);
  EXPECT_DOUBLE_EQ(timeline.output_tokens_per_s[17], 0);
  EXPECT_NEAR(timeline.output_tokens_per_s[18], 50 / timeline.bucket_s, 1e-6);
}

TEST(Timeline, WhatIsCutOffIsAtWorkToTheEnd) {
  RequestRecord record = record_of(0, 500, 5);
  record.outcome = Outcome::kRunning;
  record.end_us = 0;
  const Timeline timeline = make_timeline(std::vector{record}, kBegin, 2'000'000);
  EXPECT_NEAR(held(timeline, 2.0, timeline.in_flight), 2.0, 1e-6);
  EXPECT_NEAR(held(timeline, 2.0, timeline.output_tokens_per_s), 5, 1e-6);
}

TEST(Timeline, LongLoadsGetWideBuckets) {
  const Timeline timeline =
      make_timeline(std::vector{record_of(0, 1000, 5)}, kBegin, 7'200'000'000);
  EXPECT_DOUBLE_EQ(timeline.bucket_s, 60);
  EXPECT_LE(timeline.in_flight.size(), Timeline::kMostBuckets);
}

TEST(Timeline, OfNoTimeIsEmpty) {
  EXPECT_TRUE(make_timeline({}, kBegin, 0).in_flight.empty());
}

}  // namespace
}  // namespace hangar::bench
