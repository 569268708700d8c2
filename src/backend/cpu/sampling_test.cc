#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "backend/cpu/ops_test_support.h"
#include "backend/cpu/token_cut.h"
#include "backend/testing/owned_row.h"

namespace hangar::cpu {
namespace {

class CpuSamplingTest : public CpuOpsTest {
 protected:
  bool coin() { return random_int(0, 1) == 0; }

  // Logits of several kinds: like a model's, flat, with many ties, with numbers that are none.
  std::vector<float> random_logits(std::int64_t n) {
    std::vector<float> logits = random_floats(n, coin() ? 3.0F : 0.3F);
    switch (random_int(0, 4)) {
      case 0:  // a few far ahead
        for (int i = 0; i < 12; ++i) at_random(logits) += 12.0F;
        break;
      case 1:
        for (float& x : logits) x = std::round(x * 2) / 2;
        break;
      case 2:
        for (int i = 0; i < 9; ++i) at_random(logits) = odd_number();
        break;
      default:
        break;
    }
    return logits;
  }
  float& at_random(std::vector<float>& values) {
    return values[static_cast<std::size_t>(random_int(0, std::ssize(values) - 1))];
  }
  float odd_number() {
    const float odd[] = {std::nanf(""), -std::nanf(""), std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity(), -3e38F};
    return odd[random_int(0, 4)];
  }

  OwnedRow random_row(std::int64_t n) {
    OwnedRow owned;
    SampleRow& row = owned.row;
    const float temperatures[] = {0.0F, 0.25F, 0.7F, 1.0F, 1.0F, 3.0F};
    row.temperature = temperatures[random_int(0, 5)];
    if (coin()) row.top_p = std::uniform_real_distribution<float>(0.02F, 1.0F)(random_);
    if (coin()) row.top_k = static_cast<std::int32_t>(random_int(1, coin() ? 60 : 2 * n));
    if (random_int(0, 2) == 0) row.min_p = std::uniform_real_distribution<float>()(random_);
    row.uniform = std::uniform_real_distribution<double>()(random_);
    if (random_int(0, 2) == 0) row.logprobs = static_cast<std::int32_t>(random_int(0, 30));
    if (random_int(0, 9) == 0) row.forced = static_cast<std::int32_t>(random_int(0, n - 1));
    const auto token = [&] { return static_cast<std::int32_t>(random_int(-2, n + 2)); };
    if (random_int(0, 2) != 0) return owned;
    row.repetition_penalty = coin() ? 1.3F : 1.0F;
    row.presence_penalty = coin() ? 0.7F : 0.0F;
    row.frequency_penalty = coin() ? -0.2F : 0.0F;
    for (int i = 0; i < 20; ++i) {
      owned.bias.emplace_back(token(), random_floats(1, 3.0F)[0]);
      owned.seen.push_back(token());
      owned.counts.push_back({token(), static_cast<std::int32_t>(random_int(1, 5))});
      owned.banned.push_back(token());
    }
    std::ranges::sort(owned.seen);
    owned.seen.erase(std::unique(owned.seen.begin(), owned.seen.end()), owned.seen.end());
    return owned;
  }

  static std::vector<Sampled> sample(Backend& backend, std::int64_t columns,
                                     std::vector<float> logits,
                                     const std::vector<SampleRow>& rows) {
    const Activation x{logits.data(), std::ssize(logits) / columns, columns, DType::kF32};
    std::vector<Sampled> out(rows.size());
    backend.sample(x, rows, out);
    return out;
  }

