#include "engine/speed_probe.h"

#include <gtest/gtest.h>

#include "model/testing/tiny_checkpoint.h"

namespace hangar {
namespace {

TEST(SpeedProbe, RunsEachTestAsOftenAsAsked) {
  const testing::TinyCheckpoint checkpoint{testing::TinyOptions{}};
  SpeedProbeOptions options;
  options.backend = "ref";
  options.threads = 1;
  options.prefill_tokens = {16, 40};
  options.decode_tokens = {8};
  options.batch_rows = 16;
  options.repeats = 2;
  const auto results = run_speed_probe(checkpoint, options).value();
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[1].test.name(), "pp40");
  EXPECT_EQ(results[2].test.name(), "tg8");
  for (const SpeedProbeResult& result : results) {
    ASSERT_EQ(result.tokens_per_s.size(), 2U);
    for (const double speed : result.tokens_per_s) EXPECT_GT(speed, 0.0);
  }
  options.sequences = {1, 4};
  options.depth_tokens = 10;
  const auto more = run_speed_probe(checkpoint, options).value();
  ASSERT_EQ(more.size(), 4U);
  EXPECT_EQ(more[0].test.name(), "pp16 @ d10");
  EXPECT_EQ(more[2].test.name(), "tg8 @ d10");
  EXPECT_EQ(more[3].test.name(), "tg8 x4 @ d10");
  options.depth_tokens = 0;
  options.prefill_tokens = {129};
  EXPECT_EQ(run_speed_probe(checkpoint, options).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace hangar
