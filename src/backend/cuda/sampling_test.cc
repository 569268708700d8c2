// Sampling on the card against the reference.
#include "backend/cuda/sampling.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "backend/cuda/testing.h"
#include "backend/ref/ops.h"

namespace hangar::cuda {
namespace {

using Values = std::vector<float>;

// A SampleRow with what it looks at.
struct OwnedRow {
  SampleRow row;
  std::vector<std::pair<std::int32_t, float>> bias;
  std::vector<std::int32_t> seen;
  std::vector<TokenCount> counts;
  std::vector<std::int32_t> banned;

  SampleRow get(std::int32_t logits_row) const {
    SampleRow result = row;
    result.row = logits_row;
    result.bias = bias;
    result.seen = seen;
    result.counts = counts;
    result.banned = banned;
    return result;
  }
};

// A sampler on a part of the card that is its own.
struct CardSampler {
  explicit CardSampler(const SamplerLimits& wanted) : limits(wanted) {
    DeviceOptions options;
    options.memory_bytes = Sampler::device_bytes(limits) + (1U << 20U);
    auto opened = Device::open(options);
    if (!opened) throw std::runtime_error(opened.error().message);
    device = std::move(*opened);
    auto made = Sampler::make(*device, limits);
    if (!made) throw std::runtime_error(made.error().message);
    sampler = std::move(*made);
  }
  ~CardSampler() {
    if (logits != nullptr) (void)cudaFree(logits);
  }
  CardSampler(const CardSampler&) = delete;
  CardSampler& operator=(const CardSampler&) = delete;

  // Rows of the vocabulary, `gap` elements apart.
  Activation put(const Values& values, std::int64_t gap = 0) {
    const std::int64_t columns = limits.vocabulary;
    const std::int64_t rows = std::ssize(values) / columns;
    const std::int64_t stride = columns + gap;
    if (logits != nullptr) HANGAR_CUDA(cudaFree(logits));
    HANGAR_CUDA(cudaMalloc(&logits, static_cast<std::size_t>(rows * stride) * sizeof(float)));
    HANGAR_CUDA(cudaMemcpy2D(logits, static_cast<std::size_t>(stride) * sizeof(float),
                             values.data(), static_cast<std::size_t>(columns) * sizeof(float),
                             static_cast<std::size_t>(columns) * sizeof(float),
                             static_cast<std::size_t>(rows), cudaMemcpyHostToDevice));
    // From pageable memory: it may still be underway, and the sampler's stream does not wait for
    // it.
    HANGAR_CUDA(cudaDeviceSynchronize());
    return {logits, rows, columns, DType::kF32, stride};
  }
  static Values get(const Activation& x) {
    Values values(static_cast<std::size_t>(x.rows * x.columns));
    HANGAR_CUDA(cudaMemcpy2D(values.data(), static_cast<std::size_t>(x.columns) * sizeof(float),
                             x.data, static_cast<std::size_t>(x.row_stride()) * sizeof(float),
                             static_cast<std::size_t>(x.columns) * sizeof(float),
                             static_cast<std::size_t>(x.rows), cudaMemcpyDeviceToHost));
    return values;
  }

  // Gives the number of rounds.
  int run(const Activation& x, std::span<const SampleRow> rows, std::span<Sampled> out,
          std::int32_t padded_rows = 0, bool general = false) {
    int rounds = 0;
    for (std::size_t first = 0; first < rows.size(); ++rounds) {
      const auto taken = static_cast<std::size_t>(sampler->plan(rows, first, padded_rows));
      sampler->upload();
      sampler->launch(x, sampler->padded_rows(), sampler->greedy() && !general);
      sampler->finish(sampler->read_back(), out.subspan(first, taken));
      first += taken;
    }
    return rounds;
  }

