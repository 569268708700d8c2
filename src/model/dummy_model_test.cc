// Models whose weights are made up, of every architecture: they load, compute, and mean the same on
// both host backends.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "backend/timed/timed_backend.h"
#include "model/arch/list.h"
#include "model/model.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;

constexpr std::int32_t kRows = 11;

fs::path model_folder(const std::string& name) {
  return fs::path(HANGAR_SOURCE_DIR) / "tests/data/models" / name;
}

std::unique_ptr<Checkpoint> dummy(const std::string& model, RandomWeights::Kind kind) {
  auto opened = open_dummy(model_folder(model), {.kind = kind, .seed = 5});
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

RaggedBatch one_prompt() {
  RaggedBatch batch;
  batch.block_tokens = 4;
  batch.sequences.push_back({0, kRows, 0, 0, 3});
  batch.block_tables = {0, 1, 2};
  for (std::int32_t i = 0; i < kRows; ++i) {
    batch.token_ids.push_back(3 + 7 * i);
    batch.positions.push_back(i);
    batch.logit_rows.push_back(i);
  }
  return batch;
}

std::vector<float> logits_of(const Checkpoint& checkpoint, Backend& backend) {
  const auto model = make_model(checkpoint, backend, {64, 64});
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return {};
  const KvCachePtr cache = backend.make_kv_cache((*model)->kv_shape(4, 4)).value();
  const Activation logits = (*model)->forward(one_prompt(), *cache);
  std::vector<float> host(static_cast<std::size_t>(logits.rows * logits.columns));
  backend.read(logits, host);
  return host;
}

class DummyModelTest : public ::testing::TestWithParam<std::string> {};

TEST_P(DummyModelTest, ComputesAlikeOnBothHostBackends) {
  for (const auto kind : {RandomWeights::Kind::kUniform, RandomWeights::Kind::kNormal}) {
    const auto checkpoint = dummy(GetParam(), kind);
    ASSERT_TRUE(checkpoint);
    const std::vector<float> expected = logits_of(*checkpoint, *make_backend("ref", 1).value());
    ASSERT_FALSE(expected.empty());
    double square = 0.0;
    for (const float value : expected) {
      ASSERT_TRUE(std::isfinite(value));
      square += value * value / static_cast<double>(expected.size());
    }
    const double size = std::sqrt(square);
    EXPECT_GT(size, 0.0);
    const std::vector<float> got = logits_of(*checkpoint, *make_backend("cpu", 1).value());
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], expected[i], 0.05 * size) << "logit " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DummyModelTest,
                         ::testing::Values("gemma", "gemma2", "gemma3", "llama2", "llama3",
                                           "llama_biases", "mistral", "mixtral", "phi3",
                                           "phi3_longrope", "qwen2", "qwen2_windows", "qwen3",
                                           "qwen3moe", "qwen3moe_mixed", "smollm3"),
                         [](const auto& test) { return test.param; });

TEST(DummyModel, EveryArchitectureIsAmongThem) {
  std::set<std::string> seen;
  for (const auto& entry : fs::directory_iterator(model_folder(""))) {
    if (!fs::exists(entry.path() / "config.json")) continue;
    const auto opened = open_dummy(entry.path(), {});
    ASSERT_TRUE(opened) << opened.error().message;
    seen.insert((*opened)->config()->architecture);
  }
  for (const Architecture& architecture : architectures()) {
    EXPECT_TRUE(seen.contains(std::string(architecture.name))) << architecture.name;
  }
}

TEST(DummyModel, TheSeedDecides) {
  const auto opened = [](std::uint64_t seed) {
    return logits_of(
        *open_dummy(model_folder("llama3"), {.kind = RandomWeights::Kind::kNormal, .seed = seed})
             .value(),
        *make_backend("ref", 1).value());
  };
  const std::vector<float> once = opened(1);
  EXPECT_EQ(opened(1), once);
  EXPECT_NE(opened(2), once);
}

TEST(DummyModel, ATimedBackendLetsTheInnerOneMakeTheWeights) {
  const auto checkpoint = dummy("qwen3", RandomWeights::Kind::kNormal);
  ASSERT_TRUE(checkpoint);
  TimedBackend timed(make_backend("cpu", 1).value());
  EXPECT_EQ(logits_of(*checkpoint, timed), logits_of(*checkpoint, *make_backend("cpu", 1).value()));
}

// The published shapes that speed is measured at.
TEST(DummyModel, BenchShapesAreWhatTheyAreCalled) {
  struct Shape {
    const char* name;
    std::int32_t layers, hidden, feed_forward, heads, kv_heads, head_dim, vocabulary;
    bool tied;
    double billions;  // of parameters, tables counted once
  };
  for (const Shape& shape : {
           Shape{"llama-3-8b", 32, 4096, 14336, 32, 8, 128, 128256, false, 8.03},
           Shape{"llama-3-70b", 80, 8192, 28672, 64, 8, 128, 128256, false, 70.55},
           Shape{"llama-3.2-1b", 16, 2048, 8192, 32, 8, 64, 128256, true, 1.236},
           Shape{"qwen3-8b", 36, 4096, 12288, 32, 8, 128, 151936, false, 8.19},
           Shape{"qwen3-32b", 64, 5120, 25600, 64, 8, 128, 151936, false, 32.76},
           Shape{"smollm2-1.7b", 24, 2048, 8192, 32, 32, 64, 49152, true, 1.711},
       }) {
    const auto opened = open_dummy(fs::path(HANGAR_SOURCE_DIR) / "bench/shapes" / shape.name, {});
    ASSERT_TRUE(opened) << opened.error().message;
    const ModelConfig config = (*opened)->config().value();
    EXPECT_EQ(config.name, shape.name);
    EXPECT_EQ(config.layers, shape.layers) << shape.name;
    EXPECT_EQ(config.hidden, shape.hidden) << shape.name;
    EXPECT_EQ(config.feed_forward, shape.feed_forward) << shape.name;
    EXPECT_EQ(config.heads, shape.heads) << shape.name;
    EXPECT_EQ(config.kv_heads, shape.kv_heads) << shape.name;
    EXPECT_EQ(config.head_dim, shape.head_dim) << shape.name;
    EXPECT_EQ(config.vocabulary, shape.vocabulary) << shape.name;
    EXPECT_EQ(config.tied_embeddings, shape.tied) << shape.name;
    double elements = 0.0;
    for (const TensorView& view : (*opened)->tensors()) {
      elements += static_cast<double>(view.elements());
      EXPECT_EQ(view.dtype, view.shape.size() == 1 ? DType::kF32 : DType::kBF16) << view.name;
    }
    EXPECT_NEAR(elements / 1e9, shape.billions, 0.006 * shape.billions) << shape.name;
  }
}

}  // namespace
}  // namespace hangar
