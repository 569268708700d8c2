#include "eval/perplexity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "backend/registry.h"
#include "eval/log_likelihood.h"
#include "model/testing/tiny_checkpoint.h"

namespace hangar {
namespace {

using hangar::testing::TinyCheckpoint;
using ::testing::HasSubstr;

std::vector<TokenId> text_of(std::size_t tokens) {
  std::vector<TokenId> text(tokens);
  std::uint32_t state = 5;
  for (TokenId& token : text) {
    state = state * 1664525U + 1013904223U;
    token = static_cast<TokenId>((state >> 8) % 96U);
  }
  return text;
}

// One row a step on the reference, by nothing but Model and Backend: what the definition says.
Tally token_by_token(const Checkpoint& checkpoint, std::span<const TokenId> text,
                     std::span<const EvalWindow> windows, std::optional<TokenId> first_token) {
  const auto backend = make_backend("ref", 1).value();
  const auto model = make_model(checkpoint, *backend, {.max_rows = 1, .max_logit_rows = 1}).value();
  Tally tally;
  for (const EvalWindow& window : windows) {
    const auto cache = backend->make_kv_cache(model->kv_shape(1, window.tokens)).value();
    for (std::int32_t i = 0; i + 1 < window.tokens; ++i) {
      const auto at = static_cast<std::size_t>(window.begin + i);
      RaggedBatch batch;
      batch.token_ids = {i == 0 && first_token ? *first_token : text[at]};
      batch.positions = {i};
      batch.sequences = {{0, 1, i, 0, 1}};
      batch.block_tables = {0};
      batch.logit_rows = {0};
      batch.block_tokens = window.tokens;
      const Activation logits = model->forward(batch, *cache);
      if (i + 1 < window.first_scored) continue;
      tally.add(negative_log_likelihood(logits.row(0), text[at + 1]), window.weight);
    }
  }
  return tally;
}

bool go_on(const PerplexityResult&) {
  return true;
}

class PerplexityTest : public ::testing::Test {
 protected:
  PerplexityResult run(const EvalOptions& options, std::span<const EvalWindow> windows,
                       std::optional<TokenId> first_token = std::nullopt) {
    const auto probe = PerplexityProbe::make(checkpoint_, options).value();
    return probe->run(text_, windows, first_token, go_on).value();
  }

