// Layers that a backend takes as one: which models offer theirs, and with what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "backend/timed/timed_backend.h"
#include "model/model.h"
#include "model/testing/tiny_checkpoint.h"

namespace hangar {
namespace {

using testing::TinyCheckpoint;
using testing::TinyOptions;

// Takes steps of one row as one, by the operations that its layers say.
class StackingBackend : public TimedBackend {
 public:
  using TimedBackend::TimedBackend;
  struct Stack : LayerStack {
    std::vector<StackedLayer> layers;
  };

  Result<std::unique_ptr<const LayerStack>> join_layers(
      std::span<const StackedLayer> layers) override {
    auto stack = std::make_unique<Stack>();
    stack->layers.assign(layers.begin(), layers.end());
    joined = layers.size();
    return std::unique_ptr<const LayerStack>(std::move(stack));
  }
  bool run_layers(Activation x, const LayerStack& stack, KvCache& cache,
                  const RaggedBatch& batch) override {
    if (batch.rows() != 1) return false;
    ++steps;
    const std::vector<StackedLayer>& layers = static_cast<const Stack&>(stack).layers;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      run(x, layers[i], cache, static_cast<std::int32_t>(i), batch);
    }
    return true;
  }

  std::size_t joined = 0;
  int steps = 0;

 private:
  void run(Activation x, const StackedLayer& l, KvCache& cache, std::int32_t layer,
           const RaggedBatch& batch) {
    const auto room = [&](const Weight* weight) {
      return allocate(1, weight->rows, ActivationPrecision::kWork).value();
    };
    const std::array qkv = {room(l.q), room(l.k), room(l.v)};
    const Activation out = room(l.q);
    const Activation normed = room(l.out);
    const Activation product = room(l.out);
    norm_matmul(qkv, x, l.attention_norm, std::array{l.q, l.k, l.v}, normed);
    const float eps = l.attention_norm.eps;
    if (l.q_norm != nullptr) head_norm(qkv[0], l.attention.head_dim, *l.q_norm, eps);
    if (l.k_norm != nullptr) head_norm(qkv[1], l.attention.head_dim, *l.k_norm, eps);
    rope_write_kv(qkv[0], qkv[1], qkv[2], *l.rope, cache, layer, batch);
    attention_add(x, out, qkv[0], cache, layer, batch, l.attention, *l.out, product);
    gated_mlp_add(x, l.mlp_norm, l.mlp, l.gate,
                  {normed, room(l.mlp.gate), room(l.mlp.up), product});
  }
};

std::vector<float> logits_of(const TinyCheckpoint& checkpoint, Backend& backend) {
  const auto model = make_model(checkpoint, backend, {64, 64}).value();
  const KvCachePtr cache = backend.make_kv_cache(model->kv_shape(32, 4)).value();
  std::vector<float> all;
  // Of one row, of three, of one again.
  std::int32_t at = 0;
  for (const std::int32_t rows : {1, 3, 1, 1}) {
    RaggedBatch batch;
    batch.block_tokens = 4;
    batch.sequences.push_back({0, rows, at, 0, 3});
    batch.block_tables = {4, 2, 7};
    for (std::int32_t i = 0; i < rows; ++i) {
      batch.token_ids.push_back(7 * (at + i) % 90);
      batch.positions.push_back(at + i);
      batch.logit_rows.push_back(i);
    }
    at += rows;
    const Activation logits = model->forward(batch, *cache);
    std::vector<float> host(static_cast<std::size_t>(logits.rows * logits.columns));
    backend.read(logits, host);
    all.insert(all.end(), host.begin(), host.end());
  }
  return all;
}

TEST(LayerStack, IsTheModelsLayersAndTakesTheStepsItKnows) {
  const TinyCheckpoint checkpoint{TinyOptions{}};
  const auto plain = make_backend("ref", 1).value();
  StackingBackend stacking(make_backend("ref", 1).value());
  EXPECT_EQ(logits_of(checkpoint, stacking), logits_of(checkpoint, *plain));
  EXPECT_EQ(stacking.joined, static_cast<std::size_t>(checkpoint.config()->layers));
  EXPECT_EQ(stacking.steps, 3);
}

TEST(LayerStack, MayNormItsHeads) {
  TinyCheckpoint checkpoint{TinyOptions{}};
  checkpoint.mutable_config().architecture = "qwen3";
  for (const char* layer : {"blk.0.", "blk.1."}) {
    for (const char* norm : {"attn_q_norm.weight", "attn_k_norm.weight"}) {
      std::vector<float> values = {0.5F, 1.5F, 1.0F, 2.0F, 0.7F, 0.9F, 1.1F, 1.3F};
      if (norm[5] == 'k') std::ranges::reverse(values);
      checkpoint.put(std::string(layer) + norm, {8}, values);
    }
  }
  const auto plain = make_backend("ref", 1).value();
  StackingBackend stacking(make_backend("ref", 1).value());
  EXPECT_EQ(logits_of(checkpoint, stacking), logits_of(checkpoint, *plain));
  EXPECT_EQ(stacking.steps, 3);
}

TEST(LayerStack, IsNotMadeOfLayersWithMoreInThem) {
  TinyOptions with_biases;
  with_biases.biases = true;
  StackingBackend stacking(make_backend("ref", 1).value());
  (void)logits_of(TinyCheckpoint(with_biases), stacking);
  EXPECT_EQ(stacking.joined, 0U);
  EXPECT_EQ(stacking.steps, 0);
}

}  // namespace
}  // namespace hangar
