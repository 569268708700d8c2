#include "serve/sampling_defaults.h"

#include <gtest/gtest.h>

namespace hangar {
namespace {

TEST(SamplingDefaults, FillWhatTheRequestLeavesOpen) {
  const GenerationDefaults defaults{.sample = true,
                                    .temperature = 0.6F,
                                    .top_p = 0.95F,
                                    .min_p = 0.05F,
                                    .repetition_penalty = 1.1F,
                                    .top_k = 20,
                                    .end_of_generation = {}};
  SamplingParams open;
  apply_generation_defaults(defaults, {}, open);
  EXPECT_EQ(open.temperature, 0.6F);
  EXPECT_EQ(open.top_p, 0.95F);
  EXPECT_EQ(open.min_p, 0.05F);
  EXPECT_EQ(open.repetition_penalty, 1.1F);
  EXPECT_EQ(open.top_k, 20);

  SamplingParams given;
  apply_generation_defaults(defaults, {true, true, true, true, true}, given);
  EXPECT_EQ(given.temperature, 1.0F);
  EXPECT_EQ(given.top_p, 1.0F);
  EXPECT_EQ(given.min_p, 0.0F);
  EXPECT_EQ(given.repetition_penalty, 1.0F);
  EXPECT_EQ(given.top_k, 0);
}

TEST(SamplingDefaults, GreedyModelsAnswerGreedily) {
  GenerationDefaults defaults;
  defaults.sample = false;
  defaults.temperature = 0.6F;
  SamplingParams open;
  apply_generation_defaults(defaults, {}, open);
  EXPECT_EQ(open.temperature, 0.0F);
  SamplingParams given;
  given.temperature = 0.3F;
  apply_generation_defaults(defaults, {.temperature = true}, given);
  EXPECT_EQ(given.temperature, 0.3F);
}

TEST(SamplingDefaults, NonsenseIsLeftOut) {
  GenerationDefaults defaults;
  defaults.temperature = -1.0F;
  defaults.top_p = 1.5F;
  defaults.top_k = -5;
  SamplingParams open;
  apply_generation_defaults(defaults, {}, open);
  EXPECT_EQ(open.temperature, 1.0F);
  EXPECT_EQ(open.top_p, 1.0F);
  EXPECT_EQ(open.top_k, 0);
}

}  // namespace
}  // namespace hangar
