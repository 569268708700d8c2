#include "model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "backend/registry.h"
#include "backend/timed/timed_backend.h"
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

// A backend whose head of a table is the table with every number halved.
class HalvedHead : public TimedBackend {
 public:
  explicit HalvedHead(std::vector<float> table)
      : TimedBackend(make_backend("ref", 1).value()), halved_(std::move(table)) {
    for (float& value : halved_) value *= 0.5F;
  }
  Result<WeightPtr> make_head(const Weight& table) override {
    return load_weight(
        {"head", DType::kF32, {table.rows, table.columns}, std::as_bytes(std::span(halved_))},
        InputPrecision::kFast);
  }

 private:
  std::vector<float> halved_;
};

std::vector<float> logits_on(Backend& backend, const TinyCheckpoint& checkpoint) {
  const auto model = make_model(checkpoint, backend, {64, 64}).value();
  const auto cache = backend.make_kv_cache(model->kv_shape(32, 4)).value();
  RaggedBatch batch;
  append(batch, kTokens, 0, 0, true);
  const Activation logits = model->forward(batch, *cache);
  std::vector<float> host(static_cast<std::size_t>(logits.rows * logits.columns));
  backend.read(logits, host);
  return host;
}

TEST(Model, ATiedHeadMayBeOneThatTheBackendMakes) {
  for (const bool tied : {true, false}) {
    TinyOptions options;
    options.tied = tied;
    TinyCheckpoint checkpoint(options);
    HalvedHead halved(*checkpoint.values("token_embd.weight"));
    TimedBackend plain(make_backend("ref", 1).value());
    std::vector<float> expected = logits_on(plain, checkpoint);
    if (tied) {  // the table is looked up whole, the head alone is halved
      for (float& value : expected) value *= 0.5F;
    }
    EXPECT_EQ(logits_on(halved, checkpoint), expected) << "tied: " << tied;
    TimedBackend around(std::make_unique<HalvedHead>(*checkpoint.values("token_embd.weight")));
    EXPECT_EQ(logits_on(around, checkpoint), expected) << "tied: " << tied << ", timed";
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

std::vector<float> logits_of(const TinyCheckpoint& checkpoint) {
  Rig rig(checkpoint);
  RaggedBatch batch;
  append(batch, kTokens, 0, 0, true);
  return rig.run(batch);
}

// The values of several tensors, one after another; they are taken out of the checkpoint.
std::vector<float> take_out(TinyCheckpoint& checkpoint, const std::vector<std::string>& names) {
  std::vector<float> joined;
  for (const std::string& name : names) {
    const std::vector<float>& values = *checkpoint.values(name);
    joined.insert(joined.end(), values.begin(), values.end());
    checkpoint.remove(name);
  }
  return joined;
}

TEST(Model, FusedWeightsGiveTheLogitsOfSeparateOnes) {
  TinyOptions options;
  options.biases = true;
  const TinyCheckpoint separate(options);
  TinyCheckpoint fused(options);
  for (const std::string p : {"blk.0.", "blk.1."}) {
    fused.put(p + "attn_qkv.weight", {64, 32},
              take_out(fused, {p + "attn_q.weight", p + "attn_k.weight", p + "attn_v.weight"}));
    fused.put(p + "attn_qkv.bias", {64},
              take_out(fused, {p + "attn_q.bias", p + "attn_k.bias", p + "attn_v.bias"}));
    const auto gate_up = take_out(fused, {p + "ffn_gate.weight", p + "ffn_up.weight"});
    fused.put(p + "ffn_up.weight", {128, 32}, gate_up);
  }
  EXPECT_EQ(logits_of(fused), logits_of(separate));
}

constexpr std::int32_t kExperts = 3;

// A Mixtral of experts of inner size 16, each tensor of its own.
TinyCheckpoint tiny_mixtral() {
  TinyCheckpoint checkpoint{TinyOptions{}};
  ModelConfig& config = checkpoint.mutable_config();
  config.architecture = "mixtral";
  config.experts = kExperts;
  config.experts_used = 2;
  config.expert_feed_forward = 16;
  for (const std::string p : {"blk.0.", "blk.1."}) {
    const std::vector<float> gate = take_out(checkpoint, {p + "ffn_gate.weight"});
    const std::vector<float> up = take_out(checkpoint, {p + "ffn_up.weight"});
    const std::vector<float> down = take_out(checkpoint, {p + "ffn_down.weight"});
    checkpoint.put(p + "ffn_gate_inp.weight", {kExperts, 32},
                   {gate.begin(), gate.begin() + kExperts * 32});
    for (int e = 0; e < kExperts; ++e) {
      const std::ptrdiff_t from = 16 * 32 * e;
      for (const auto& [name, values] : {std::pair{"ffn_gate.", &gate}, {"ffn_up.", &up}}) {
        checkpoint.put(p + name + std::to_string(e) + ".weight", {16, 32},
                       {values->begin() + from, values->begin() + from + 16 * 32});
      }
      checkpoint.put(p + "ffn_down." + std::to_string(e) + ".weight", {32, 16},
                     {down.begin() + from, down.begin() + from + 16 * 32});
    }
  }
  return checkpoint;
}

TEST(Model, StackedExpertsGiveTheLogitsOfSingleOnes) {
  const std::vector<float> expected = logits_of(tiny_mixtral());
  TinyCheckpoint stacked = tiny_mixtral();
  TinyCheckpoint fused = tiny_mixtral();
  for (const std::string p : {"blk.0.", "blk.1."}) {
    for (const auto& [name, shape] : {std::pair{"ffn_gate", std::vector<std::int64_t>{3, 16, 32}},
                                      {"ffn_up", {3, 16, 32}},
                                      {"ffn_down", {3, 32, 16}}}) {
      const std::string stem = p + name;
      stacked.put(stem + "_exps.weight", shape,
                  take_out(stacked, {stem + ".0.weight", stem + ".1.weight", stem + ".2.weight"}));
    }
    fused.put(
        p + "ffn_gate_up_exps.weight", {3, 32, 32},
        take_out(fused, {p + "ffn_gate.0.weight", p + "ffn_up.0.weight", p + "ffn_gate.1.weight",
                         p + "ffn_up.1.weight", p + "ffn_gate.2.weight", p + "ffn_up.2.weight"}));
  }
  EXPECT_EQ(logits_of(stacked), expected);
  EXPECT_EQ(logits_of(fused), expected);
}

TEST(Model, ARowGoesThroughItsExpertsWhateverElseIsInTheBatch) {
  const TinyCheckpoint checkpoint = tiny_mixtral();
  const std::vector<float> expected = logits_of(checkpoint);
  Rig rig(checkpoint);
  std::vector<float> got;
  for (std::size_t at = 0; at < kTokens.size(); ++at) {
    RaggedBatch batch;
    append(batch, std::span(kTokens).subspan(at, 1), static_cast<std::int32_t>(at), 0, true);
    const std::vector<float> logits = rig.run(batch);
    got.insert(got.end(), logits.begin(), logits.end());
  }
  EXPECT_EQ(got, expected);
}

// Mixes experts by itself, in steps of up to two rows, as the host does it; says what it was asked.
class MixingBackend : public TimedBackend {
 public:
  using TimedBackend::TimedBackend;
  struct Set : ExpertSet {
    std::vector<ExpertWeights> experts;
    std::int32_t used = 0;
  };

  Result<std::unique_ptr<const ExpertSet>> join_experts(std::span<const ExpertWeights> experts,
                                                        std::int32_t used) override {
    auto set = std::make_unique<Set>();
    set->experts.assign(experts.begin(), experts.end());
    set->used = used;
    return std::unique_ptr<const ExpertSet>(std::move(set));
  }
  std::int64_t most_mixed_rows() const override { return 2; }
  void mix_experts(Activation x, Activation normed, Activation scores, const ExpertSet& experts,
                   bool normalize, GateFunction f) override {
    ++mixed;
    const auto& set = static_cast<const Set&>(experts);
    const auto choices = static_cast<std::size_t>(x.rows * set.used);
    std::vector<std::int32_t> ids(choices);
    std::vector<float> weights(choices);
    top_experts(scores, set.used, normalize, ids, weights);
    for (std::size_t e = 0; e < set.experts.size(); ++e) {
      for (std::size_t i = 0; i < choices; ++i) {
        if (static_cast<std::size_t>(ids[i]) == e) add_one(x, normed, set, i, weights[i], e, f);
      }
    }
  }
  void run_step(const RaggedBatch& batch, bool repeatable,
                FunctionRef<void(const RaggedBatch&)> body) override {
    repeatable_steps += repeatable ? 1 : 0;
    TimedBackend::run_step(batch, repeatable, body);
  }

  int mixed = 0;
  int repeatable_steps = 0;

 private:
  void add_one(Activation x, Activation normed, const Set& set, std::size_t choice, float weight,
               std::size_t expert, GateFunction f) {
    const ExpertWeights& of = set.experts[expert];
    const std::array row = {static_cast<std::int32_t>(choice) / set.used};
    const std::int64_t inner = of.gate->rows;
    const Activation one = allocate(1, x.columns, ActivationPrecision::kWork).value();
    const Activation gate = allocate(1, inner, ActivationPrecision::kWork).value();
    const Activation up = allocate(1, inner, ActivationPrecision::kWork).value();
    gather_rows(one, normed, row);
    matmul(std::array{gate, up}, one, std::array{of.gate, of.up});
    gate_mul(gate, gate, up, f);
    matmul(std::array{one}, gate, std::array{of.down});
    scatter_add_rows(x, one, row, std::array{weight});
  }
};

TEST(Model, ABackendMayMixExpertsByItself) {
  const TinyCheckpoint checkpoint = tiny_mixtral();
  const std::vector<float> expected = logits_of(checkpoint);
  MixingBackend backend(make_backend("ref", 1).value());
  const auto model = make_model(checkpoint, backend, {64, 64}).value();
  const KvCachePtr cache = backend.make_kv_cache(model->kv_shape(32, 4)).value();
  std::vector<float> got;
  std::size_t at = 0;
  // Of three rows the host does it.
  for (const std::size_t rows : {1U, 3U, 2U, 4U, 1U}) {
    RaggedBatch batch;
    append(batch, std::span(kTokens).subspan(at, rows), static_cast<std::int32_t>(at), 0, true);
    at += rows;
    const Activation logits = model->forward(batch, *cache);
    std::vector<float> host(static_cast<std::size_t>(logits.rows * logits.columns));
    backend.read(logits, host);
    got.insert(got.end(), host.begin(), host.end());
  }
  EXPECT_EQ(at, kTokens.size());
  EXPECT_EQ(got, expected);
  EXPECT_EQ(backend.mixed, 2 * 3);  // layers, steps
  EXPECT_EQ(backend.repeatable_steps, 3);
}

Error error_of(const TinyCheckpoint& checkpoint) {
  auto backend = make_backend("ref", 1).value();
  auto model = make_model(checkpoint, *backend, {});
  return model ? Error{} : model.error();
}

TEST(Model, NoTensorIsLeftOutSilently) {
  TinyCheckpoint extra{TinyOptions{}};
  extra.put("blk.1.attn_q_norm.weight", {8}, std::vector<float>(8, 1.0F));
  EXPECT_EQ(error_of(extra).code, ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(extra).message, HasSubstr("blk.1.attn_q_norm.weight"));

  TinyOptions with_biases;
  with_biases.biases = true;
  TinyCheckpoint unexpected(with_biases);
  unexpected.mutable_config().attention_bias = false;
  EXPECT_EQ(error_of(unexpected).code, ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(unexpected).message, HasSubstr("blk.0.attn_q.bias"));

  TinyCheckpoint harmless{TinyOptions{}};
  harmless.put("blk.0.rope_freqs.weight", {4}, std::vector<float>(4, 1.0F));
  harmless.put("v.patch_embd.weight", {4}, std::vector<float>(4, 1.0F));
  harmless.put("output.weight", {96, 32}, std::vector<float>(96 * 32, 1.0F));  // tied: not read
  EXPECT_EQ(error_of(harmless).message, "");
}

TEST(Model, BiasesThatAreCalledForMustBeThere) {
  TinyCheckpoint by_config{TinyOptions{}};
  by_config.mutable_config().attention_bias = true;
  EXPECT_EQ(error_of(by_config).code, ErrorCode::kCorrupt);
  EXPECT_THAT(error_of(by_config).message, HasSubstr("blk.0.attn_q.bias"));

  TinyCheckpoint by_architecture{TinyOptions{}};
  by_architecture.mutable_config().architecture = "qwen2";
  EXPECT_EQ(error_of(by_architecture).code, ErrorCode::kCorrupt);
  EXPECT_THAT(error_of(by_architecture).message, HasSubstr("blk.0.attn_q.bias"));

  TinyCheckpoint of_mlp{TinyOptions{}};
  of_mlp.mutable_config().mlp_bias = true;
  EXPECT_THAT(error_of(of_mlp).message, HasSubstr("blk.0.ffn_gate.bias"));
}

TEST(Model, ExpertsNeedAnArchitectureThatHasThem) {
  TinyCheckpoint dense = tiny_mixtral();
  dense.mutable_config().architecture = "mistral";
  EXPECT_EQ(error_of(dense).code, ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(dense).message, HasSubstr("3"));

  TinyCheckpoint missing = tiny_mixtral();
  missing.remove("blk.1.ffn_up.2.weight");
  EXPECT_EQ(error_of(missing).code, ErrorCode::kCorrupt);
  EXPECT_THAT(error_of(missing).message, HasSubstr("blk.1.ffn_up"));

  TinyCheckpoint none{TinyOptions{}};
  none.mutable_config().architecture = "mixtral";
  EXPECT_EQ(error_of(none).code, ErrorCode::kCorrupt);
}

TEST(Model, RefusesWhatDoesNotFit) {
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
  EXPECT_THAT(error_of(foreign).message, HasSubstr("docs/adding_an_architecture.md"));
  foreign.mutable_config().architecture = "gemma4";
  EXPECT_THAT(error_of(foreign).message, HasSubstr("nearest is \"gemma"));

  TinyCheckpoint uneven{TinyOptions{}};
  uneven.mutable_config().rotated_layers = {1};
  EXPECT_EQ(error_of(uneven).code, ErrorCode::kCorrupt);
  EXPECT_THAT(error_of(uneven).message, HasSubstr("rotated_layers"));
}

}  // namespace
}  // namespace hangar
