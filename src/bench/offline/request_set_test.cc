#include "bench/offline/request_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "engine/local_engine.h"
#include "model/testing/tiny_checkpoint.h"

namespace hangar::bench {
namespace {

using ::testing::Each;
using ::testing::Gt;
using ::testing::HasSubstr;

std::unique_ptr<Engine> tiny_engine(std::int32_t running = 8) {
  LocalEngineOptions options;
  options.backend = "cpu";
  options.threads = 1;
  options.step_tokens = 64;
  options.batching.max_sequences = running;
  options.prefix_cache = false;
  return make_local_engine(
             std::make_shared<hangar::testing::TinyCheckpoint>(hangar::testing::TinyOptions{}),
             options)
      .value();
}

TEST(RequestSet, CountsAllTokensAndSteps) {
  const auto engine = tiny_engine();
  const auto times =
      run_request_set(*engine, {.requests = 4, .input_tokens = 20, .output_tokens = 30, .seed = 1});
  ASSERT_TRUE(times) << times.error().message;
  EXPECT_EQ(times->all.tokens, 4 * 30);
  EXPECT_EQ(times->all.rows, 4U * (20 + 29));
  EXPECT_GE(times->all.steps, 30U);
  EXPECT_GT(times->all.seconds, 0.0);
  EXPECT_GT(times->all.busy_s, 0.0);
  EXPECT_LE(times->all.busy_s, times->all.seconds * 1.05);
  EXPECT_GT(times->all.host_s, 0.0);
  EXPECT_LT(times->all.host_s, times->all.seconds * 1.05);
  EXPECT_FALSE(times->all.device_s) << "this backend computes in its operations";
  ASSERT_EQ(times->first_token_s.size(), 4U);
  EXPECT_THAT(times->first_token_s, Each(Gt(0.0)));
  EXPECT_LE(*std::max_element(times->first_token_s.begin(), times->first_token_s.end()),
            times->all.seconds);
}

TEST(RequestSet, TheSteadyPartIsDecodeAlone) {
  const auto engine = tiny_engine();
  const auto times =
      run_request_set(*engine, {.requests = 4, .input_tokens = 20, .output_tokens = 40, .seed = 1});
  ASSERT_TRUE(times);
  ASSERT_TRUE(times->steady);
  const Span& steady = *times->steady;
  EXPECT_GT(steady.tokens, 0);
  EXPECT_LT(steady.tokens, times->all.tokens);
  EXPECT_LT(steady.seconds, times->all.seconds);
  EXPECT_GT(steady.steps, 0U);
  // A row for each sequence and step; the figures may be a step apart from the events.
  EXPECT_LE(steady.rows, 4 * steady.steps);
  EXPECT_NEAR(static_cast<double>(steady.tokens), 4.0 * static_cast<double>(steady.steps), 8.0);
}

TEST(RequestSet, WhereSequencesWaitForPlacesNothingIsSteady) {
  const auto engine = tiny_engine(2);
  const auto times =
      run_request_set(*engine, {.requests = 6, .input_tokens = 5, .output_tokens = 10, .seed = 1});
  ASSERT_TRUE(times);
  EXPECT_EQ(times->all.tokens, 60);
  EXPECT_FALSE(times->steady);
}

TEST(RequestSet, OfAClosedLoopOnlySoManyAreUnderWay) {
  const auto engine = tiny_engine();
  std::int32_t most = 0;
  const auto watch = [&] {
    const EngineStats stats = engine->stats();
    most = std::max(most, stats.running + stats.waiting);
    return true;
  };
  const auto times = run_request_set(
      *engine, {.requests = 10, .input_tokens = 5, .output_tokens = 20, .at_once = 3, .seed = 1},
      watch);
  ASSERT_TRUE(times) << times.error().message;
  EXPECT_EQ(times->all.tokens, 200);
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 2);
  // Four rounds of 20 tokens: with all at once it would be two.
  EXPECT_GE(times->all.steps, 4U * 20);
  ASSERT_EQ(times->first_token_s.size(), 10U);
  EXPECT_GT(times->first_token_s[9], times->first_token_s[2]);

  const auto stopped = run_request_set(
      *engine, {.requests = 10, .input_tokens = 5, .output_tokens = 100, .at_once = 3, .seed = 1},
      [] { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
}

TEST(RequestSet, OneTokenEachIsPrefillAlone) {
  const auto engine = tiny_engine();
  const auto times =
      run_request_set(*engine, {.requests = 3, .input_tokens = 20, .output_tokens = 1, .seed = 1});
  ASSERT_TRUE(times);
  EXPECT_EQ(times->all.tokens, 3);
  EXPECT_EQ(times->all.rows, 60U);
}

TEST(RequestSet, LeavesNothingRunningWhenStoppedOrRefused) {
  const auto engine = tiny_engine();
  const auto stopped =
      run_request_set(*engine, {.requests = 8, .input_tokens = 10, .output_tokens = 100, .seed = 1},
                      [] { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  const auto refused = run_request_set(
      *engine, {.requests = 2, .input_tokens = 100, .output_tokens = 100, .seed = 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("context of 128"));
  // The same ids again.
  const auto again =
      run_request_set(*engine, {.requests = 8, .input_tokens = 10, .output_tokens = 5, .seed = 1});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->all.tokens, 40);
}

}  // namespace
}  // namespace hangar::bench
