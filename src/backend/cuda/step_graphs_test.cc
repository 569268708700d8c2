// To what sizes decode steps are filled up, and with what: no card needed.
#include "backend/cuda/step_graphs.h"

#include <gtest/gtest.h>

namespace hangar::cuda {
namespace {

RaggedBatch decode_step(std::int32_t count) {
  RaggedBatch batch;
  for (std::int32_t i = 0; i < count; ++i) {
    batch.sequences.push_back({i, 1, 100 + i, i, 1});
    batch.block_tables.push_back(i);
    batch.token_ids.push_back(7);
    batch.positions.push_back(100 + i);
    batch.logit_rows.push_back(i);
  }
  return batch;
}

TEST(StepGraphsTest, WhatFillsAStepUpAttendsToNothing) {
  constexpr std::int32_t kSpare = 4711;
  RaggedBatch batch = decode_step(397);
  const StepGraphs::Size size = StepGraphs::pad(batch, 512, kSpare);
  EXPECT_EQ(size, (StepGraphs::Size{400, 1024}));
  ASSERT_EQ(batch.rows(), 400);
  ASSERT_EQ(batch.sequences.size(), 400U);
  ASSERT_EQ(batch.logit_rows.size(), 400U);
  for (std::int32_t row = 0; row < 400; ++row) {
    const RaggedBatch::Sequence& sequence = batch.sequences[static_cast<std::size_t>(row)];
    EXPECT_EQ(sequence.first_row, row);
    EXPECT_EQ(sequence.rows, 1);
    EXPECT_EQ(batch.logit_rows[static_cast<std::size_t>(row)], row);
    if (row < 397) {
      EXPECT_EQ(sequence.blocks, 1) << row;
      continue;
    }
    EXPECT_EQ(sequence.blocks, 0) << row;
    EXPECT_EQ(batch.block_tables[static_cast<std::size_t>(sequence.first_block)], kSpare) << row;
  }
}

TEST(StepGraphsTest, FillsUpToFewSizesAndNoFurtherThanLogitsReach) {
  const auto rows_of = [](std::int32_t count, std::int32_t most) {
    RaggedBatch batch = decode_step(count);
    return StepGraphs::pad(batch, most, 0).first;
  };
  EXPECT_EQ(rows_of(1, 64), 1);
  EXPECT_EQ(rows_of(5, 64), 6);
  EXPECT_EQ(rows_of(13, 64), 16);
  EXPECT_EQ(rows_of(65, 512), 72);
  EXPECT_EQ(rows_of(500, 512), 512);
  EXPECT_EQ(rows_of(500, 505), 505);
  EXPECT_EQ(rows_of(500, 64), 500);  // logits of no graph's size: as it is
  RaggedBatch batch = decode_step(3);
  batch.sequences[1].context_tokens = 5000;
  EXPECT_EQ(StepGraphs::pad(batch, 8, 0).second, 8192);
}

}  // namespace
}  // namespace hangar::cuda