  TinyCheckpoint checkpoint_{testing::TinyOptions{}};
  std::vector<TokenId> text_ = text_of(107);
};

TEST_F(PerplexityTest, BothWaysEqualTheDefinitionTokenByToken) {
  EvalOptions options{.backend = "ref", .threads = 1, .context_tokens = 24};
  for (const std::optional<TokenId> first : {std::optional<TokenId>{}, std::optional<TokenId>{3}}) {
    for (const auto& windows : {half_windows(107, 24).value(), strided_windows(107, 24, 7).value(),
                                strided_windows(107, 24, 24).value()}) {
      const Tally wanted = token_by_token(checkpoint_, text_, windows, first);
      const PerplexityResult got = run(options, windows, first);
      EXPECT_NEAR(got.tally.mean(), wanted.mean(), 1e-6);
      EXPECT_NEAR(got.tally.standard_error(), wanted.standard_error(), 1e-4);
      EXPECT_NEAR(got.tally.count(), wanted.count(), 1e-9);
      EXPECT_EQ(got.windows, std::ssize(windows));
      std::int64_t rows = 0;
      std::int64_t scored = 0;
      for (const EvalWindow& window : windows) {
        rows += window.tokens - 1;
        scored += window.scored();
      }
      EXPECT_EQ(got.computed_tokens, rows);
      EXPECT_EQ(got.scored_tokens, scored);
    }
  }
  // A random model is about as wrong as a guess among 96, and BOS at the front changes it.
  const auto windows = half_windows(107, 24).value();
  EXPECT_GT(run(options, windows).tally.perplexity(), 30.0);
  EXPECT_NE(run(options, windows).tally.mean(), run(options, windows, 3).tally.mean());
}

TEST_F(PerplexityTest, BatchesStepsAndLogitRoomChangeNothing) {
  for (const char* backend : {"ref", "cpu"}) {
    const EvalOptions plain{.backend = backend, .threads = 2, .context_tokens = 24};
    for (const auto& windows :
         {half_windows(107, 24).value(), strided_windows(107, 24, 10).value()}) {
      const Tally wanted = run(plain, windows).tally;
      for (const std::int32_t batch : {1, 2, 3, 8}) {
        for (const std::int32_t rows : {1, 7, 30, 512}) {
          for (const std::size_t logit_rows : {1U, 5U, 1000U}) {
            EvalOptions options = plain;
            options.batch_windows = batch;
            options.step_rows = rows;
            options.logit_bytes = logit_rows * 96 * sizeof(float);
            const Tally got = run(options, windows).tally;
            ASSERT_EQ(got.mean(), wanted.mean()) << batch << " " << rows << " " << logit_rows;
            ASSERT_EQ(got.standard_error(), wanted.standard_error());
          }
        }
      }
    }
  }
}

TEST_F(PerplexityTest, BackendsAgree) {
  const auto windows = half_windows(107, 24).value();
  const Tally ref = run({.backend = "ref", .context_tokens = 24}, windows).tally;
  const Tally cpu = run({.backend = "cpu", .context_tokens = 24}, windows).tally;
  EXPECT_NEAR(cpu.mean(), ref.mean(), 1e-3);
}

TEST_F(PerplexityTest, TheKvTypeIsTheOneAskedFor) {
  const auto windows = half_windows(107, 24).value();
  const auto mean = [&](std::optional<KvType> type) {
    return run({.backend = "ref", .context_tokens = 24, .kv_type = type}, windows).tally.mean();
  };
  EXPECT_EQ(mean({}), mean(KvType::kF32));
  for (const KvType type : {KvType::kF16, KvType::kInt8, KvType::kFp8}) {
    EXPECT_NE(mean(type), mean({}));
    EXPECT_NEAR(mean(type), mean({}), 1e-2);
  }
  const auto refused = PerplexityProbe::make(
      checkpoint_, {.backend = "cpu", .context_tokens = 24, .kv_type = KvType::kF32});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
}

TEST_F(PerplexityTest, ABackendThatDoesNotQuantizeRefusesTo) {
  const auto refused = PerplexityProbe::make(
      checkpoint_,
      {.backend = "cpu", .context_tokens = 24, .quant = {.matrices = WeightQuant::kFp8}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().field, "quant");
}

TEST_F(PerplexityTest, AnEndedRunHasWhatWasCounted) {
  const auto probe =
      PerplexityProbe::make(checkpoint_, {.backend = "ref", .context_tokens = 24, .step_rows = 10})
          .value();
  const auto windows = half_windows(107, 24).value();
  int steps = 0;
  // Each window takes three steps of at most 10 rows.
  const PerplexityResult part =
      probe->run(text_, windows, std::nullopt, [&](const PerplexityResult&) { return ++steps < 7; })
          .value();
  EXPECT_EQ(part.windows, 2);
  EXPECT_EQ(part.computed_tokens, 2 * 23 + 10);
  const PerplexityResult two =
      probe->run(text_, std::span(windows).first(2), std::nullopt, go_on).value();
  EXPECT_EQ(part.tally.mean(), two.tally.mean());
  EXPECT_EQ(part.tally.count(), two.tally.count());
}

TEST_F(PerplexityTest, RefusesWhatDoesNotFit) {
  const auto longer = PerplexityProbe::make(checkpoint_, {.context_tokens = 129});
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(longer.error().message, HasSubstr("128"));
  EXPECT_FALSE(PerplexityProbe::make(checkpoint_, {.context_tokens = 8, .batch_windows = 0}));
  EXPECT_FALSE(PerplexityProbe::make(checkpoint_, {.backend = "abacus", .context_tokens = 8}));

  const auto probe =
      PerplexityProbe::make(checkpoint_, {.backend = "ref", .context_tokens = 24}).value();
  EXPECT_FALSE(probe->run(text_, half_windows(107, 25 + 16).value(), std::nullopt, go_on));
  text_[50] = 96;
  const auto outside = probe->run(text_, half_windows(107, 24).value(), std::nullopt, go_on);
  ASSERT_FALSE(outside);
  EXPECT_THAT(outside.error().message, HasSubstr("96"));
  text_[50] = 0;
  EXPECT_FALSE(probe->run(text_, half_windows(107, 24).value(), -1, go_on));
}

}  // namespace
}  // namespace hangar
