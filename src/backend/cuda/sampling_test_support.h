// What the tests of sampling on the card share: random rows, a sampler of its own, the reference.
//
// Promise: expect_reference() holds results to the reference's, draws at the border of two tokens
//   excepted, of which a test may have one in 200. Tests are skipped where there is no card.
// Threads: one.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "backend/cuda/sampling.h"
#include "backend/cuda/testing.h"
#include "backend/ref/ops.h"
#include "backend/testing/owned_row.h"

namespace hangar::cuda {

using Values = std::vector<float>;

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
      sampler->finish(sampler->mark(), out.subspan(first, taken));
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

}  // namespace hangar::cuda
