// The default model against the reference (transformers in float32), on each backend.
//
// backend/ref computes plainly and slowly, so it answers for the prompts of up to kRefPromptTokens
// and writes one continuation; backend/cpu answers for everything. All continuations are computed
// in one ragged batch, a row a sequence, over KV blocks dealt out in a scattered order.
//
// A continuation is fed the reference's own tokens: step for step it must choose what the reference
// chose, unless the reference's two best were closer than our measured error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backend/registry.h"
#include "formats/checkpoint.h"
#include "golden/golden_data.h"
#include "golden/sequence_model.h"

namespace hangar::golden {
namespace {

constexpr std::size_t kRefPromptTokens = 40;

struct Measured {
  std::vector<double> kl_means;  // a prompt each
  double kl_mean = 0.0;          // over prompts
  double kl_max = 0.0;           // over positions
  double llama_cpp_kl_mean = 0.0;
  float gap_error = 0.0F;  // the largest
};

// With room for one continuation of each prompt.
std::unique_ptr<SequenceModel> open_model(const std::string& backend,
                                          const std::vector<Prompt>& prompts) {
  std::vector<std::int32_t> tokens;
  for (const Prompt& prompt : prompts) {
    tokens.push_back(static_cast<std::int32_t>(prompt.ids.size() + prompt.greedy_ids.size()));
  }
  auto checkpoint = open_checkpoint(model_path());
  EXPECT_TRUE(checkpoint) << checkpoint.error().message;
  if (!checkpoint) return nullptr;
  SequenceModelOptions options{.backend = backend};
  // A card: its best. What fewer bits cost there is formats_test's.
  options.backend_options.quant.matrices = WeightQuant::kNone;
  auto model = SequenceModel::open(std::move(*checkpoint), options, tokens);
  EXPECT_TRUE(model) << model.error().message;
  return model ? std::move(*model) : nullptr;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double llama_cpp_kl_mean(const std::vector<Prompt>& prompts) {
  std::vector<double> means;
  for (const Prompt& prompt : prompts) means.push_back(prompt.llama_cpp_kl_mean);
  return mean(means);
}

// Computes each prompt; its last position's logits are appended to `last`.
Measured measure(SequenceModel& model, const std::vector<Prompt>& prompts,
                 std::vector<std::vector<float>>& last) {
  Measured measured;
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    const Prompt& prompt = prompts[p];
    SequenceModel::Part part{p, 0, prompt.ids, {}};
    for (const Position& position : prompt.positions) part.wanted.push_back(position.index);
    std::vector<std::vector<float>> rows = model.step({part});
    EXPECT_EQ(rows.size(), prompt.positions.size());
    double sum = 0.0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double kl = kl_divergence(prompt.positions[i], rows[i]);
      sum += kl;
      measured.kl_max = std::max(measured.kl_max, kl);
      measured.gap_error = std::max(measured.gap_error, gap_error(prompt.positions[i], rows[i]));
    }
    measured.kl_means.push_back(sum / static_cast<double>(rows.size()));
    last.push_back(std::move(rows.back()));
  }
  measured.kl_mean = mean(measured.kl_means);
  measured.llama_cpp_kl_mean = llama_cpp_kl_mean(prompts);
  return measured;
}

// The same on a slow backend: the prompts are dealt out to a few threads, each with a model of its
// own.
Measured measure_in_parallel(const std::string& backend, const std::vector<Prompt>& prompts) {
  const std::size_t threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4);
  std::vector<std::vector<Prompt>> shares(threads);
  for (std::size_t p = 0; p < prompts.size(); ++p) shares[p % threads].push_back(prompts[p]);
  std::vector<Measured> parts(threads);
  {
    std::vector<std::jthread> workers;
    for (std::size_t t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        const auto model = open_model(backend, shares[t]);
        std::vector<std::vector<float>> last;
        if (model != nullptr) parts[t] = measure(*model, shares[t], last);
      });
    }
  }
  Measured all;
  for (const Measured& part : parts) {
    all.kl_means.insert(all.kl_means.end(), part.kl_means.begin(), part.kl_means.end());
    all.kl_max = std::max(all.kl_max, part.kl_max);
    all.gap_error = std::max(all.gap_error, part.gap_error);
  }
  all.kl_mean = mean(all.kl_means);
  all.llama_cpp_kl_mean = llama_cpp_kl_mean(prompts);
  return all;
}

struct Greedy {
  int steps = 0;
  int differ = 0;                 // chose another token than the reference
  float widest_differing = 0.0F;  // the reference's largest gap among those
};