  SamplerLimits limits;
  std::unique_ptr<Device> device;
  std::unique_ptr<Sampler> sampler;
  void* logits = nullptr;
};

class CudaSamplingTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!card_present()) GTEST_SKIP() << "no CUDA card here";
  }

  bool coin() { return random_int(0, 1) == 0; }
  std::int64_t random_int(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  Values random_floats(std::int64_t n, float deviation = 1.0F) {
    std::normal_distribution<float> normal(0.0F, deviation);
    Values values(static_cast<std::size_t>(n));
    for (float& value : values) value = normal(random_);
    return values;
  }
  float& at_random(Values& values) {
    return values[static_cast<std::size_t>(random_int(0, std::ssize(values) - 1))];
  }
  // Logits of several kinds: like a model's, flat, with many ties, with numbers that are none.
  Values random_logits(std::int64_t n) {
    Values logits = random_floats(n, coin() ? 3.0F : 0.3F);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const float odd[] = {std::nanf(""), -std::nanf(""), kInfinity, -kInfinity, -3e38F};
    switch (random_int(0, 4)) {
      case 0:  // a few far ahead
        for (int i = 0; i < 12; ++i) at_random(logits) += 12.0F;
        break;
      case 1:
        for (float& x : logits) x = std::round(x * 2) / 2;
        break;
      case 2:
        for (int i = 0; i < 9; ++i) at_random(logits) = odd[random_int(0, 4)];
        break;
      default:
        break;
    }
    return logits;
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
    if (random_int(0, 2) == 0) add_lists(n, owned);
    return owned;
  }
  void add_lists(std::int64_t n, OwnedRow& owned) {
    const auto token = [&] { return static_cast<std::int32_t>(random_int(-2, n + 2)); };
    owned.row.repetition_penalty = coin() ? 1.3F : 1.0F;
    owned.row.presence_penalty = coin() ? 0.7F : 0.0F;
    owned.row.frequency_penalty = coin() ? -0.2F : 0.0F;
    for (int i = 0; i < 20; ++i) {
      owned.bias.emplace_back(token(), random_floats(1, 3.0F)[0]);
      owned.seen.push_back(token());
      owned.counts.push_back({token(), static_cast<std::int32_t>(random_int(1, 5))});
      owned.banned.push_back(token());
    }
    std::ranges::sort(owned.seen);
    owned.seen.erase(std::unique(owned.seen.begin(), owned.seen.end()), owned.seen.end());
  }

  static Activation host(Values& logits, std::int64_t columns) {
    return {logits.data(), std::ssize(logits) / columns, columns, DType::kF32};
  }
  static std::vector<Sampled> reference(Values logits, std::int64_t columns,
                                        const std::vector<SampleRow>& rows) {
    std::vector<Sampled> out(rows.size());
    ref::sample(host(logits, columns), rows, out);
    return out;
  }
  std::vector<Sampled> on_card(CardSampler& card, const Values& logits,
                               const std::vector<SampleRow>& rows, std::int64_t gap = 0) {
    const Activation x = card.put(logits, gap);
    std::vector<Sampled> out(rows.size());
    card.run(x, rows, out);
    const Values after = CardSampler::get(x);
    EXPECT_TRUE(std::ranges::equal(logits, after, [](float a, float b) {
      return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
    })) << "the logits are not what they were";
    return out;
  }

  // The token is one that the reference takes too, if the draw or the cut moves by some 1e-6.
  static bool near_tie(const Values& logits, std::int64_t columns, const SampleRow& row,
                       std::int32_t token) {
    for (const double moved : {-2e-6, 0.0, 2e-6}) {
      for (const float cut : {-2e-6F, 0.0F, 2e-6F}) {
        SampleRow other = row;
        other.uniform = std::clamp(row.uniform + moved, 0.0, 1.0 - 0x1p-53);
        if (row.top_p < 1.0F) other.top_p = std::clamp(row.top_p + cut, 1e-9F, 1.0F);
        other.logprobs = -1;
        if (reference(logits, columns, {other})[0].token == token) return true;
      }
    }
    return false;
  }
  static void expect_near_logprob(float got, float want) {
    if (std::isfinite(want)) {
      EXPECT_NEAR(got, want, 1e-4F);
    } else {
      EXPECT_EQ(got, want);
    }
  }
  // All is what the reference gives; `near_ties` counts draws that went to a neighbour.
  void expect_reference(const std::vector<Sampled>& got, const Values& logits, std::int64_t columns,
                        const std::vector<SampleRow>& rows) {
    const std::vector<Sampled> want = reference(logits, columns, rows);
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ++rows_;
      if (got[i].token != want[i].token) {
        ++near_ties_;
        ASSERT_TRUE(near_tie(logits, columns, rows[i], got[i].token))
            << "row " << i << " of " << columns << ": " << got[i].token << ", not " << want[i].token
            << "; T " << rows[i].temperature << " k " << rows[i].top_k << " p " << rows[i].top_p
            << " min_p " << rows[i].min_p << " u " << rows[i].uniform;
      } else {
        expect_near_logprob(got[i].logprob, want[i].logprob);
      }
      EXPECT_EQ(got[i].has_logprob, want[i].has_logprob);
      ASSERT_EQ(got[i].top.size(), want[i].top.size());
      for (std::size_t t = 0; t < got[i].top.size(); ++t) {
        EXPECT_EQ(got[i].top[t].token, want[i].top[t].token) << t << " of " << columns;
        expect_near_logprob(got[i].top[t].logprob, want[i].top[t].logprob);
      }
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
  void TearDown() override { EXPECT_LE(near_ties_, 1 + rows_ / 200) << "of " << rows_; }

  std::mt19937 random_{20240229};
  int rows_ = 0;
  int near_ties_ = 0;
};

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

TEST_F(CudaSamplingTest, ARecordedLaunchFollowsThePlan) {
  const std::int32_t n = 7000;
  CardSampler card({.vocabulary = n, .rows = 16, .step_rows = 16});
  Values logits;
  for (int r = 0; r < 8; ++r) {
    const Values more = random_logits(n);
    logits.insert(logits.end(), more.begin(), more.end());
  }
  const Activation x = card.put(logits);
  const cudaStream_t stream = card.device->stream();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t recorded = nullptr;
  HANGAR_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  card.sampler->launch(x, 8, false);
  HANGAR_CUDA(cudaStreamEndCapture(stream, &graph));
  HANGAR_CUDA(cudaGraphInstantiate(&recorded, graph, 0));
  for (int i = 0; i < 12; ++i) {
    const auto count = static_cast<std::int32_t>(random_int(1, 8));
    std::vector<OwnedRow> owned;
    std::vector<SampleRow> rows;
    for (std::int32_t r = 0; r < count; ++r) owned.push_back(random_row(n));
    for (std::int32_t r = 0; r < count; ++r) {
      rows.push_back(owned[static_cast<std::size_t>(r)].get(7 - r));
    }
    ASSERT_EQ(card.sampler->plan(rows, 0, 8), count);
    card.sampler->upload();
    HANGAR_CUDA(cudaGraphLaunch(recorded, stream));
    std::vector<Sampled> got(rows.size());
    card.sampler->finish(card.sampler->read_back(), got);
    expect_reference(got, logits, n, rows);
  }
  HANGAR_CUDA(cudaGraphExecDestroy(recorded));
  HANGAR_CUDA(cudaGraphDestroy(graph));
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
    rounds.push_back(card.sampler->read_back());
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
