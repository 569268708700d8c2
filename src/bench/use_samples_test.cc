#include "bench/use_samples.h"

#include <gtest/gtest.h>

namespace hangar::bench {
namespace {

EngineStats stats_of(std::int64_t busy_us, std::uint64_t steps, std::int32_t running,
                     std::int32_t step_sequences) {
  EngineStats stats;
  stats.busy_us = busy_us;
  stats.steps = steps;
  stats.running = running;
  stats.step_sequences = step_sequences;
  return stats;
}

TEST(UseSamples, SharesAreOfTheTimeBetweenLooks) {
  UseSamples use;
  use.take(0, stats_of(500, 10, 4, 4));
  use.take(20'000, stats_of(10'500, 12, 4, 4));  // half of it in steps
  use.take(40'000, stats_of(30'500, 14, 2, 2));  // all of it
  use.take(60'000, stats_of(30'500, 14, 0, 2));  // nothing to do
  ASSERT_EQ(use.samples().size(), 3U);
  EXPECT_DOUBLE_EQ(use.samples()[0].busy_share, 0.5);
  EXPECT_DOUBLE_EQ(use.samples()[0].slots, 2.0);
  EXPECT_DOUBLE_EQ(use.samples()[1].busy_share, 1.0);
  EXPECT_DOUBLE_EQ(use.samples()[1].slots, 2.0);
  EXPECT_DOUBLE_EQ(use.samples()[2].busy_share, 0.0);
  EXPECT_DOUBLE_EQ(use.samples()[2].slots, 0.0);
  EXPECT_DOUBLE_EQ(use.mean_busy_share(), 0.5);
  EXPECT_DOUBLE_EQ(use.mean_slots(), 4.0 / 3);
}

TEST(UseSamples, AStepLongerThanTheGapBetweenLooksIsBusyAllAlong) {
  UseSamples use;
  use.take(0, stats_of(0, 1, 3, 3));
  use.take(20'000, stats_of(0, 1, 3, 3));
  use.take(40'000, stats_of(40'000, 2, 3, 3));
  ASSERT_EQ(use.samples().size(), 2U);
  EXPECT_DOUBLE_EQ(use.samples()[0].busy_share, 1.0);
  EXPECT_DOUBLE_EQ(use.samples()[1].busy_share, 1.0);
  EXPECT_DOUBLE_EQ(use.mean_busy_share(), 1.0);
  EXPECT_DOUBLE_EQ(use.mean_slots(), 3.0);
}

TEST(UseSamples, OfNothing) {
  UseSamples use;
  EXPECT_DOUBLE_EQ(use.mean_slots(), 0.0);
  use.take(5, {});
  EXPECT_DOUBLE_EQ(use.mean_busy_share(), 0.0);
  EXPECT_TRUE(use.samples().empty());
}

}  // namespace
}  // namespace hangar::bench
