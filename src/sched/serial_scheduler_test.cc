#include "sched/serial_scheduler.h"

#include <gtest/gtest.h>

namespace hangar {
namespace {

TEST(SerialScheduler, PrefillsInChunksThenDecodesOneByOne) {
  SerialScheduler scheduler(4);
  EXPECT_FALSE(scheduler.plan().has_value());
  scheduler.add(7, 10, 0);
  for (const auto& [first, tokens, samples] :
       {std::tuple{0, 4, false}, {4, 4, false}, {8, 2, true}, {10, 1, true}, {11, 1, true}}) {
    const StepPlan step = scheduler.plan().value();
    EXPECT_EQ(step.sequence, 7U);
    EXPECT_EQ(step.first_token, first);
    EXPECT_EQ(step.tokens, tokens);
    EXPECT_EQ(step.samples, samples);
    scheduler.advance(step, samples ? 1 : 0);
  }
}

TEST(SerialScheduler, FirstComeFirstServedWithinAPriority) {
  SerialScheduler scheduler(8);
  scheduler.add(1, 1, 0);
  scheduler.advance(scheduler.plan().value(), 1);  // 1 has started: nobody goes before it
  scheduler.add(2, 1, 0);
  scheduler.add(3, 1, 5);
  scheduler.add(4, 1, 5);
  EXPECT_EQ(scheduler.waiting(), 3);
  for (const SequenceId expected : {1U, 3U, 4U, 2U}) {
    EXPECT_EQ(scheduler.plan()->sequence, expected);
    scheduler.remove(expected);
  }
  EXPECT_TRUE(scheduler.empty());
}

TEST(SerialScheduler, RewindGoesBackToThePrompt) {
  SerialScheduler scheduler(8);
  scheduler.add(1, 5, 0);
  scheduler.advance(scheduler.plan().value(), 1);
  scheduler.advance(scheduler.plan().value(), 1);
  scheduler.rewind(1, 5, 4);
  const StepPlan step = scheduler.plan().value();
  EXPECT_EQ(step.first_token, 4);
  EXPECT_EQ(step.tokens, 1);
  EXPECT_TRUE(step.samples);
}

}  // namespace
}  // namespace hangar
