// Expected frequencies: transformers 5's ROPE_INIT_FUNCTIONS for head_dim 16.
#include "model/rope.h"

#include <gtest/gtest.h>

#include <array>

namespace hangar {
namespace {

void expect_frequencies(const RopeConfig& rope, const std::array<double, 8>& expected,
                        float magnitude, std::int32_t context_tokens = 0) {
  const RopeTable table = make_rope_table(rope, context_tokens);
  ASSERT_EQ(table.inverse_frequency.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(table.inverse_frequency[i] / expected[i], 1.0, 2e-6) << "pair " << i;
  }
  EXPECT_NEAR(table.magnitude, magnitude, 1e-6F);
}

TEST(Rope, PlainIsPowersOfTheBase) {
  RopeConfig rope;
  rope.dim = 16;
  expect_frequencies(
      rope, {1.0, 0.31622777, 0.1, 0.031622777, 0.01, 0.0031622777, 0.001, 0.00031622777}, 1.0F);
}

TEST(Rope, LinearDividesAll) {
  RopeConfig rope;
  rope.dim = 16;
  rope.scaling = RopeScalingKind::kLinear;
  rope.factor = 4.0F;
  expect_frequencies(rope,
                     {0.25, 0.079056941, 0.0250000004, 0.00790569466, 0.00249999994, 0.000790569466,
                      0.000250000012, 7.90569466e-05},
                     1.0F);
}

TEST(Rope, Llama3AsTransformers) {
  RopeConfig rope;
  rope.dim = 16;
  rope.base = 500000.0F;
  rope.scaling = RopeScalingKind::kLlama3;
  rope.factor = 8.0F;
  rope.original_context_tokens = 8192;
  expect_frequencies(rope,
                     {1.0, 0.193922758, 0.0376060307, 0.00729266508, 0.000524846022, 3.42810235e-05,
                      6.64786967e-06, 1.28917316e-06},
                     1.0F);
}

TEST(Rope, YarnAsTransformers) {
  RopeConfig rope;
  rope.dim = 16;
  rope.scaling = RopeScalingKind::kYarn;
  rope.factor = 4.0F;
  rope.original_context_tokens = 2048;
  expect_frequencies(rope,
                     {1.0, 0.316227764, 0.100000001, 0.025693506, 0.00624999963, 0.00138349656,
                      0.000250000012, 7.90569466e-05},
                     1.138629436F);
  rope.attention_factor = 0.5F;
  EXPECT_EQ(make_rope_table(rope, 0).magnitude, 0.5F);
}

TEST(Rope, LongRopeAsTransformers) {
  RopeConfig rope;
  rope.dim = 16;
  rope.scaling = RopeScalingKind::kLongRope;
  rope.factor = 4.0F;
  rope.original_context_tokens = 1024;
  rope.short_divisors = {1.0F, 1.1F, 1.2F, 1.3F, 1.4F, 1.5F, 1.6F, 1.7F};
  rope.long_divisors = {2.0F, 2.5F, 3.0F, 4.0F, 5.0F, 6.0F, 7.0F, 8.0F};
  expect_frequencies(rope,
                     {1.0, 0.287479758, 0.0833333358, 0.0243252143, 0.00714285718, 0.00210818532,
                      0.000624999986, 0.000186016332},
                     1.095445115F, 1024);
  expect_frequencies(rope,
                     {0.5, 0.126491114, 0.0333333351, 0.00790569466, 0.00200000009, 0.00052704633,
                      0.000142857141, 3.95284733e-05},
                     1.095445115F, 1025);
  rope.attention_factor = 1.5F;
  EXPECT_EQ(make_rope_table(rope, 4096).magnitude, 1.5F);
}

TEST(Rope, FileDivisorsApplyOnTop) {
  RopeConfig rope;
  rope.dim = 4;
  rope.frequency_divisors = {2.0F, 8.0F};
  const RopeTable table = make_rope_table(rope, 0);
  EXPECT_FLOAT_EQ(table.inverse_frequency[0], 0.5F);
  EXPECT_FLOAT_EQ(table.inverse_frequency[1], 0.01F / 8.0F);
}

}  // namespace
}  // namespace hangar