// Continues all prompts at once from the logits of their last positions.
Greedy continue_greedily(SequenceModel& model, const std::vector<Prompt>& prompts,
                         std::vector<std::vector<float>> logits) {
  Greedy greedy;
  for (std::size_t t = 0; t < prompts.front().greedy_ids.size(); ++t) {
    std::vector<SequenceModel::Part> parts;
    for (std::size_t p = 0; p < prompts.size(); ++p) {
      const Prompt& prompt = prompts[p];
      const auto best = std::max_element(logits[p].begin(), logits[p].end()) - logits[p].begin();
      ++greedy.steps;
      if (best != prompt.greedy_ids[t]) {
        ++greedy.differ;
        greedy.widest_differing = std::max(greedy.widest_differing, prompt.greedy_gaps[t]);
      }
      parts.push_back(
          {p, static_cast<std::int32_t>(prompt.ids.size() + t), {prompt.greedy_ids[t]}, {0}});
    }
    logits = model.step(parts);
  }
  return greedy;
}

class GoldenTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (model_path().empty()) {
      GTEST_SKIP() << "skipped: no default model (./dev model fetches it; or HANGAR_TEST_MODEL)";
    }
    prompts_ = read_golden();
    ASSERT_GE(prompts_.size(), 20U);
  }

  void keep(const auto& wanted) {
    std::erase_if(prompts_, [&](const Prompt& prompt) { return !wanted(prompt); });
  }

  void report(const Measured& measured) {
    RecordProperty("kl_mean", std::to_string(measured.kl_mean));
    RecordProperty("kl_max", std::to_string(measured.kl_max));
    std::cout << prompts_.size() << " prompts: KL mean " << measured.kl_mean
              << ", max of a position " << measured.kl_max << ", llama.cpp's mean "
              << measured.llama_cpp_kl_mean << ", largest error of a top-2 gap "
              << measured.gap_error << "\n";
  }

  std::vector<Prompt> prompts_;
};

TEST_F(GoldenTest, RefBackendLogitsEqualTheReference) {
  keep([](const Prompt& prompt) { return prompt.ids.size() <= kRefPromptTokens; });
  ASSERT_GE(prompts_.size(), 20U);
  const Measured measured = measure_in_parallel("ref", prompts_);
  report(measured);
  ASSERT_EQ(measured.kl_means.size(), prompts_.size());
  EXPECT_LT(measured.kl_max, 1e-4);
  EXPECT_GT(measured.kl_max, -1e-6);
  EXPECT_LT(measured.gap_error, 0.01F);
}

TEST_F(GoldenTest, RefBackendContinuesAsTheReference) {
  keep([](const Prompt& prompt) { return prompt.name == "capital"; });
  ASSERT_EQ(prompts_.size(), 1U);
  const auto model = open_model("ref", prompts_);
  ASSERT_NE(model, nullptr);
  std::vector<std::vector<float>> last;
  const Measured measured = measure(*model, prompts_, last);
  const Greedy greedy = continue_greedily(*model, prompts_, last);
  EXPECT_EQ(greedy.steps, 64);
  EXPECT_LE(greedy.widest_differing, measured.gap_error);
}

TEST_F(GoldenTest, CpuBackendIsAsCloseAsLlamaCpp) {
  const auto model = open_model("cpu", prompts_);
  ASSERT_NE(model, nullptr);
  std::vector<std::vector<float>> last;
  const Measured measured = measure(*model, prompts_, last);
  report(measured);
  EXPECT_LT(measured.kl_mean, 1e-2);
  EXPECT_LE(measured.kl_mean, measured.llama_cpp_kl_mean);

  const Greedy greedy = continue_greedily(*model, prompts_, last);
  std::cout << greedy.differ << " of " << greedy.steps
            << " greedy choices differ, the widest at a gap of " << greedy.widest_differing << "\n";
  EXPECT_EQ(greedy.steps, static_cast<int>(prompts_.size()) * 64);
  EXPECT_LE(greedy.widest_differing, measured.gap_error);
  EXPECT_LT(greedy.differ * 20, greedy.steps) << "more than 5% of the choices differ";
}

// On the card a step of one row a sequence is a recorded graph: the continuation goes through it.
TEST_F(GoldenTest, CudaBackendIsWithinItsRounding) {
  if (const auto made = make_backend("cuda", 0); !made) {
    GTEST_SKIP() << "skipped: " << made.error().message;
  }
  const auto model = open_model("cuda", prompts_);
  ASSERT_NE(model, nullptr);
  std::vector<std::vector<float>> last;
  const Measured measured = measure(*model, prompts_, last);
  report(measured);
  EXPECT_LT(measured.kl_mean, 5e-3);

  const Greedy greedy = continue_greedily(*model, prompts_, last);
  std::cout << greedy.differ << " of " << greedy.steps
            << " greedy choices differ, the widest at a gap of " << greedy.widest_differing << "\n";
  EXPECT_EQ(greedy.steps, static_cast<int>(prompts_.size()) * 64);
  EXPECT_LE(greedy.widest_differing, measured.gap_error);
}

}  // namespace
}  // namespace hangar::golden
