#include "sched/batching.h"

#include <gtest/gtest.h>

namespace hangar {
namespace {

BatchingOptions options(BatchingPolicy policy) {
  BatchingOptions options;
  options.policy = policy;
  options.max_sequences = 4;
  options.batch_wait_us = 100;
  options.static_wait_us = 1000;
  return options;
}

TEST(Batching, NamesGoBothWays) {
  for (const auto policy : {BatchingPolicy::kNone, BatchingPolicy::kStatic,
                            BatchingPolicy::kDynamic, BatchingPolicy::kContinuous}) {
    EXPECT_EQ(kBatchingNames.of(kBatchingNames.of(policy)), policy);
  }
  EXPECT_FALSE(kBatchingNames.of("other"));
}

TEST(Batching, NoneTakesOneAtATime) {
  const BatchingOptions none = options(BatchingPolicy::kNone);
  EXPECT_EQ(batch_joiners(none, {.running = 0, .waiting = 3}), 1);
  EXPECT_EQ(batch_joiners(none, {.running = 1, .waiting = 3}), 0);
  EXPECT_EQ(batch_joiners(none, {.running = 0, .waiting = 0}), 0);
  EXPECT_FALSE(batch_next_change_us(none, {.running = 1, .waiting = 3}));
}

TEST(Batching, ContinuousTakesWhatThereIsRoomFor) {
  const BatchingOptions continuous = options(BatchingPolicy::kContinuous);
  EXPECT_EQ(batch_joiners(continuous, {.running = 1, .waiting = 9}), 3);
  EXPECT_EQ(batch_joiners(continuous, {.running = 1, .waiting = 2}), 2);
  EXPECT_EQ(batch_joiners(continuous, {.running = 4, .waiting = 2}), 0);
  EXPECT_FALSE(batch_next_change_us(continuous, {.running = 4, .waiting = 2}));
}

TEST(Batching, BatchesGatherUntilTheyAreFullOrTheFirstHasWaitedLong) {
  for (const auto& [policy, wait] :
       {std::pair{BatchingPolicy::kStatic, 1000}, {BatchingPolicy::kDynamic, 100}}) {
    const BatchingOptions batches = options(policy);
    BatchingState state{.running = 0, .waiting = 3, .longest_wait_us = 30, .gathering = true};
    EXPECT_EQ(batch_joiners(batches, state), 0);
    EXPECT_EQ(batch_next_change_us(batches, state), wait - 30);
    state.longest_wait_us = wait;
    EXPECT_EQ(batch_joiners(batches, state), 3);
    EXPECT_FALSE(batch_next_change_us(batches, state));
    state.longest_wait_us = 0;
    state.waiting = 7;
    EXPECT_EQ(batch_joiners(batches, state), 4);
    // Nobody joins a batch that runs.
    EXPECT_EQ(batch_joiners(batches, {.running = 1, .waiting = 7, .longest_wait_us = 9999}), 0);
    EXPECT_FALSE(batch_next_change_us(batches, {.running = 1, .waiting = 7}));
    // A batch that is being gathered has room for the rest.
    EXPECT_EQ(batch_joiners(batches, {.running = 3, .waiting = 7, .gathering = true}), 1);
    EXPECT_EQ(batch_joiners(batches, {.running = 0, .waiting = 0, .gathering = true}), 0);
    EXPECT_FALSE(batch_next_change_us(batches, {.running = 0, .waiting = 0, .gathering = true}));
  }
}

}  // namespace
}  // namespace hangar
