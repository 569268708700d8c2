// The tiny models that transformers wrote (tests/data/models), opened from their folders, against
// the same models as GGUF's converter wrote them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "formats/checkpoint.h"
#include "formats/hf/strict_json.h"
#include "formats/hf/test_folder.h"
#include "quant/dequantize.h"

namespace hangar::hf {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Checkpoint> open(const fs::path& path) {
  auto opened = open_checkpoint(path);
  EXPECT_TRUE(opened) << path << ": " << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

std::vector<float> values_of(const TensorView& view) {
  std::vector<float> out(static_cast<std::size_t>(view.elements()));
  dequantize_row(view.dtype, view.data.data(), out.data(), view.elements());
  return out;
}

// All tensors by name; stacks of experts taken apart.
std::map<std::string, std::vector<float>> tensors_of(const Checkpoint& checkpoint) {
  std::map<std::string, std::vector<float>> out;
  for (const TensorView& listed : checkpoint.tensors()) {
    const auto view = checkpoint.read(listed);
    EXPECT_TRUE(view);
    const std::size_t stack = listed.name.find("_exps.weight");
    if (stack == std::string::npos) {
      out[listed.name] = values_of(*view);
      continue;
    }
    const std::int64_t experts = view->shape[0];
    const std::int64_t rows = view->shape[1];
    for (std::int64_t e = 0; e < experts; ++e) {
      out[fmt::format("{}.{}.weight", listed.name.substr(0, stack), e)] =
          values_of(slice_rows(*view, e * rows, rows));
    }
  }
  return out;
}

// The rows of each head in the order of GGUF's llama: pairs that rotate together side by side.
std::vector<float> interleaved(const std::vector<float>& values, std::int32_t heads,
                               std::int32_t head_dim) {
  const std::size_t rows = static_cast<std::size_t>(heads) * static_cast<std::size_t>(head_dim);
  const std::size_t columns = values.size() / rows;
  const auto dim = static_cast<std::size_t>(head_dim);
  std::vector<float> out;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t within = row % dim;
    const std::size_t from = row - within + within % 2 * (dim / 2) + within / 2;
    out.insert(out.end(), values.begin() + static_cast<std::ptrdiff_t>(from * columns),
               values.begin() + static_cast<std::ptrdiff_t>((from + 1) * columns));
  }
  return out;
}

class CommittedModelTest : public ::testing::TestWithParam<std::string> {};

TEST_P(CommittedModelTest, IsWhatTheGgufOfItIs) {
  const auto folder = open(model_data(GetParam()));
  const auto gguf = open(model_data(GetParam() + ".gguf"));
  ASSERT_TRUE(folder && gguf);
  const auto a = tensors_of(*folder);
  auto b = tensors_of(*gguf);
  // What converters write for llama3 and longrope scaling; a folder has it in its config.
  for (const std::string name :
       {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"}) {
    b.erase(name);
  }
  const auto config = gguf->config();
  ASSERT_TRUE(config);
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, values] : a) {
    ASSERT_TRUE(b.contains(name)) << name;
    const std::int32_t heads = name.find(".attn_q.") != std::string::npos   ? config->heads
                               : name.find(".attn_k.") != std::string::npos ? config->kv_heads
                                                                            : 0;
    if (config->rope.interleaved && heads > 0) {
      EXPECT_EQ(interleaved(values, heads, config->head_dim), b[name]) << name;
    } else {
      EXPECT_EQ(values, b[name]) << name;
    }
  }
}