  static void expect_near_logprob(float got, float want) {
    if (std::isfinite(want)) {
      EXPECT_NEAR(got, want, 1e-4F);
    } else {
      EXPECT_EQ(got, want);
    }
  }
  static void expect_same_scores(const Sampled& got, const Sampled& want) {
    EXPECT_EQ(got.has_logprob, want.has_logprob);
    if (got.token == want.token) expect_near_logprob(got.logprob, want.logprob);
    ASSERT_EQ(got.top.size(), want.top.size());
    for (std::size_t i = 0; i < got.top.size(); ++i) {
      EXPECT_EQ(got.top[i].token, want.top[i].token);
      expect_near_logprob(got.top[i].logprob, want.top[i].logprob);
    }
  }
  static void expect_identical(const Sampled& got, const Sampled& want) {
    EXPECT_EQ(got.token, want.token);
    EXPECT_EQ(got.has_logprob, want.has_logprob);
    EXPECT_EQ(got.logprob, want.logprob);
    ASSERT_EQ(got.top.size(), want.top.size());
    for (std::size_t i = 0; i < got.top.size(); ++i) {
      EXPECT_EQ(got.top[i].token, want.top[i].token);
      EXPECT_EQ(got.top[i].logprob, want.top[i].logprob);
    }
  }
};

TEST_P(CpuSamplingTest, EqualsTheReferenceForAllParameters) {
  // A token may differ where a draw or a cut lies within rounding: in none of these.
  int rows = 0;
  int different = 0;
  for (const std::int64_t n : {1, 3, 17, 255, 256, 257, 1000, 3001}) {
    for (int i = 0; i < 15; ++i) {
      const std::vector<float> logits = random_logits(n);
      std::vector<OwnedRow> owned;
      std::vector<SampleRow> asked;
      for (int j = 0; j < 3; ++j) owned.push_back(random_row(n));
      for (const OwnedRow& row : owned) asked.push_back(row.get(0));
      const auto got = sample(*cpu_, n, logits, asked);
      const auto want = sample(*ref_, n, logits, asked);
      for (std::size_t j = 0; j < asked.size(); ++j) {
        ++rows;
        different += got[j].token != want[j].token ? 1 : 0;
        expect_same_scores(got[j], want[j]);
      }
    }
  }
  EXPECT_EQ(different, 0) << "of " << rows;
}

TEST_P(CpuSamplingTest, CutsKeepTheSameTokensAsTheReference) {
  // Every token of a small row is drawn by some uniform, if it is kept.
  const std::int64_t n = 150;
  for (int i = 0; i < 12; ++i) {
    std::vector<float> logits = random_floats(n, 1.0F);
    if (coin()) {
      for (float& x : logits) x = std::round(x * 4) / 4;
    }
    OwnedRow owned = random_row(n);
    owned.row.forced = -1;
    owned.row.logprobs = -1;
    owned.row.temperature = 1.0F;
    std::vector<SampleRow> rows(500, owned.get(0));
    for (std::size_t j = 0; j < rows.size(); ++j) {
      rows[j].uniform = (static_cast<double>(j) + 0.5) / static_cast<double>(rows.size());
    }
    const auto tokens = [&](Backend& backend) {
      std::vector<std::int32_t> all;
      for (const Sampled& s : sample(backend, n, logits, rows)) all.push_back(s.token);
      return all;
    };
    EXPECT_EQ(tokens(*cpu_), tokens(*ref_));
  }
}

TEST_P(CpuSamplingTest, ARowDoesNotDependOnItsNeighboursOrThreads) {
  const std::int64_t n = 700;
  const std::int32_t count = 40;
  std::vector<float> logits;
  std::vector<OwnedRow> owned;
  std::vector<SampleRow> rows;
  for (std::int32_t i = 0; i < count; ++i) {
    const std::vector<float> more = random_logits(n);
    logits.insert(logits.end(), more.begin(), more.end());
    owned.push_back(random_row(n));
    owned.push_back(random_row(n));
  }
  // Each row of logits twice, in no order.
  for (std::size_t i = 0; i < owned.size(); ++i) {
    rows.push_back(owned[i].get(static_cast<std::int32_t>(i % count)));
  }
  std::ranges::shuffle(rows, random_);
  const auto together = sample(*cpu_, n, logits, rows);
  const auto other_team = make_backend("cpu", 2).value();
  const auto elsewhere = sample(*other_team, n, logits, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SampleRow alone = rows[i];
    alone.row = 0;
    const auto begin = logits.begin() + rows[i].row * n;
    expect_identical(sample(*cpu_, n, {begin, begin + n}, {alone})[0], together[i]);
    expect_identical(elsewhere[i], together[i]);
  }
}

TEST_P(CpuSamplingTest, NothingToPickFrom) {
  const float nan = std::nanf("");
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::int64_t n : {1, 20, 600}) {
    std::vector<float> logits(static_cast<std::size_t>(n), nan);
    logits.back() = -infinity;
    logits.front() = infinity;
    std::vector<SampleRow> rows = {{.temperature = 0.0F},
                                   {.temperature = 1.0F, .uniform = 0.99},
                                   {.top_p = 0.5F},
                                   {.logprobs = 2, .top_k = 5}};
    for (const Sampled& out : sample(*cpu_, n, logits, rows)) EXPECT_EQ(out.token, 0);
    const auto scored = sample(*cpu_, n, logits, rows).back();
    EXPECT_EQ(scored.logprob, -infinity);
    EXPECT_EQ(std::ssize(scored.top), std::min<std::int64_t>(n, 2));
    // A single one.
    logits[static_cast<std::size_t>(n / 2)] = -7.0F;
    for (const Sampled& out : sample(*cpu_, n, logits, rows)) EXPECT_EQ(out.token, n / 2);
  }
}

TEST_P(CpuSamplingTest, NoRowsAskNothing) {
  std::vector<float> logits = {1.0F, 2.0F};
  cpu_->sample({logits.data(), 1, 2, DType::kF32}, {}, {});
  expect_same_bits(logits, std::vector<float>{1.0F, 2.0F});
}

TEST_P(CpuSamplingTest, ExtremesOfTheParameters) {
  const std::int64_t n = 500;
  const std::vector<float> logits = random_floats(n, 2.0F);
  std::vector<SampleRow> rows;
  for (const float temperature : {1e-45F, 1e-30F, 1e-3F, 100.0F, 3e38F}) {
    for (const double uniform : {0.0, 0.5, 1.0 - 0x1p-53}) {
      for (const float top_p : {1e-9F, 0.9999999F, 1.0F}) {
        rows.push_back({.temperature = temperature, .top_p = top_p, .uniform = uniform});
        rows.push_back({.temperature = temperature, .min_p = 1.0F, .uniform = uniform});
        rows.push_back(
            {.temperature = temperature, .top_p = top_p, .top_k = 499, .uniform = uniform});
      }
    }
  }
  const auto got = sample(*cpu_, n, logits, rows);
  const auto want = sample(*ref_, n, logits, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(got[i].token, want[i].token)
        << "T " << rows[i].temperature << " p " << rows[i].top_p << " u " << rows[i].uniform;
  }
}

TEST_P(CpuSamplingTest, LogitsAreAsTheyWere) {
  const std::int64_t n = 400;
  std::vector<float> logits = random_floats(n);
  const std::vector<float> before = logits;
  OwnedRow owned = random_row(n);
  owned.bias = {{3, 1.0F}, {3, 2.0F}, {399, -1.0F}};
  owned.seen = {3, 5};
  owned.row.repetition_penalty = 1.7F;
  owned.counts = {{3, 2}};
  owned.row.presence_penalty = 1.0F;
  owned.banned = {3, 399};
  const std::vector<SampleRow> rows = {owned.get(0)};
  std::vector<Sampled> out(1);
  cpu_->sample({logits.data(), 1, n, DType::kF32}, rows, out);
  expect_same_bits(logits, before);
}

TEST_P(CpuSamplingTest, FindCutIsWhatSortingFinds) {
  for (int i = 0; i < 100; ++i) {
    const std::int64_t n = random_int(1, 1000);
    std::vector<float> values = random_floats(n, 4.0F);
    if (coin()) {
      for (float& x : values) x = std::round(x);
    }
    std::vector<float> weights;  // sums of these are exact
    for (const float x : values) weights.push_back(std::floor(std::exp2(std::min(x, 8.0F) + 12)));
    std::vector<float> sorted = values;
    std::ranges::sort(sorted, std::greater<float>());
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    const bool counted = coin();
    const double wanted = counted ? static_cast<double>(random_int(1, n))
                                  : total * std::uniform_real_distribution<double>()(random_);
    std::size_t front = 0;
    for (double sum = 0.0; front < sorted.size() && (front == 0 || sum < wanted); ++front) {
      const float x = sorted[front];
      sum += counted ? 1.0 : double{std::floor(std::exp2(std::min(x, 8.0F) + 12))};
    }
    const float threshold = sorted[front - 1];
    const auto above = std::ranges::count_if(sorted, [&](float x) { return x > threshold; });
    values.resize(values.size() + kTokenPadding);
    weights.resize(values.size());
    const TokenCut cut = find_cut(values.data(), counted ? nullptr : weights.data(), n, wanted);
    EXPECT_EQ(cut.threshold, threshold);
    EXPECT_EQ(cut.ties, static_cast<std::int64_t>(front) - above);
  }
}

HANGAR_INSTANTIATE_CPU_OPS(CpuSamplingTest);

// On the best instruction set alone: the reference takes its time. One draw in some 100,000 falls
// within rounding of a border; none of these does.
TEST(CpuSamplingManyTest, ThousandsOfRowsDrawWhatTheReferenceDraws) {
  const auto cpu = make_backend("cpu", 2).value();
  const auto ref = make_backend("ref", 1).value();
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0.0F, 2.0F);
  std::uniform_real_distribution<double> uniform;
  const std::int64_t n = 600;
  int different = 0;
  int rows = 0;
  for (int i = 0; i < 20; ++i) {
    std::vector<float> logits(static_cast<std::size_t>(n));
    for (float& x : logits) x = normal(random);
    const Activation x{logits.data(), 1, n, DType::kF32};
    std::vector<SampleRow> asked;
    for (int j = 0; j < 40; ++j) {
      asked.push_back({.temperature = 0.9F, .uniform = uniform(random)});
      asked.push_back({.top_p = 0.95F, .top_k = 40, .uniform = uniform(random)});
      asked.push_back(
          {.temperature = 1.1F, .top_p = 0.9F, .min_p = 0.01F, .uniform = uniform(random)});
    }
    std::vector<Sampled> got(asked.size());
    std::vector<Sampled> want(asked.size());
    cpu->sample(x, asked, got);
    ref->sample(x, asked, want);
    for (std::size_t j = 0; j < asked.size(); ++j) {
      ++rows;
      different += got[j].token != want[j].token ? 1 : 0;
    }
  }
  EXPECT_EQ(different, 0) << "of " << rows;
}

}  // namespace
}  // namespace hangar::cpu
