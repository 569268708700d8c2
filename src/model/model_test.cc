#include "model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "backend/registry.h"
#include "model/testing/tiny_checkpoint.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;
using testing::TinyCheckpoint;
using testing::TinyOptions;

// A model on the reference backend with a cache of 32 blocks of 4 tokens.
struct Rig {
  explicit Rig(const TinyCheckpoint& checkpoint)
      : backend(make_backend("ref", 1).value()),
        model(make_model(checkpoint, *backend, {64, 64}).value()),
        cache(backend->make_kv_cache(model->kv_shape(32, 4)).value()) {}

  std::vector<float> run(const RaggedBatch& batch) {
    const Activation logits = model->forward(batch, *cache);
    std::vector<float> host(static_cast<std::size_t>(logits.rows * logits.columns));
    backend->read(logits, host);
    return host;
  }

  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
  KvCachePtr cache;
};

// Adds rows for `tokens` of a sequence whose blocks are first_block, first_block + 1, ...
void append(RaggedBatch& batch, std::span<const std::int32_t> tokens, std::int32_t context,
            std::int32_t first_block, bool logits_of_all) {
  batch.block_tokens = 4;
  const auto rows = static_cast<std::int32_t>(tokens.size());
  const std::int32_t blocks = (context + rows + 3) / 4;
  batch.sequences.push_back(
      {batch.rows(), rows, context, static_cast<std::int32_t>(batch.block_tables.size()), blocks});
  for (std::int32_t i = 0; i < blocks; ++i) batch.block_tables.push_back(first_block + i);
  for (std::int32_t i = 0; i < rows; ++i) {
    if (logits_of_all || i + 1 == rows) batch.logit_rows.push_back(batch.rows());
    batch.token_ids.push_back(tokens[static_cast<std::size_t>(i)]);
    batch.positions.push_back(context + i);
  }
}

const std::vector<std::int32_t> kTokens = {3, 17, 5, 90, 41, 8, 2, 60, 33, 71, 12};

TEST(Model, ChunkedPrefillGivesTheLogitsOfOnePass) {
  const TinyCheckpoint checkpoint{TinyOptions{}};
  Rig whole(checkpoint);
  RaggedBatch all;
  append(all, kTokens, 0, 0, true);
  const std::vector<float> expected = whole.run(all);
  for (const std::size_t chunk : {1U, 2U, 3U, 7U}) {
    Rig rig(checkpoint);
    std::vector<float> got;
    for (std::size_t at = 0; at < kTokens.size(); at += chunk) {
      const auto part = std::span(kTokens).subspan(at, std::min(chunk, kTokens.size() - at));
      RaggedBatch batch;
      append(batch, part, static_cast<std::int32_t>(at), 0, true);
      const std::vector<float> logits = rig.run(batch);
      got.insert(got.end(), logits.begin(), logits.end());
    }
    EXPECT_EQ(got, expected) << "chunk " << chunk;
  }
}

TEST(Model, ARowDependsOnItsOwnSequenceOnly) {
  const TinyCheckpoint checkpoint{TinyOptions{}};
  const std::vector<std::int32_t> other = {9, 9, 77, 1, 50};
  Rig alone(checkpoint);
  RaggedBatch first;
  append(first, kTokens, 0, 0, false);
  const std::vector<float> expected = alone.run(first);

  Rig mixed(checkpoint);
  RaggedBatch earlier;  // the other sequence has context already; then both run in one batch
  append(earlier, other, 0, 20, false);
  mixed.run(earlier);
  RaggedBatch both;
  append(both, std::span(other).first(1), 5, 20, false);
  append(both, kTokens, 0, 3, false);
  const std::vector<float> logits = mixed.run(both);
  const std::size_t vocabulary = 96;
  ASSERT_EQ(logits.size(), 2 * vocabulary);
  EXPECT_EQ(
      std::vector<float>(logits.begin() + static_cast<std::ptrdiff_t>(vocabulary), logits.end()),
      expected);
}

TEST(Model, EveryWeightMatters) {
  TinyOptions options;
  options.tied = false;
  options.biases = true;
  RaggedBatch batch;
  append(batch, kTokens, 0, 0, false);
  TinyCheckpoint base(options);
  Rig base_rig(base);
  const std::vector<float> expected = base_rig.run(batch);
  for (const TensorView& tensor : base.tensors()) {
    TinyCheckpoint changed(options);
    std::vector<float>& values = *changed.values(tensor.name);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += 0.25F * static_cast<float>(i % 3);
    Rig rig(changed);
    EXPECT_NE(rig.run(batch), expected) << tensor.name;
  }
}

TEST(Model, TiedHeadIsTheEmbedding) {
  TinyOptions options;
  options.layers = 1;
  TinyCheckpoint checkpoint(options);
  // With both of the layer's outputs at zero, only the embedding and the head are left.
  for (const char* name : {"blk.0.attn_output.weight", "blk.0.ffn_down.weight"})
    checkpoint.clear(name);
  Rig rig(checkpoint);
  RaggedBatch batch;
  append(batch, std::span(kTokens).first(1), 0, 0, false);
  const std::vector<float> logits = rig.run(batch);
  // By hand: rms_norm of the embedding row, then its product with every row.
  const auto* table = checkpoint.values("token_embd.weight")->data();
  const auto* norm = checkpoint.values("output_norm.weight")->data();
  const float* row = table + 32 * kTokens[0];
  double squares = 0.0;
  for (int i = 0; i < 32; ++i) squares += double{row[i]} * row[i];
  const double scale = 1.0 / std::sqrt(squares / 32 + 1e-5);
  for (int v = 0; v < 96; ++v) {
    double dot = 0.0;
    for (int i = 0; i < 32; ++i) dot += row[i] * scale * norm[i] * table[32 * v + i];
    EXPECT_NEAR(logits[static_cast<std::size_t>(v)], dot, 1e-4) << v;
  }
}

TEST(Model, NoLogitRowsNoLogits) {
  const TinyCheckpoint checkpoint{TinyOptions{}};
  Rig rig(checkpoint);
  RaggedBatch batch;
  append(batch, kTokens, 0, 0, false);
  batch.logit_rows.clear();
  EXPECT_TRUE(rig.run(batch).empty());
}

TEST(Model, RefusesWhatDoesNotFit) {
  const auto error_of = [](TinyCheckpoint& checkpoint) {
    auto backend = make_backend("ref", 1).value();
    auto model = make_model(checkpoint, *backend, {});
    return model ? Error{} : model.error();
  };
  TinyCheckpoint missing{TinyOptions{}};
  missing.remove("blk.1.ffn_up.weight");
  EXPECT_EQ(error_of(missing).code, ErrorCode::kCorrupt);
  EXPECT_THAT(error_of(missing).message, HasSubstr("blk.1.ffn_up.weight"));

  TinyCheckpoint bent{TinyOptions{}};
  bent.reshape("blk.0.attn_k.weight", {32, 16});
  EXPECT_EQ(error_of(bent).code, ErrorCode::kCorrupt);
  EXPECT_THAT(error_of(bent).message, HasSubstr("[32, 16]"));
  EXPECT_THAT(error_of(bent).message, HasSubstr("[16, 32]"));

  TinyCheckpoint foreign{TinyOptions{}};
  foreign.mutable_config().architecture = "mamba";
  EXPECT_EQ(error_of(foreign).code, ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(foreign).message, HasSubstr("mamba"));
  EXPECT_THAT(error_of(foreign).message, HasSubstr("llama"));
}

}  // namespace
}  // namespace hangar
