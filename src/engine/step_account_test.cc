#include "engine/step_account.h"

#include <gtest/gtest.h>

#include "model/testing/tiny_checkpoint.h"

namespace hangar {
namespace {

SpeedProbeOptions small_options(const char* backend) {
  SpeedProbeOptions options;
  options.backend = backend;
  options.threads = 2;
  options.prefill_tokens = {24};
  options.decode_tokens = {6};
  options.sequences = {1, 3};
  options.depth_tokens = 8;
  options.repeats = 3;
  return options;
}

double sum_of_parts(const StepAccount& account) {
  double sum = account.waits_us() + account.outside_us();
  for (std::size_t i = 0; i < kStepParts; ++i) sum += account.own_us(static_cast<StepPart>(i));
  return sum;
}

TEST(StepAccount, PartsAddUpToTheStep) {
  const testing::TinyCheckpoint checkpoint{testing::TinyOptions{}};
  for (const char* backend : {"ref", "cpu"}) {
    const auto accounts = account_steps(checkpoint, small_options(backend)).value();
    ASSERT_EQ(accounts.size(), 3U);
    EXPECT_EQ(accounts[0].test.name(), "pp24 @ d8");
    EXPECT_EQ(accounts[2].test.name(), "tg6 x3 @ d8");
    for (const StepAccount& account : accounts) {
      EXPECT_GT(account.plain_us, 0.0);
      EXPECT_GT(account.clocked_us, 0.0);
      EXPECT_NEAR(sum_of_parts(account), account.clocked_us, account.clocked_us * 1e-9);
      // Operations lie within the step, and are most of what there is.
      EXPECT_GT(account.outside_us(), 0.0);
      EXPECT_GT(account.us_a_step(account.times.total().ns), 0.0);
    }
  }
}

TEST(StepAccount, CountsWhatAStepIsMadeOf) {
  const testing::TinyCheckpoint checkpoint{testing::TinyOptions{}};  // two layers, tied
  const auto accounts = account_steps(checkpoint, small_options("ref")).value();
  const StepAccount& prefill = accounts[0];
  const StepAccount& decode = accounts[2];
  // Of 3 clocked prompts the middle one, of 18 clocked steps the middle third and what is left
  // over.
  EXPECT_EQ(prefill.steps, 1);
  EXPECT_EQ(decode.steps, 6);
  for (const StepPart part : {StepPart::kQkv, StepPart::kAttentionOut, StepPart::kGateUp,
                              StepPart::kDown, StepPart::kAttention}) {
    EXPECT_EQ(prefill.times.of(part).calls, 2) << step_part_name(part);
    EXPECT_EQ(decode.times.of(part).calls, 2 * decode.steps) << step_part_name(part);
  }
  for (const StepPart part : {StepPart::kHead, StepPart::kSampling, StepPart::kEmbedding}) {
    EXPECT_EQ(prefill.times.of(part).calls, 1) << step_part_name(part);
    EXPECT_EQ(decode.times.of(part).calls, decode.steps) << step_part_name(part);
  }
  EXPECT_EQ(decode.times.of(StepPart::kOther).calls, 0);
  EXPECT_EQ(decode.times.of(StepPart::kHead).multiply_adds, 6.0 * 3 * 96 * 32);
}

// A single run of a single step has its account too.
TEST(StepAccount, OneRepeatOfOneTokenIsEnough) {
  const testing::TinyCheckpoint checkpoint{testing::TinyOptions{}};
  SpeedProbeOptions options = small_options("cpu");
  options.decode_tokens = {1};
  options.repeats = 1;
  const auto accounts = account_steps(checkpoint, options).value();
  for (const StepAccount& account : accounts) {
    EXPECT_EQ(account.steps, 1) << account.test.name();
    EXPECT_GT(account.plain_us, 0.0);
    EXPECT_NEAR(sum_of_parts(account), account.clocked_us, account.clocked_us * 1e-9);
  }
}

TEST(StepAccount, WhatCannotRunIsAnError) {
  const testing::TinyCheckpoint checkpoint{testing::TinyOptions{}};
  SpeedProbeOptions options = small_options("cpu");
  options.depth_tokens = 128;
  EXPECT_EQ(account_steps(checkpoint, options).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(account_steps(checkpoint, small_options("none")).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace hangar
