#include "sched/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

namespace hangar {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

SchedulerOptions small() {
  SchedulerOptions options;
  options.batching.max_sequences = 4;
  options.step_tokens = 8;
  options.max_logit_rows = 8;
  options.kv_blocks = 16;
  options.block_tokens = 4;
  return options;
}

std::vector<std::int32_t> counting(std::int32_t tokens, std::int32_t from = 1) {
  std::vector<std::int32_t> prompt(static_cast<std::size_t>(tokens));
  std::iota(prompt.begin(), prompt.end(), from);
  return prompt;
}

SequenceSpec spec(SequenceId id, std::int32_t prompt, std::int32_t max_tokens = 10) {
  SequenceSpec one;
  one.id = id;
  one.prompt = counting(prompt, static_cast<std::int32_t>(id) * 100);
  one.max_tokens = max_tokens;
  return one;
}

// The plan as text: "1:0+8 2:0+2*" is 8 tokens of sequence 1 from the first, and 2 of sequence 2,
// which samples.
std::string text(const StepPlan& plan) {
  std::string text;
  for (const StepItem& item : plan.items) {
    if (!text.empty()) text += ' ';
    text += std::to_string(item.sequence) + ':' + std::to_string(item.first_token) + '+' +
            std::to_string(item.tokens) + (item.samples ? "*" : "");
  }
  return text;
}

void commit(Scheduler& scheduler, const StepPlan& plan, std::int32_t token = 7) {
  for (const StepItem& item : plan.items) {
    const std::vector<std::int32_t> sampled(item.samples ? 1U : 0U, token);
    scheduler.commit(item, sampled);
  }
}

std::string step(Scheduler& scheduler, std::int64_t now_us = 0) {
  const StepPlan plan = scheduler.plan(now_us);
  commit(scheduler, plan);
  return text(plan);
}

TEST(Scheduler, PrefillsInChunksBesideDecode) {
  Scheduler scheduler(small());
  EXPECT_TRUE(scheduler.plan(0).empty());
  scheduler.add(spec(1, 3));
  EXPECT_EQ(step(scheduler), "1:0+3*");
  scheduler.add(spec(2, 12));
  EXPECT_EQ(step(scheduler), "1:3+1* 2:0+7");
  EXPECT_EQ(step(scheduler), "1:4+1* 2:7+5*");
  EXPECT_EQ(step(scheduler), "1:5+1* 2:12+1*");
  EXPECT_THAT(scheduler.tokens(2).subspan(12), ElementsAre(7, 7));
  EXPECT_EQ(scheduler.stats().running, 2);
  scheduler.remove(1);
  EXPECT_EQ(step(scheduler), "2:13+1*");
  scheduler.remove(2);
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(scheduler.pool().held(), 0);
}

TEST(Scheduler, APlanIsExtendedByWhatCameAfterIt) {
  Scheduler scheduler(small());
  scheduler.add(spec(1, 3));
  commit(scheduler, scheduler.plan(0));
  scheduler.add(spec(2, 2));
  StepPlan plan = scheduler.plan(0);
  EXPECT_EQ(text(plan), "1:3+1* 2:0+2*");
  scheduler.remove(2);
  scheduler.add(spec(3, 12));
  scheduler.prune(plan);
  scheduler.extend(plan, 0);
  EXPECT_EQ(text(plan), "1:3+1* 3:0+7");
  EXPECT_EQ(plan.rows, 8);
  scheduler.add(spec(4, 1));  // the step is full
  scheduler.extend(plan, 0);
  EXPECT_EQ(text(plan), "1:3+1* 3:0+7");
  commit(scheduler, plan);
  EXPECT_EQ(step(scheduler), "1:4+1* 3:7+5* 4:0+1*");
}

TEST(Scheduler, PlansTheNextStepBeforeTheLastIsCommitted) {
  Scheduler scheduler(small());
  scheduler.add(spec(1, 3, 3));
  const StepPlan a = scheduler.plan(0);
  const StepPlan b = scheduler.plan(0);
  EXPECT_EQ(text(a), "1:0+3*");
  EXPECT_EQ(text(b), "1:3+1*");
  EXPECT_EQ(scheduler.tokens(1).size(), 3U);
  commit(scheduler, a, 5);
  EXPECT_THAT(scheduler.tokens(1).subspan(3), ElementsAre(5));
  const StepPlan c = scheduler.plan(0);
  EXPECT_EQ(text(c), "1:4+1*");
  commit(scheduler, b, 6);
  EXPECT_TRUE(scheduler.plan(0).empty());  // the third token is its last
  commit(scheduler, c, 8);
  EXPECT_THAT(scheduler.tokens(1).subspan(3), ElementsAre(5, 6, 8));
}

TEST(Scheduler, PruneTakesOutWhatHasBeenRemovedMeanwhile) {
  Scheduler scheduler(small());
  scheduler.add(spec(1, 2));
  scheduler.add(spec(2, 2));
  const StepPlan a = scheduler.plan(0);
  StepPlan b = scheduler.plan(0);
  EXPECT_EQ(text(b), "1:2+1* 2:2+1*");
  scheduler.commit(a.items[1], std::vector{3});
  scheduler.remove(1);
  scheduler.prune(b);
  EXPECT_EQ(text(b), "2:2+1*");
  EXPECT_EQ(b.rows, 1);
  commit(scheduler, b);
  EXPECT_EQ(step(scheduler), "2:3+1*");
}

TEST(Scheduler, LateCommitsAndUnknownIdsAreIgnored) {
  Scheduler scheduler(small());
  scheduler.add(spec(1, 2));
  const StepPlan a = scheduler.plan(0);
  scheduler.remove(1);
  commit(scheduler, a);
  scheduler.remove(1);
  scheduler.propose(1, std::vector{1});
  EXPECT_THAT(scheduler.tokens(1), IsEmpty());
  EXPECT_THAT(scheduler.blocks(1), IsEmpty());
  EXPECT_TRUE(scheduler.idle());
}

TEST(Scheduler, FindsPrefixesButNeverTheWholePrompt) {
  Scheduler scheduler(small());
  scheduler.add(spec(1, 8));
  step(scheduler);
  scheduler.remove(1);
  EXPECT_EQ(scheduler.pool().kept(), 2);
  SequenceSpec same = spec(2, 8);
  same.prompt = spec(1, 8).prompt;
  scheduler.add(same);
  const StepPlan plan = scheduler.plan(0);
  EXPECT_EQ(text(plan), "2:4+4*");
  EXPECT_TRUE(plan.items[0].first);
  EXPECT_EQ(plan.items[0].cached_tokens, 4);
  EXPECT_EQ(scheduler.stats().prefix_hit_tokens, 4U);
  EXPECT_EQ(scheduler.stats().prefix_queries_tokens, 16U);
  // Another adapter: other keys and values.
  same.id = 3;
  same.prefix_salt = 1;
  scheduler.add(same);
  EXPECT_EQ(text(scheduler.plan(0)), "2:8+1* 3:0+7");
}

TEST(Scheduler, WithoutAPrefixCacheNothingIsFound) {
  SchedulerOptions options = small();
  options.prefix_cache = false;
  Scheduler scheduler(options);
  SequenceSpec one = spec(1, 8);
  scheduler.add(one);
  step(scheduler);
  scheduler.remove(1);
  EXPECT_EQ(scheduler.pool().kept(), 0);
  one.id = 2;
  scheduler.add(one);
  EXPECT_EQ(step(scheduler), "2:0+8*");
}

TEST(Scheduler, ForksShareThePromptAndComputeItsLastToken) {
  SchedulerOptions options = small();
  options.prefix_cache = false;
  Scheduler scheduler(options);
  scheduler.add(spec(1, 6));
  SequenceSpec fork = spec(2, 6);
  fork.prompt = spec(1, 6).prompt;
  fork.forks_from = 1;
  scheduler.add(fork);
  fork.id = 3;
  scheduler.add(fork);
  EXPECT_EQ(scheduler.stats().waiting, 3);
  EXPECT_EQ(step(scheduler), "1:0+6*");
  const StepPlan plan = scheduler.plan(0);
  EXPECT_EQ(text(plan), "1:6+1* 2:5+1* 3:5+1*");
  EXPECT_EQ(plan.items[1].cached_tokens, 5);
  ASSERT_EQ(plan.copies.size(), 2U);
  EXPECT_EQ(plan.copies[0].from, scheduler.blocks(1)[1]);
  EXPECT_EQ(plan.copies[0].to, scheduler.blocks(2)[1]);
  EXPECT_EQ(scheduler.blocks(3)[0], scheduler.blocks(1)[0]);
  EXPECT_EQ(scheduler.pool().held(), 4);
  for (const SequenceId id : {1U, 2U, 3U}) scheduler.remove(id);
  EXPECT_EQ(scheduler.pool().free(), 16);
}

TEST(Scheduler, AForkWhoseParentIsGoneIsAnOrdinarySequence) {
  Scheduler scheduler(small());
  scheduler.add(spec(1, 12));
  SequenceSpec fork = spec(2, 12);
  fork.prompt = spec(1, 12).prompt;
  fork.forks_from = 1;
  scheduler.add(fork);
  EXPECT_EQ(step(scheduler), "1:0+8");
  scheduler.remove(1);
  EXPECT_EQ(step(scheduler), "2:8+4*");  // the first blocks are remembered
  fork.id = 3;
  fork.forks_from = 99;
  scheduler.add(fork);
  EXPECT_EQ(step(scheduler), "2:12+1* 3:8+4*");
}

TEST(Scheduler, GuessesAreTakenAsFarAsTheyMayAndCommitted) {
  Scheduler scheduler(small());
  scheduler.add(spec(1, 3, 4));
  step(scheduler);
  scheduler.propose(1, std::vector{1, 2, 3, 4, 5});
  const StepPlan plan = scheduler.plan(0);
  ASSERT_EQ(text(plan), "1:3+3*");  // 4 tokens at most: one is there, two guesses and one more
  EXPECT_EQ(plan.items[0].drafts, 2);
  EXPECT_EQ(plan.items[0].logit_rows, 3);
  EXPECT_TRUE(scheduler.plan(0).empty());  // where it goes on is not known
  scheduler.commit(plan.items[0], std::vector{1, 9});
  EXPECT_THAT(scheduler.tokens(1).subspan(3), ElementsAre(7, 1, 9));
  EXPECT_EQ(step(scheduler), "1:5+1*");
}

TEST(Scheduler, GuessesLeaveRowsForPrompts) {
  Scheduler scheduler(small());
  scheduler.add(spec(1, 3));
  step(scheduler);
  scheduler.add(spec(2, 20));
  scheduler.propose(1, std::vector{1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(text(scheduler.plan(0)), "1:3+4* 2:0+4");
}

TEST(Scheduler, PromptLogitsBoundTheChunkAndLookNothingUp) {
  SchedulerOptions options = small();
  options.max_logit_rows = 5;
  Scheduler scheduler(options);
  SequenceSpec one = spec(1, 8);
  scheduler.add(one);
  step(scheduler);
  scheduler.remove(1);
  one.id = 2;
  one.prompt_logits = true;
  scheduler.add(one);
  const StepPlan plan = scheduler.plan(0);
  EXPECT_EQ(text(plan), "2:0+5");
  EXPECT_EQ(plan.items[0].logit_rows, 5);
  commit(scheduler, plan);
  const StepPlan rest = scheduler.plan(0);
  EXPECT_EQ(text(rest), "2:5+3*");
  EXPECT_EQ(rest.items[0].logit_rows, 3);
}

TEST(Scheduler, AFullCachePreemptsTheNewestWhichGoesOnLater) {
  SchedulerOptions options = small();
  options.kv_blocks = 4;
  options.prefix_cache = false;
  Scheduler scheduler(options);
  scheduler.add(spec(1, 4));
  scheduler.add(spec(2, 4));
  EXPECT_EQ(step(scheduler), "1:0+4* 2:0+4*");
  for (int i = 0; i < 4; ++i) step(scheduler);  // each holds two blocks, both full
  const StepPlan a = scheduler.plan(0);
  EXPECT_EQ(text(a), "1:8+1*");
  EXPECT_EQ(scheduler.stats().preemptions, 1U);
  EXPECT_EQ(scheduler.stats().waiting, 1);
  EXPECT_THAT(scheduler.blocks(2), IsEmpty());
  commit(scheduler, a);
  EXPECT_EQ(step(scheduler), "1:9+1*");  // no room for 2: three blocks for its nine tokens
  scheduler.remove(1);
  const StepPlan b = scheduler.plan(0);
  EXPECT_EQ(text(b), "2:0+8");
  EXPECT_FALSE(b.items[0].first);
  commit(scheduler, b);
  EXPECT_EQ(step(scheduler), "2:8+1*");
}

TEST(Scheduler, AStepUnderWayStillCountsForThePreempted) {
  SchedulerOptions options = small();
  options.kv_blocks = 4;
  Scheduler scheduler(options);
  scheduler.add(spec(1, 4));
  scheduler.add(spec(2, 4));
  for (int i = 0; i < 4; ++i) step(scheduler);
  const StepPlan under_way = scheduler.plan(0);
  EXPECT_EQ(text(under_way), "1:7+1* 2:7+1*");
  const StepPlan next = scheduler.plan(0);
  EXPECT_EQ(text(next), "1:8+1*");
  commit(scheduler, under_way, 6);
  EXPECT_EQ(scheduler.tokens(2).size(), 9U);
  EXPECT_EQ(scheduler.tokens(2).back(), 6);
}

TEST(Scheduler, HigherPrioritiesGoFirstAndTakeThePlaceOfLowerOnes) {
  SchedulerOptions options = small();
  options.batching.max_sequences = 1;
  Scheduler scheduler(options);
  scheduler.add(spec(1, 4));
  SequenceSpec high = spec(2, 4, 1);
  high.priority = 1;
  EXPECT_EQ(step(scheduler), "1:0+4*");
  scheduler.add(spec(3, 4));
  scheduler.add(high);
  EXPECT_EQ(step(scheduler), "2:0+4*");
  EXPECT_EQ(scheduler.stats().preemptions, 1U);
  scheduler.remove(2);
  EXPECT_EQ(step(scheduler), "1:4+1*");  // preempted, before 3; its first block was remembered
}

TEST(Scheduler, StaticBatchesRunToTheEndOfTheirLongestMember) {
  SchedulerOptions options = small();
  options.batching.policy = BatchingPolicy::kStatic;
  options.batching.max_sequences = 2;
  options.batching.static_wait_us = 100;
  Scheduler scheduler(options);
  scheduler.add(spec(1, 2));
  EXPECT_EQ(step(scheduler, 40), "");
  EXPECT_EQ(scheduler.next_change_us(40), 60);
  scheduler.add(spec(2, 2));
  scheduler.add(spec(3, 2));
  EXPECT_EQ(step(scheduler, 40), "1:0+2* 2:0+2*");
  scheduler.remove(1);
  EXPECT_EQ(step(scheduler, 500), "2:2+1*");
  EXPECT_FALSE(scheduler.next_change_us(500));
  scheduler.remove(2);
  EXPECT_EQ(step(scheduler, 500), "3:0+2*");
}

TEST(Scheduler, NoneRunsOneAtATime) {
  SchedulerOptions options = small();
  options.batching.policy = BatchingPolicy::kNone;
  Scheduler scheduler(options);
  scheduler.add(spec(1, 2));
  scheduler.add(spec(2, 2));
  EXPECT_EQ(step(scheduler), "1:0+2*");
  EXPECT_EQ(step(scheduler), "1:2+1*");
  scheduler.remove(1);
  EXPECT_EQ(step(scheduler), "2:0+2*");
}

TEST(Scheduler, ForksJoinTheBatchOfTheirParent) {
  SchedulerOptions options = small();
  options.batching.policy = BatchingPolicy::kDynamic;
  options.batching.batch_wait_us = 10;
  Scheduler scheduler(options);
  scheduler.add(spec(1, 6));
  SequenceSpec fork = spec(2, 6);
  fork.prompt = spec(1, 6).prompt;
  fork.forks_from = 1;
  scheduler.add(fork);
  scheduler.add(spec(3, 2));
  EXPECT_EQ(step(scheduler, 10), "1:0+6* 3:0+2*");
  scheduler.add(spec(4, 2));
  EXPECT_EQ(step(scheduler, 50), "1:6+1* 3:2+1* 2:5+1*");
}

TEST(Scheduler, ExpiredOnesCostNoStep) {
  Scheduler scheduler(small());
  SequenceSpec one = spec(1, 4);
  one.deadline_us = 100;
  scheduler.add(one);
  one.id = 2;
  one.deadline_us = 200;
  scheduler.add(one);
  EXPECT_THAT(scheduler.expired(99), IsEmpty());
  EXPECT_EQ(scheduler.next_change_us(40), 60);
  EXPECT_EQ(step(scheduler, 99), "1:0+4* 2:0+4*");
  EXPECT_THAT(scheduler.expired(100), ElementsAre(1));
  EXPECT_EQ(step(scheduler, 100), "2:4+1*");
  EXPECT_THAT(scheduler.expired(100), ElementsAre(1));
  scheduler.remove(1);
  EXPECT_THAT(scheduler.expired(200), ElementsAre(2));
  scheduler.remove(2);
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(scheduler.pool().held(), 0);
}

TEST(Scheduler, ALoneSequenceThatFitsThePoolEnds) {
  SchedulerOptions options = small();
  options.kv_blocks = Scheduler::blocks_for(10 + 10, 4);
  Scheduler scheduler(options);
  scheduler.add(spec(1, 10));
  for (int i = 0; i < 11; ++i) EXPECT_NE(step(scheduler), "") << i;
  EXPECT_EQ(scheduler.tokens(1).size(), 20U);
  EXPECT_EQ(step(scheduler), "");
  EXPECT_EQ(Scheduler::blocks_for(std::int64_t{1} << 62, 4), 2147483647);
}

TEST(Scheduler, WhoDidNotFitIsTakenAtOnceWhereNobodyRunsAnyMore) {
  SchedulerOptions options = small();
  options.kv_blocks = 8;
  options.prefix_cache = false;
  Scheduler scheduler(options);
  scheduler.add(spec(1, 4));
  scheduler.add(spec(2, 30, 2));
  EXPECT_EQ(step(scheduler), "1:0+4*");  // 2 needs all blocks, and more to be let in beside 1
  scheduler.remove(1);
  EXPECT_EQ(step(scheduler), "2:0+8");
}

TEST(Scheduler, ForgottenPrefixesAreComputedAgain) {
  Scheduler scheduler(small());
  SequenceSpec one = spec(1, 8);
  scheduler.add(one);
  step(scheduler);
  scheduler.remove(1);
  scheduler.forget_prefixes();
  one.id = 2;
  scheduler.add(one);
  EXPECT_EQ(step(scheduler), "2:0+8*");
}

}  // namespace
}  // namespace hangar
