#include "plan/memory.h"

#include <gtest/gtest.h>

#include <limits>

namespace hangar {
namespace {

// SmolLM2-135M's numbers.
ModelConfig small_model() {
  ModelConfig config;
  config.layers = 30;
  config.hidden = 576;
  config.feed_forward = 1536;
  config.heads = 9;
  config.kv_heads = 3;
  config.head_dim = 64;
  config.vocabulary = 49152;
  config.context_tokens = 8192;
  return config;
}

TEST(PlanMemory, TheDefaultModelAtItsWholeContext) {
  const MemoryPlan plan = plan_memory(small_model(), 98'362'432, 0, 256, 2);
  EXPECT_EQ(plan.context_tokens, 8192);
  EXPECT_EQ(plan.file_bytes, 98'362'432U);
  EXPECT_EQ(plan.weight_bytes, 98'362'432U);
  EXPECT_EQ(plan.kv_bytes, 188'743'680U);  // 23,040 bytes a token
  const std::uint64_t rows = 256ULL * (3 * 576 + 2 * 576 + 2 * 192 + 2 * 1536) * 4;
  const std::uint64_t logits = 64ULL * 49152 * 4;
  EXPECT_EQ(plan.scratch_bytes, rows + logits);
  EXPECT_EQ(plan.total_bytes(), 98'362'432U + 188'743'680U + rows + logits);
}

TEST(PlanMemory, KvGrowsWithTokensAndElementSize) {
  const MemoryPlan one = plan_memory(small_model(), 0, 1, 1, 2);
  EXPECT_EQ(one.kv_bytes, 23'040U);
  EXPECT_EQ(plan_memory(small_model(), 0, 100, 1, 2).kv_bytes, 2'304'000U);
  EXPECT_EQ(plan_memory(small_model(), 0, 100, 1, 4).kv_bytes, 4'608'000U);
}

TEST(PlanMemory, FewRowsNeedFewLogits) {
  const MemoryPlan one = plan_memory(small_model(), 0, 1, 1, 2);
  EXPECT_EQ(one.scratch_bytes, (3 * 576 + 2 * 576 + 2 * 192 + 2 * 1536 + 49152) * 4U);
}

TEST(PlanMemory, ExpertsNeedScoresInputsAndTheirOwnGateAndUp) {
  ModelConfig config = small_model();
  const std::uint64_t dense = plan_memory(config, 0, 1, 1, 2).scratch_bytes;
  config.experts = 8;
  config.expert_feed_forward = 100;
  EXPECT_EQ(plan_memory(config, 0, 1, 1, 2).scratch_bytes, dense + (8 + 576 + 2 * 100) * 4U);
}

TEST(PlanMemory, WhatDoesNotFitIsTheLargestNumberNotASmallOne) {
  ModelConfig config = small_model();
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  config.layers = config.kv_heads = config.heads = config.head_dim = kMost;
  const MemoryPlan plan = plan_memory(config, 1, kMost, kMost, 4);
  EXPECT_EQ(plan.kv_bytes, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(plan.scratch_bytes, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(plan.total_bytes(), std::numeric_limits<std::uint64_t>::max());
}

TEST(PlanMemory, NonsenseCountsAsNothing) {
  ModelConfig config = small_model();
  config.layers = -1;
  EXPECT_EQ(plan_memory(config, 0, 10, 1, 2).kv_bytes, 0U);
}

}  // namespace
}  // namespace hangar
