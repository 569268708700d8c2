#include "engine/kv_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;

KvBudgetInput input() {
  KvBudgetInput in;
  in.trained_context = 8192;
  in.block_bytes = 1 << 20;  // 64 KiB a token
  in.max_sequences = 64;
  in.free_bytes = 16 * kGiB;
  return in;
}

TEST(KvBudget, OneGiBWhereNobodyAsks) {
  const KvBudget budget = plan_kv(input()).value();
  EXPECT_EQ(budget.context_tokens, 8192);
  EXPECT_EQ(budget.blocks, 1024);
}

TEST(KvBudget, AWholeContextWhereThatIsMore) {
  KvBudgetInput in = input();
  in.trained_context = 65536;
  EXPECT_EQ(plan_kv(in).value().blocks, 4096);
  in.block_tokens = 16;
  in.trained_context = 32;  // never more than all that run could fill
  in.max_sequences = 3;
  EXPECT_EQ(plan_kv(in).value().blocks, 8);
}

TEST(KvBudget, CutToHalfOfWhatIsFree) {
  KvBudgetInput in = input();
  in.free_bytes = kGiB;
  in.trained_context = 1 << 17;
  const KvBudget budget = plan_kv(in).value();
  EXPECT_EQ(budget.blocks, 512);
  EXPECT_EQ(budget.context_tokens, 8192);
  in.free_bytes = 1000;
  EXPECT_EQ(plan_kv(in).error().code, ErrorCode::kResourceExhausted);
}

TEST(KvBudget, WhatIsAskedForIsGivenOrRefused) {
  KvBudgetInput in = input();
  in.asked_bytes = 2 * kGiB;
  EXPECT_EQ(plan_kv(in).value().blocks, 2048);
  in.asked_bytes = 17 * kGiB;
  EXPECT_THAT(plan_kv(in).error().message, HasSubstr("--kv-memory"));
  in.asked_bytes = kGiB / 4;
  EXPECT_EQ(plan_kv(in).value().context_tokens, 4096);
  in.asked_context = 8192;
  EXPECT_THAT(plan_kv(in).error().message, HasSubstr("8192"));
  in.asked_bytes = 0;
  in.asked_context = 8193;
  EXPECT_EQ(plan_kv(in).error().code, ErrorCode::kInvalidArgument);
  in.asked_context = 8192;
  in.free_bytes = kGiB / 4;
  EXPECT_EQ(plan_kv(in).error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace hangar
