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
#include "model/model.h"

namespace hangar::golden {
namespace {

constexpr std::size_t kRefPromptTokens = 40;
constexpr std::int32_t kBlockTokens = 16;

struct Measured {
  std::vector<double> kl_means;  // a prompt each
  double kl_mean = 0.0;          // over prompts
  double kl_max = 0.0;           // over positions
  double llama_cpp_kl_mean = 0.0;
  float gap_error = 0.0F;  // the largest
};

// A model on a backend, with KV blocks for one continuation of each prompt.
class Bench {
 public:
  static std::unique_ptr<Bench> open(const std::string& backend,
                                     const std::vector<Prompt>& prompts) {
    auto bench = std::make_unique<Bench>();
    auto made = make_backend(backend, 0);
    auto checkpoint = open_checkpoint(model_path());
    EXPECT_TRUE(made) << made.error().message;
    EXPECT_TRUE(checkpoint) << checkpoint.error().message;
    if (!made || !checkpoint) return nullptr;
    bench->backend_ = std::move(*made);
    bench->checkpoint_ = std::move(*checkpoint);
    auto model = make_model(*bench->checkpoint_, *bench->backend_, ModelLimits{});
    EXPECT_TRUE(model) << model.error().message;
    if (!model) return nullptr;
    bench->model_ = std::move(*model);

    std::int32_t blocks = 0;
    for (const Prompt& prompt : prompts) blocks += blocks_for(prompt);
    auto cache = bench->backend_->make_kv_cache(bench->model_->kv_shape(blocks, kBlockTokens));
    EXPECT_TRUE(cache) << cache.error().message;
    if (!cache) return nullptr;
    bench->cache_ = std::move(*cache);
    // Each sequence's blocks lie apart: sequence s owns every block that is left, taken with a
    // stride.
    std::vector<std::int32_t> order(static_cast<std::size_t>(blocks));
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [](std::int32_t a, std::int32_t b) {
      return std::pair(a % 7, -a) < std::pair(b % 7, -b);
    });
    auto next = order.begin();
    for (const Prompt& prompt : prompts) {
      bench->tables_.emplace_back(next, next + blocks_for(prompt));
      next += blocks_for(prompt);
    }
    return bench;
  }

  // One step. The rows of each part go on from that sequence's context; logits of the rows wanted.
  struct Part {
    std::size_t sequence = 0;
    std::int32_t context_tokens = 0;
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> wanted;  // rows of this part
  };
  std::vector<std::vector<float>> step(const std::vector<Part>& parts) {
    RaggedBatch batch;
    batch.block_tokens = kBlockTokens;
    for (const Part& part : parts) {
      const std::vector<std::int32_t>& table = tables_[part.sequence];
      const std::int32_t first_row = batch.rows();
      batch.sequences.push_back({first_row, static_cast<std::int32_t>(part.ids.size()),
                                 part.context_tokens,
                                 static_cast<std::int32_t>(batch.block_tables.size()),
                                 static_cast<std::int32_t>(table.size())});
      batch.block_tables.insert(batch.block_tables.end(), table.begin(), table.end());
      for (const std::int32_t wanted : part.wanted) batch.logit_rows.push_back(first_row + wanted);
      for (std::size_t i = 0; i < part.ids.size(); ++i) {
        batch.token_ids.push_back(part.ids[i]);
        batch.positions.push_back(part.context_tokens + static_cast<std::int32_t>(i));
      }
    }
    const Activation logits = model_->forward(batch, *cache_);
    EXPECT_EQ(logits.rows, static_cast<std::int64_t>(batch.logit_rows.size()));
    std::vector<float> host(static_cast<std::size_t>(logits.rows * logits.columns));
    backend_->read(logits, host);
    std::vector<std::vector<float>> rows;
    for (std::int64_t r = 0; r < logits.rows; ++r) {
      rows.emplace_back(host.begin() + r * logits.columns, host.begin() + (r + 1) * logits.columns);
    }
    return rows;
  }

 private:
  static std::int32_t blocks_for(const Prompt& prompt) {
    const auto tokens = static_cast<std::int32_t>(prompt.ids.size() + prompt.greedy_ids.size());
    return (tokens + kBlockTokens - 1) / kBlockTokens;
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<Model> model_;
  KvCachePtr cache_;
  std::vector<std::vector<std::int32_t>> tables_;  // a sequence each
};

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double llama_cpp_kl_mean(const std::vector<Prompt>& prompts) {
  std::vector<double> means;
  for (const Prompt& prompt : prompts) means.push_back(prompt.llama_cpp_kl_mean);
  return mean(means);
}

// Computes each prompt; its last position's logits are appended to `last`.
Measured measure(Bench& bench, const std::vector<Prompt>& prompts,
                 std::vector<std::vector<float>>& last) {
  Measured measured;
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    const Prompt& prompt = prompts[p];
    Bench::Part part{p, 0, prompt.ids, {}};
    for (const Position& position : prompt.positions) part.wanted.push_back(position.index);
    std::vector<std::vector<float>> rows = bench.step({part});
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
        const auto bench = Bench::open(backend, shares[t]);
        std::vector<std::vector<float>> last;
        if (bench != nullptr) parts[t] = measure(*bench, shares[t], last);
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
Greedy continue_greedily(Bench& bench, const std::vector<Prompt>& prompts,
                         std::vector<std::vector<float>> logits) {
  Greedy greedy;
  for (std::size_t t = 0; t < prompts.front().greedy_ids.size(); ++t) {
    std::vector<Bench::Part> parts;
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
    logits = bench.step(parts);
  }
  return greedy;
}

class GoldenTest : public testing::Test {
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
  const auto bench = Bench::open("ref", prompts_);
  ASSERT_NE(bench, nullptr);
  std::vector<std::vector<float>> last;
  const Measured measured = measure(*bench, prompts_, last);
  const Greedy greedy = continue_greedily(*bench, prompts_, last);
  EXPECT_EQ(greedy.steps, 64);
  EXPECT_LE(greedy.widest_differing, measured.gap_error);
}

TEST_F(GoldenTest, CpuBackendIsAsCloseAsLlamaCpp) {
  const auto bench = Bench::open("cpu", prompts_);
  ASSERT_NE(bench, nullptr);
  std::vector<std::vector<float>> last;
  const Measured measured = measure(*bench, prompts_, last);
  report(measured);
  EXPECT_LT(measured.kl_mean, 1e-2);
  EXPECT_LE(measured.kl_mean, measured.llama_cpp_kl_mean);

  const Greedy greedy = continue_greedily(*bench, prompts_, last);
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
  const auto bench = Bench::open("cuda", prompts_);
  ASSERT_NE(bench, nullptr);
  std::vector<std::vector<float>> last;
  const Measured measured = measure(*bench, prompts_, last);
  report(measured);
  EXPECT_LT(measured.kl_mean, 5e-3);

  const Greedy greedy = continue_greedily(*bench, prompts_, last);
  std::cout << greedy.differ << " of " << greedy.steps
            << " greedy choices differ, the widest at a gap of " << greedy.widest_differing << "\n";
  EXPECT_EQ(greedy.steps, static_cast<int>(prompts_.size()) * 64);
  EXPECT_LE(greedy.widest_differing, measured.gap_error);
}

}  // namespace
}  // namespace hangar::golden