TEST_P(CommittedModelTest, HasTheConfigOfTheGgufOfIt) {
  const auto folder = open(model_data(GetParam()));
  const auto gguf = open(model_data(GetParam() + ".gguf"));
  ASSERT_TRUE(folder && gguf);
  const auto a = folder->config();
  const auto b = gguf->config();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->layers, b->layers);
  EXPECT_EQ(a->hidden, b->hidden);
  EXPECT_EQ(a->heads, b->heads);
  EXPECT_EQ(a->kv_heads, b->kv_heads);
  EXPECT_EQ(a->head_dim, b->head_dim);
  EXPECT_EQ(a->vocabulary, b->vocabulary);
  EXPECT_EQ(a->context_tokens, b->context_tokens);
  EXPECT_EQ(a->norm_epsilon, b->norm_epsilon);
  EXPECT_EQ(a->tied_embeddings, b->tied_embeddings);
  EXPECT_EQ(a->rope.base, b->rope.base);
  EXPECT_EQ(a->rope.dim, b->rope.dim);
  EXPECT_EQ(a->gate_function, b->gate_function);
  EXPECT_EQ(a->attention_softcap, b->attention_softcap);
  EXPECT_EQ(a->logit_softcap, b->logit_softcap);
  EXPECT_EQ(a->experts, b->experts);
  EXPECT_EQ(a->experts_used, b->experts_used);
  EXPECT_EQ(a->sliding_rope.has_value(), b->sliding_rope.has_value());
  for (std::int32_t i = 0; i < a->layers; ++i) {
    EXPECT_EQ(a->layer_rotates(i), b->layer_rotates(i)) << i;
    // GGUF's llama has no word for a window.
    if (a->architecture == b->architecture) {
      EXPECT_EQ(a->layer_slides(i), b->layer_slides(i)) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, CommittedModelTest,
                         ::testing::Values("llama2", "llama3", "llama_biases", "mistral", "mixtral",
                                           "qwen2", "qwen3", "qwen3moe", "gemma", "gemma2",
                                           "gemma3", "phi3", "phi3_longrope", "smollm3"),
                         [](const auto& test) { return test.param; });

// tools/make_sharded_golden.py wrote both the shards and what torch reads from them.
TEST(ShardedModelTest, HasTheValuesThatTorchReads) {
  const fs::path folder = model_data("llama3_shards");
  const auto checkpoint = open(folder);
  ASSERT_TRUE(checkpoint);
  EXPECT_GE(
      std::count_if(fs::directory_iterator(folder), fs::directory_iterator(),
                    [](const auto& entry) { return entry.path().extension() == ".safetensors"; }),
      2);
  const auto text = read_text_file(folder / "first_values.json", 1U << 20U);
  ASSERT_TRUE(text);
  const auto expected = parse_object(*text, "first_values.json");
  ASSERT_TRUE(expected);
  const std::vector<std::pair<std::string, std::string>> words = {
      {"model.layers.", "blk."},
      {"model.embed_tokens", "token_embd"},
      {"model.norm", "output_norm"},
      {"input_layernorm", "attn_norm"},
      {"self_attn.o_proj", "attn_output"},
      {"self_attn.", "attn_"},
      {"post_attention_layernorm", "ffn_norm"},
      {"mlp.", "ffn_"},
      {"_proj", ""}};
  std::size_t found = 0;
  for (const auto& member : *expected) {
    std::string name = member.key();
    for (const auto& [from, to] : words) {
      const std::size_t at = name.find(from);
      if (at != std::string::npos) name.replace(at, from.size(), to);
    }
    const TensorView* view = checkpoint->find(name);
    ASSERT_NE(view, nullptr) << name;
    const auto shape = boost::json::value_to<std::vector<std::int64_t>>(member.value().at("shape"));
    EXPECT_EQ(view->shape, shape) << name;
    EXPECT_EQ(view->dtype, shape.size() == 1 ? DType::kF32 : DType::kBF16) << name;
    const std::vector<float> values = values_of(*view);
    double sum = 0.0;
    for (const float value : values) sum += static_cast<double>(value);
    EXPECT_NEAR(sum, member.value().at("sum").to_number<double>(), 1e-9) << name;
    const auto first = boost::json::value_to<std::vector<double>>(member.value().at("first"));
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_EQ(static_cast<double>(values[i]), first[i]) << name;
    }
    ++found;
  }
  EXPECT_EQ(found, checkpoint->tensors().size());
}

// The same model in one file, whose config.json has the older keys.
TEST(ShardedModelTest, IsTheModelInOneFile) {
  const auto sharded = open(model_data("llama3_shards"));
  const auto whole = open(model_data("llama3"));
  ASSERT_TRUE(sharded && whole);
  EXPECT_EQ(tensors_of(*sharded), tensors_of(*whole));
  const auto a = sharded->config();
  const auto b = whole->config();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->rope.scaling, RopeScalingKind::kLlama3);
  EXPECT_EQ(a->rope.scaling, b->rope.scaling);
  EXPECT_EQ(a->rope.base, b->rope.base);
  EXPECT_EQ(a->rope.factor, b->rope.factor);
  EXPECT_EQ(a->rope.original_context_tokens, b->rope.original_context_tokens);
}

}  // namespace
}  // namespace hangar::hf
