// Sampling on the card against the reference.
#include "backend/cuda/sampling.h"

#include <limits>

#include "backend/cuda/sampling_test_support.h"

namespace hangar::cuda {
namespace {

TEST_F(CudaSamplingTest, EqualsTheReferenceForAllParameters) {
  // Around the sizes of blocks and chunks; rows at every distance.
  for (const std::int32_t n : {1, 3, 17, 63, 64, 65, 1000, 4095, 4096, 4097, 12321}) {
    CardSampler card({.vocabulary = n, .rows = 8, .step_rows = 8});
    for (int i = 0; i < 8; ++i) {
      Values logits;
      std::vector<OwnedRow> owned;
      std::vector<SampleRow> rows;
      for (int r = 0; r < 3; ++r) {
        const Values more = random_logits(n);
        logits.insert(logits.end(), more.begin(), more.end());
        owned.push_back(random_row(n));
      }
      for (std::int32_t r = 0; r < 3; ++r)
        rows.push_back(owned[static_cast<std::size_t>(r)].get(r));
      const std::vector<Sampled> got = on_card(card, logits, rows, random_int(0, 5));
      expect_reference(got, logits, n, rows);
    }
  }
}

TEST_F(CudaSamplingTest, CutsKeepTheSameTokensAsTheReference) {
  // Every token of a small row is drawn by some uniform, if it is kept.
  const std::int32_t n = 150;
  CardSampler card({.vocabulary = n, .rows = 512, .step_rows = 512});
  for (int i = 0; i < 10; ++i) {
    Values logits = random_floats(n, 1.0F);
    if (coin()) {
      for (float& x : logits) x = std::round(x * 4) / 4;
    }
    SampleRow row = random_row(n).row;
    row.forced = -1;
    row.logprobs = -1;
    row.temperature = 1.0F;
    std::vector<SampleRow> rows(500, row);
    for (std::size_t j = 0; j < rows.size(); ++j) {
      rows[j].uniform = (static_cast<double>(j) + 0.5) / static_cast<double>(rows.size());
    }
    expect_reference(on_card(card, logits, rows), logits, n, rows);
  }
}

TEST_F(CudaSamplingTest, FrontsOfManyTokens) {
  // More than can be sorted, and more equal ones than that; of the larger vocabulary so many that
  // they are counted before they are looked for.
  for (const auto& [n, grain] : {std::pair{30'000, 0.0F},
                                 {30'000, 4.0F},
                                 {40'000, 0.0F},
                                 {40'000, 0.25F},
                                 {40'000, 100.0F}}) {
    CardSampler card({.vocabulary = n, .rows = 32, .step_rows = 32});
    Values logits = random_floats(n, 1.0F);
    if (grain > 0.0F) {
      for (float& x : logits) x = std::round(x / grain) * grain;
    }
    std::vector<SampleRow> rows;
    for (const double uniform : {0.0, 0.31, 0.99999}) {
      rows.push_back({.top_p = 0.95F, .uniform = uniform});
      rows.push_back({.top_p = 0.1F, .uniform = uniform});
      rows.push_back({.temperature = 0.5F, .top_k = 9000, .uniform = uniform});
      rows.push_back({.top_k = 2000, .uniform = uniform});
      rows.push_back({.top_p = 0.7F, .top_k = 7001, .uniform = uniform});
      rows.push_back({.top_p = 0.9F, .top_k = 25'000, .min_p = 0.05F, .uniform = uniform});
      rows.push_back({.min_p = 0.02F, .uniform = uniform});
      rows.push_back({.logprobs = 700, .temperature = 2.0F, .uniform = uniform});
    }
    expect_reference(on_card(card, logits, rows), logits, n, rows);
  }
}

TEST_F(CudaSamplingTest, NothingToPickFrom) {
  const float nan = std::nanf("");
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::int32_t n : {1, 20, 5000}) {
    CardSampler card({.vocabulary = n, .rows = 8, .step_rows = 8});
    Values logits(static_cast<std::size_t>(n), nan);
    logits.back() = -infinity;
    logits.front() = infinity;
    const std::vector<SampleRow> rows = {{.temperature = 0.0F},
                                         {.temperature = 1.0F, .uniform = 0.99},
                                         {.top_p = 0.5F},
                                         {.logprobs = 2, .top_k = 5}};
    for (const Sampled& out : on_card(card, logits, rows)) EXPECT_EQ(out.token, 0);
    const Sampled scored = on_card(card, logits, rows).back();
    EXPECT_EQ(scored.logprob, -infinity);
    ASSERT_EQ(std::ssize(scored.top), std::min(n, 2));
    EXPECT_EQ(scored.top[0].token, 0);
    const std::vector<SampleRow> greedy = {{.temperature = 0.0F}};
    EXPECT_EQ(on_card(card, logits, greedy)[0].token, 0);
    // A single one.
    logits[static_cast<std::size_t>(n / 2)] = -7.0F;
    for (const Sampled& out : on_card(card, logits, rows)) EXPECT_EQ(out.token, n / 2);
    EXPECT_EQ(on_card(card, logits, greedy)[0].token, n / 2);
    expect_reference(on_card(card, logits, rows), logits, n, rows);
  }
}

TEST_F(CudaSamplingTest, ExtremesOfTheParameters) {
  const std::int32_t n = 500;
  CardSampler card({.vocabulary = n, .rows = 256, .step_rows = 256});
  const Values logits = random_floats(n, 2.0F);
  std::vector<SampleRow> rows;
  for (const float temperature :
       {1e-45F, 1e-30F, 1e-3F, 100.0F, 3e38F, std::numeric_limits<float>::infinity()}) {
    for (const double uniform : {0.0, 0.5, 1.0 - 0x1p-53}) {
      for (const float top_p : {1e-9F, 0.9999999F, 1.0F}) {
        rows.push_back({.temperature = temperature, .top_p = top_p, .uniform = uniform});
        rows.push_back({.temperature = temperature, .min_p = 1.0F, .uniform = uniform});
        rows.push_back(
            {.temperature = temperature, .top_p = top_p, .top_k = 499, .uniform = uniform});
      }
    }
  }
  expect_reference(on_card(card, logits, rows), logits, n, rows);
  near_ties_ = 0;  // draws at the very end of [0, 1) are near-ties by themselves
}

TEST_F(CudaSamplingTest, GreedyTakesTheLowestOfEqualsOnBothWays) {
  const std::int32_t n = 9001;
  CardSampler card({.vocabulary = n, .rows = 64, .step_rows = 64});
  Values logits;
  std::vector<SampleRow> rows;
  for (std::int32_t r = 0; r < 40; ++r) {
    Values more = random_logits(n);
    for (float& x : more) x = std::round(x);
    logits.insert(logits.end(), more.begin(), more.end());
    rows.push_back({.row = r, .temperature = 0.0F});
    if (r % 5 == 0) rows.back().forced = r;
  }
  const Activation x = card.put(logits, 3);
  std::vector<Sampled> fast(rows.size());
  std::vector<Sampled> general(rows.size());
  card.run(x, rows, fast);
  EXPECT_TRUE(card.sampler->greedy());
  card.run(x, rows, general, 0, true);
  expect_reference(fast, logits, n, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) expect_identical(general[i], fast[i]);
}

TEST_F(CudaSamplingTest, AFullVocabulary) {
  const std::int32_t n = 262'208;
  CardSampler card({.vocabulary = n, .rows = 16, .step_rows = 16});
  const Values logits = random_floats(n, 3.0F);
  std::vector<SampleRow> rows;
  for (const double uniform : {0.2, 0.8}) {
    rows.push_back({.uniform = uniform});
    rows.push_back({.top_p = 0.95F, .uniform = uniform});
    rows.push_back({.logprobs = 20, .top_p = 0.9F, .top_k = 64, .uniform = uniform});
    rows.push_back({.min_p = 0.1F, .uniform = uniform});
  }
  rows.push_back({.temperature = 0.0F});
  expect_reference(on_card(card, logits, rows), logits, n, rows);
}

// The backend hands its rows to the sampler.
class CudaSampleTest : public CudaOpsTest {};

TEST_P(CudaSampleTest, ThroughTheBackend) {
  const std::int32_t n = 1500;
  const std::vector<float> logits = random_floats(6 * n, 2.0F);
  const std::vector<std::int32_t> banned = {3, 4};
  std::vector<SampleRow> rows;
  for (std::int32_t r = 0; r < 6; ++r) {
    rows.push_back(
        {.row = 5 - r, .temperature = r % 2 == 0 ? 0.0F : 0.8F, .uniform = 0.3 + 0.1 * r});
    if (r > 2) rows.back().top_p = 0.9F;
    if (r > 3) rows.back().logprobs = 4;
    if (r == 2) rows.back().banned = banned;
  }
  const auto run = [&](Backend& backend) {
    std::vector<Sampled> out(rows.size());
    backend.sample(make(backend, 6, n, logits, ActivationPrecision::kFull), rows, out);
    return out;
  };
  const std::vector<Sampled> got = run(*cuda_);
  const std::vector<Sampled> want = run(*ref_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(got[i].token, want[i].token);
    ASSERT_EQ(got[i].top.size(), want[i].top.size());
    EXPECT_NEAR(got[i].logprob, want[i].logprob, 1e-4F);
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, CudaSampleTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
