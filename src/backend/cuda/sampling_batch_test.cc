// Sampling on the card: many rows at once, and round after round.
#include <algorithm>
#include <random>

#include "backend/cuda/sampling.h"
#include "backend/cuda/sampling_test_support.h"

namespace hangar::cuda {
namespace {

TEST_F(CudaSamplingTest, ARowDoesNotDependOnItsNeighboursOrOnPadding) {
  const std::int32_t n = 5000;
  const std::int32_t count = 20;
  CardSampler card({.vocabulary = n, .rows = 64, .step_rows = 64});
  Values logits;
  std::vector<OwnedRow> owned;
  std::vector<SampleRow> rows;
  for (std::int32_t i = 0; i < count; ++i) {
    const Values more = random_logits(n);
    logits.insert(logits.end(), more.begin(), more.end());
    owned.push_back(random_row(n));
    owned.push_back(random_row(n));
  }
  // Each row of logits twice, in no order: some of them have to wait for a round of their own.
  for (std::size_t i = 0; i < owned.size(); ++i) {
    rows.push_back(owned[i].get(static_cast<std::int32_t>(i) % count));
  }
  std::ranges::shuffle(rows, random_);
  const std::vector<Sampled> together = on_card(card, logits, rows);
  const Activation x = card.put(logits, 8);
  std::vector<Sampled> padded(rows.size());
  EXPECT_GE(card.run(x, rows, padded, 64), 1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    expect_identical(padded[i], together[i]);
    SampleRow alone = rows[i];
    alone.row = 0;
    const auto begin = logits.begin() + std::int64_t{rows[i].row} * n;
    expect_identical(on_card(card, {begin, begin + n}, {alone})[0], together[i]);
  }
}

TEST_F(CudaSamplingTest, MoreRowsThanARoundHasRoomFor) {
  const std::int32_t n = 300;
  CardSampler card({.vocabulary = n, .rows = 4, .step_rows = 64});
  Values logits;
  std::vector<OwnedRow> owned;
  std::vector<SampleRow> rows;
  for (int i = 0; i < 30; ++i) {
    const Values more = random_logits(n);
    logits.insert(logits.end(), more.begin(), more.end());
    owned.push_back(random_row(n));
  }
  for (std::int32_t i = 0; i < 30; ++i) rows.push_back(owned[static_cast<std::size_t>(i)].get(i));
  const Activation x = card.put(logits);
  std::vector<Sampled> got(rows.size());
  EXPECT_GE(card.run(x, rows, got), 8);
  expect_reference(got, logits, n, rows);
  std::vector<std::int32_t> tokens(rows.size());
  HANGAR_CUDA(
      cudaMemcpy(tokens.data(), card.sampler->tokens(), tokens.size() * 4, cudaMemcpyDeviceToHost));
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(tokens[i], got[i].token);
}

TEST_F(CudaSamplingTest, AdjustmentsOfManyTokensInEveryChunk) {
  const std::int32_t n = 9000;
  CardSampler card({.vocabulary = n, .rows = 4, .step_rows = 4});
  const Values logits = random_floats(n, 2.0F);
  OwnedRow owned;
  owned.row = {.logprobs = 12,
               .temperature = 0.0F,
               .repetition_penalty = 1.5F,
               .presence_penalty = 0.6F,
               .frequency_penalty = 0.1F};
  for (std::int32_t t = 0; t < n; t += 2) owned.seen.push_back(t);
  for (std::int32_t t = 0; t < n; t += 3) owned.counts.push_back({t, t % 7});
  for (std::int32_t t = 0; t < n; t += 5)
    owned.bias.emplace_back(t, 0.01F * static_cast<float>(t % 90));
  for (std::int32_t t = 0; t < n; t += 11) owned.banned.push_back(t);
  std::vector<SampleRow> rows = {owned.get(0)};
  expect_reference(on_card(card, logits, rows), logits, n, rows);
  for (const double uniform : {0.1, 0.5, 0.9}) {
    owned.row.temperature = 1.0F;
    owned.row.uniform = uniform;
    rows = {owned.get(0)};
    expect_reference(on_card(card, logits, rows), logits, n, rows);
    owned.row.top_k = 50;
    rows = {owned.get(0)};
    expect_reference(on_card(card, logits, rows), logits, n, rows);
  }
}

TEST_F(CudaSamplingTest, APendingTokenCountsAsIfTheHostHadKnownIt) {
  const std::int32_t n = 6000;
  CardSampler card({.vocabulary = n, .rows = 3, .step_rows = 8});
  for (int i = 0; i < 20; ++i) {
    // The step before: five tokens, of two rounds.
    Values logits;
    std::vector<SampleRow> before;
    for (std::int32_t r = 0; r < 5; ++r) {
      const Values more = random_floats(n, 0.1F);
      logits.insert(logits.end(), more.begin(), more.end());
      before.push_back({.row = r, .temperature = 0.0F});
    }
    const std::vector<Sampled> drawn = on_card(card, logits, before);
    // This one: what was drawn is likely again, and known or not, listed or not.
    std::vector<OwnedRow> owned(5);
    std::vector<SampleRow> pending;
    std::vector<SampleRow> known;
    std::vector<OwnedRow> told(5);
    for (std::size_t r = 0; r < 5; ++r) {
      const std::int32_t token = drawn[4 - r].token;
      Values::iterator row = logits.begin() + static_cast<std::int64_t>(r) * n;
      row[token] = coin() ? 3.0F : -0.5F;
      OwnedRow& own = owned[r];
      own.row.temperature = 0.0F;
      own.row.logprobs = 3;
      own.row.repetition_penalty = coin() ? 8.0F : 1.0F;
      own.row.presence_penalty = coin() ? 1.4F : 0.0F;
      own.row.frequency_penalty = coin() ? 0.9F : 0.0F;
      if (coin()) own.seen = {5, token, 7};
      if (coin()) own.counts = {{9, 1}, {token, 2}};
      told[r] = own;
      if (std::ranges::find(own.seen, token) == own.seen.end()) told[r].seen.push_back(token);
      const auto at = std::ranges::find(told[r].counts, token, &TokenCount::token);
      if (at == told[r].counts.end()) {
        told[r].counts.push_back({token, 1});
      } else {
        ++at->count;
      }
      pending.push_back(own.get(static_cast<std::int32_t>(r)));
      pending.back().pending = static_cast<std::int32_t>(4 - r);
      known.push_back(told[r].get(static_cast<std::int32_t>(r)));
    }
    const std::vector<Sampled> got = on_card(card, logits, pending);
    const std::vector<Sampled> want = reference(logits, n, known);
    for (std::size_t r = 0; r < 5; ++r) EXPECT_EQ(got[r].token, want[r].token) << r;
  }
}

TEST_F(CudaSamplingTest, RowsThatFillALaunchUpAskNothing) {
  const std::int32_t n = 7000;
  CardSampler card({.vocabulary = n, .rows = 16, .step_rows = 16});
  Values logits;
  for (int r = 0; r < 8; ++r) {
    const Values more = random_logits(n);
    logits.insert(logits.end(), more.begin(), more.end());
  }
  const Activation x = card.put(logits);
  for (int i = 0; i < 12; ++i) {
    const auto count = static_cast<std::int32_t>(random_int(1, 8));
    std::vector<OwnedRow> owned;
    std::vector<SampleRow> rows;
    for (std::int32_t r = 0; r < count; ++r) owned.push_back(random_row(n));
    for (std::int32_t r = 0; r < count; ++r) {
      rows.push_back(owned[static_cast<std::size_t>(r)].get(7 - r));
    }
    std::vector<Sampled> got(rows.size());
    EXPECT_EQ(card.run(x, rows, got, 8, true), 1);
    expect_reference(got, logits, n, rows);
  }
}

TEST_F(CudaSamplingTest, RoundsOverlap) {
  const std::int32_t n = 2000;
  CardSampler card({.vocabulary = n, .rows = 4, .step_rows = 4});
  const Values logits = random_floats(4 * n, 2.0F);
  const Activation x = card.put(logits);
  std::vector<std::vector<SampleRow>> asked;
  std::vector<Sampler::Round> rounds;
  const auto take_oldest = [&] {
    std::vector<Sampled> got(4);
    const std::size_t oldest = asked.size() - rounds.size();
    card.sampler->finish(rounds.front(), got);
    EXPECT_TRUE(card.sampler->ready(rounds.front()));
    rounds.erase(rounds.begin());
    expect_reference(got, logits, n, asked[oldest]);
  };
  for (int i = 0; i < 20; ++i) {
    asked.emplace_back();
    for (std::int32_t r = 0; r < 4; ++r) {
      asked.back().push_back(
          {.row = r, .uniform = std::uniform_real_distribution<double>()(random_)});
    }
    ASSERT_EQ(card.sampler->plan(asked.back()), 4);
    card.sampler->upload();
    card.sampler->launch(x);
    rounds.push_back(card.sampler->mark());
    if (rounds.size() == Sampler::kRounds - 1) take_oldest();
  }
  while (!rounds.empty()) take_oldest();
}

TEST_F(CudaSamplingTest, ThousandsOfRowsDrawWhatTheReferenceDraws) {
  const std::int32_t n = 600;
  CardSampler card({.vocabulary = n, .rows = 1024, .step_rows = 1024});
  std::uniform_real_distribution<double> uniform;
  for (int i = 0; i < 10; ++i) {
    const Values logits = random_floats(n, 2.0F);
    std::vector<SampleRow> asked;
    for (int j = 0; j < 80; ++j) {
      asked.push_back({.temperature = 0.9F, .uniform = uniform(random_)});
      asked.push_back({.top_p = 0.95F, .top_k = 40, .uniform = uniform(random_)});
      asked.push_back(
          {.temperature = 1.1F, .top_p = 0.9F, .min_p = 0.01F, .uniform = uniform(random_)});
    }
    expect_reference(on_card(card, logits, asked), logits, n, asked);
  }
}

}  // namespace
}  // namespace hangar::cuda
