#include "formats/gguf/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "formats/gguf/checkpoint.h"
#include "formats/gguf/test_writer.h"

namespace hangar::gguf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kF16 = 1;

TestWriter with_embeddings(TestWriter file) {
  return std::move(file.tensor("token_embd.weight", kF16, {64, 29}, 64 * 29 * 2));
}

Result<ModelConfig> config_of(const TestWriter& writer) {
  const std::vector<std::byte> bytes = writer.bytes();
  HANGAR_TRY(const std::unique_ptr<Checkpoint> checkpoint, open_gguf_bytes(bytes, "m.gguf"));
  return checkpoint->config();
}

TEST(ConfigTest, ReadsALlama) {
  TestWriter file = small_llama_metadata();
  file.add("general.name", std::string("Small")).add("general.license", std::string("mit"));
  file.add("llama.rope.freq_base", 5e5F).add("llama.vocab_size", std::uint32_t{29});
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->architecture, "llama");
  EXPECT_EQ(config->name, "Small");
  EXPECT_EQ(config->license, "mit");
  EXPECT_EQ(config->layers, 1);
  EXPECT_EQ(config->hidden, 64);
  EXPECT_EQ(config->feed_forward, 96);
  EXPECT_EQ(config->heads, 4);
  EXPECT_EQ(config->kv_heads, 2);
  EXPECT_EQ(config->head_dim, 16);
  EXPECT_EQ(config->vocabulary, 29);
  EXPECT_EQ(config->context_tokens, 128);
  EXPECT_EQ(config->norm_epsilon, 1e-5F);
  EXPECT_TRUE(config->tied_embeddings);
  EXPECT_EQ(config->rope.base, 5e5F);
  EXPECT_EQ(config->rope.dim, 16);
  EXPECT_TRUE(config->rope.interleaved);
  EXPECT_EQ(config->rope.scaling, RopeScalingKind::kNone);
  EXPECT_THAT(config->rope.frequency_divisors, ::testing::IsEmpty());
}

TEST(ConfigTest, DefaultsAreTheFormats) {
  const Result<ModelConfig> config =
      config_of(with_embeddings(small_llama_metadata({"llama.attention.head_count_kv"})));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->kv_heads, 4);
  EXPECT_EQ(config->rope.base, 10000.0F);
  EXPECT_EQ(config->vocabulary, 29);  // from the table's rows
}

TEST(ConfigTest, AHeadOfItsOwnIsNotTied) {
  TestWriter file = with_embeddings(small_llama_metadata());
  file.tensor("output.weight", kF16, {64, 29}, 64 * 29 * 2);
  const Result<ModelConfig> config = config_of(file);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FALSE(config->tied_embeddings);
}

TEST(ConfigTest, KeyLengthSetsTheHeadDimension) {
  TestWriter file = small_llama_metadata();
  file.add("llama.attention.key_length", std::uint32_t{32});
  file.add("llama.attention.value_length", std::uint32_t{32});
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->head_dim, 32);
  EXPECT_EQ(config->rope.dim, 32);
}

TEST(ConfigTest, CountsALayerMayBeEqual) {
  TestWriter file = small_llama_metadata({"llama.feed_forward_length"});
  file.add_array("llama.feed_forward_length", std::vector<std::int32_t>{96, 96});
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->feed_forward, 96);
}

// The metadata of a small model of another architecture, with its vocabulary of 29.
TestWriter small_metadata(const std::string& architecture, std::uint32_t layers = 4) {
  TestWriter file;
  file.add("general.architecture", architecture);
  for (const auto& [key, value] : {std::pair{"block_count", layers},
                                   {"context_length", 64U},
                                   {"embedding_length", 64U},
                                   {"feed_forward_length", 96U},
                                   {"attention.head_count", 4U}}) {
    file.add(architecture + "." + key, std::uint32_t{value});
  }
  file.add(architecture + ".attention.layer_norm_rms_epsilon", 1e-6F);
  return file;
}

TEST(ConfigTest, OtherArchitecturesAreReadFromTheirOwnKeys) {
  TestWriter file = small_metadata("mamba");
  file.add("mamba.logit_scale", 3.0F);  // its meaning is the architecture's own
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->architecture, "mamba");
  EXPECT_EQ(config->layers, 4);
  EXPECT_FALSE(config->rope.interleaved);
}

TEST(SpecialConfigTest, AWindowForAllLayers) {
  TestWriter file = small_llama_metadata();
  file.add("llama.attention.sliding_window", std::uint32_t{64});
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->sliding_window, 64);
  EXPECT_TRUE(config->layer_slides(0));
}

TEST(SpecialConfigTest, Gemma2) {
  TestWriter file = small_metadata("gemma2");
  file.add("gemma2.attention.sliding_window", std::uint32_t{32});
  file.add("gemma2.attn_logit_softcapping", 50.0F);
  file.add("gemma2.final_logit_softcapping", 30.0F);
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->gate_function, GateFunction::kGeluTanh);
  EXPECT_EQ(config->attention_softcap, 50.0F);
  EXPECT_EQ(config->logit_softcap, 30.0F);
  EXPECT_EQ(config->attention_scale, 0.0F);  // by the head's size
  EXPECT_THAT(config->sliding_layers, ElementsAre(1, 0, 1, 0));
  EXPECT_FALSE(config->sliding_rope);
  EXPECT_FALSE(config->rope.interleaved);
}

TEST(SpecialConfigTest, TheLargestGemmasScaleScoresByTheHiddenSize) {
  TestWriter file = small_metadata("gemma2", 46);
  file.add("gemma2.attention.key_length", std::uint32_t{32});
  file.add("gemma2.attention.value_length", std::uint32_t{32});
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FLOAT_EQ(config->attention_scale, 0.25F);  // 64 / 4 = 16, not 32
}

TEST(SpecialConfigTest, Gemma3HasARotaryTableForItsWindows) {
  TestWriter file = small_metadata("gemma3", 7);
  file.add("gemma3.attention.sliding_window", std::uint32_t{32});
  file.add("gemma3.rope.freq_base", 1e6F);
  file.add("gemma3.rope.scaling.type", std::string("linear"));
  file.add("gemma3.rope.scaling.factor", 8.0F);
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->sliding_layers, ElementsAre(1, 1, 1, 1, 1, 0, 1));
  EXPECT_EQ(config->rope.base, 1e6F);
  EXPECT_EQ(config->rope.factor, 8.0F);
  ASSERT_TRUE(config->sliding_rope);
  EXPECT_EQ(config->sliding_rope->base, 10000.0F);
  EXPECT_EQ(config->sliding_rope->dim, 16);
  EXPECT_EQ(config->sliding_rope->scaling, RopeScalingKind::kNone);
}

TEST(SpecialConfigTest, PatternsByPeriodAndByLayer) {
  TestWriter period = small_metadata("gemma3");
  period.add("gemma3.attention.sliding_window", std::uint32_t{32});
  period.add("gemma3.attention.sliding_window_pattern", std::uint32_t{3});
  period.add("gemma3.rope.freq_base_swa", 500.0F);
  const Result<ModelConfig> by_period = config_of(with_embeddings(period));
  ASSERT_TRUE(by_period) << by_period.error().message;
  EXPECT_THAT(by_period->sliding_layers, ElementsAre(1, 1, 0, 1));
  EXPECT_EQ(by_period->sliding_rope->base, 500.0F);

  TestWriter flags = small_metadata("gemma3");
  flags.add("gemma3.attention.sliding_window", std::uint32_t{32});
  flags.add_array("gemma3.attention.sliding_window_pattern", std::vector<std::int32_t>{0, 1, 1, 0});
  const Result<ModelConfig> by_layer = config_of(with_embeddings(flags));
  ASSERT_TRUE(by_layer) << by_layer.error().message;
  EXPECT_THAT(by_layer->sliding_layers, ElementsAre(0, 1, 1, 0));
}

TEST(SpecialConfigTest, SmolLM3LeavesEveryFourthLayerUnrotated) {
  const Result<ModelConfig> config = config_of(with_embeddings(small_metadata("smollm3", 5)));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->rotated_layers, ElementsAre(1, 1, 1, 0, 1));
  EXPECT_TRUE(config->rope.interleaved);
}

TEST(SpecialConfigTest, Experts) {
  TestWriter file = small_metadata("qwen3moe");
  file.add("qwen3moe.expert_count", std::uint32_t{8});
  file.add("qwen3moe.expert_used_count", std::uint32_t{2});
  file.add("qwen3moe.expert_feed_forward_length", std::uint32_t{24});
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->experts, 8);
  EXPECT_EQ(config->experts_used, 2);
  EXPECT_EQ(config->expert_feed_forward, 24);
  EXPECT_TRUE(config->normalize_expert_weights);
}

TEST(SpecialConfigTest, MixtralIsALlamaWithExperts) {
  TestWriter file = small_llama_metadata();
  file.add("llama.expert_count", std::uint32_t{8});
  file.add("llama.expert_used_count", std::uint32_t{2});
  file.add("llama.expert_weights_norm", false);
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->experts, 8);
  EXPECT_EQ(config->expert_feed_forward, 96);  // the feed-forward is one expert's
  EXPECT_FALSE(config->normalize_expert_weights);
}

TEST(RopeTest, LinearScaling) {
  TestWriter file = small_llama_metadata();
  file.add("llama.rope.scaling.type", std::string("linear"));
  file.add("llama.rope.scaling.factor", 4.0F);
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->rope.scaling, RopeScalingKind::kLinear);
  EXPECT_EQ(config->rope.factor, 4.0F);
  EXPECT_EQ(config->rope.original_context_tokens, 128);
}

TEST(RopeTest, OldLinearKey) {
  TestWriter file = small_llama_metadata();
  file.add("llama.rope.scale_linear", 2.0F);
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->rope.scaling, RopeScalingKind::kLinear);
  EXPECT_EQ(config->rope.factor, 2.0F);
}

TEST(RopeTest, Llama3Scaling) {
  TestWriter file = small_llama_metadata();
  file.add("llama.rope.scaling.type", std::string("llama3"));
  file.add("llama.rope.scaling.factor", 8.0F);
  file.add("llama.rope.scaling.original_context_length", std::uint32_t{32});
  file.add("llama.rope.scaling.low_freq_factor", 2.0F);
  file.add("llama.rope.scaling.high_freq_factor", 5.0F);
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->rope.scaling, RopeScalingKind::kLlama3);
  EXPECT_EQ(config->rope.factor, 8.0F);
  EXPECT_EQ(config->rope.original_context_tokens, 32);
  EXPECT_EQ(config->rope.low_frequency_factor, 2.0F);
  EXPECT_EQ(config->rope.high_frequency_factor, 5.0F);
}

TestWriter yarn() {
  TestWriter file = small_llama_metadata();
  file.add("llama.rope.scaling.type", std::string("yarn"));
  file.add("llama.rope.scaling.factor", 4.0F);
  file.add("llama.rope.scaling.original_context_length", std::uint32_t{32});
  return file;
}

TEST(RopeTest, YarnScaling) {
  TestWriter file = yarn();
  file.add("llama.rope.scaling.yarn_beta_fast", 16.0F);
  file.add("llama.rope.scaling.yarn_beta_slow", 2.0F);
  const Result<ModelConfig> config = config_of(with_embeddings(file));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->rope.scaling, RopeScalingKind::kYarn);
  EXPECT_EQ(config->rope.beta_fast, 16.0F);
  EXPECT_EQ(config->rope.beta_slow, 2.0F);
  EXPECT_EQ(config->rope.attention_factor, 0.0F);  // the usual one
}

TEST(RopeTest, YarnMagnitudeGivenOrMultiplied) {
  TestWriter given = yarn();
  given.add("llama.rope.scaling.yarn_attn_factor", 1.25F);
  const Result<ModelConfig> outright = config_of(with_embeddings(given));
  ASSERT_TRUE(outright) << outright.error().message;
  EXPECT_EQ(outright->rope.attention_factor, 1.25F);

  TestWriter multiplied = yarn();
  multiplied.add("llama.rope.scaling.attn_factor", 0.5F);
  const Result<ModelConfig> half = config_of(with_embeddings(multiplied));
  ASSERT_TRUE(half) << half.error().message;
  EXPECT_FLOAT_EQ(half->rope.attention_factor, 0.5F * (0.1F * std::log(4.0F) + 1.0F));
}

std::string floats(const std::vector<float>& values) {
  std::string out;
  for (const float value : values) TestWriter::put_value(out, value);
  return out;
}

TEST(RopeTest, FrequencyDivisors) {
  TestWriter file = with_embeddings(small_llama_metadata());
  file.tensor_with("rope_freqs.weight", kF32, {8}, floats({1, 1, 1, 1, 2, 4, 8, 8}));
  const Result<ModelConfig> config = config_of(file);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->rope.frequency_divisors, ElementsAre(1, 1, 1, 1, 2, 4, 8, 8));
}

TestWriter phi3_with_factors(const std::vector<float>& long_factors) {
  TestWriter file = small_metadata("phi3");
  file.add("phi3.rope.dimension_count", std::uint32_t{8});
  file.add("phi3.rope.scaling.original_context_length", std::uint32_t{16});
  file.add("phi3.rope.scaling.attn_factor", 1.25F);
  file = with_embeddings(file);
  file.tensor_with("rope_factors_long.weight", kF32, {long_factors.size()}, floats(long_factors));
  return file;
}

TEST(RopeTest, LongRope) {
  TestWriter file = phi3_with_factors({2, 3, 4, 5});
  file.tensor_with("rope_factors_short.weight", kF32, {4}, floats({1, 1, 1.5F, 2}));
  const Result<ModelConfig> config = config_of(file);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->rope.scaling, RopeScalingKind::kLongRope);
  EXPECT_EQ(config->rope.dim, 8);
  EXPECT_EQ(config->rope.original_context_tokens, 16);
  EXPECT_EQ(config->rope.factor, 4.0F);
  EXPECT_EQ(config->rope.attention_factor, 1.25F);
  EXPECT_THAT(config->rope.long_divisors, ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(config->rope.short_divisors, ElementsAre(1, 1, 1.5F, 2));
}

TEST(RopeTest, LongRopeNeedsBothLists) {
  const Result<ModelConfig> config = config_of(phi3_with_factors({2, 3, 4, 5}));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(config.error().message, HasSubstr("'rope_factors_short.weight' is missing"));

  const Result<ModelConfig> cut = config_of(phi3_with_factors({2, 3, 4}));
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().message, HasSubstr("3 elements, 4 expected"));
}

struct Wrong {
  std::string name;
  std::vector<std::string> except;  // keys of the small llama left out
  std::function<void(TestWriter&)> break_it;
  ErrorCode code;
  std::vector<std::string> words;
};

void PrintTo(const Wrong& wrong, std::ostream* out) {
  *out << wrong.name;
}

class WrongConfigTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongConfigTest, IsRefusedByField) {
  TestWriter file = small_llama_metadata(GetParam().except);
  GetParam().break_it(file);
  // Tests of the table itself bring their own.
  const Result<ModelConfig> config =
      config_of(GetParam().name.starts_with("Table") ? file : with_embeddings(file));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, GetParam().code) << config.error().message;
  EXPECT_THAT(config.error().message, HasSubstr("m.gguf"));
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(config.error().message, HasSubstr(word));
  }
}

void nothing(TestWriter&) {}

template <typename T>
std::function<void(TestWriter&)> key(std::string name, T value) {
  return [=](TestWriter& w) { w.add("llama." + name, value); };
}

constexpr ErrorCode kCorrupt = ErrorCode::kCorrupt;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

const Wrong kWrong[] = {
    {"NoArchitecture", {"general.architecture"}, nothing, kCorrupt, {"'general.architecture'"}},
    {"OddArchitecture",
     {"general.architecture"},
     [](TestWriter& w) { w.add("general.architecture", std::string("ll\x1b[1m")); },
     kCorrupt,
     {"'general.architecture'", "\\x1b"}},
    {"UndescribedArchitecture",
     {"general.architecture"},
     [](TestWriter& w) { w.add("general.architecture", std::string("mamba")); },
     kUnsupported,
     {"'mamba'", "'mamba.block_count'"}},
    {"NoLayers", {"llama.block_count"}, nothing, kCorrupt, {"'llama.block_count' is missing"}},
    {"ZeroLayers",
     {"llama.block_count"},
     key("block_count", std::uint32_t{0}),
     kCorrupt,
     {"'llama.block_count'", "0 found", "1 to 4096"}},
    {"NegativeHidden",
     {"llama.embedding_length"},
     key("embedding_length", std::int32_t{-64}),
     kCorrupt,
     {"'llama.embedding_length'", "-64 found"}},
    {"HugeHidden",
     {"llama.embedding_length"},
     key("embedding_length", std::uint64_t{1} << 63U),
     kCorrupt,
     {"'llama.embedding_length'", "9223372036854775808 found"}},
    {"TextHidden",
     {"llama.embedding_length"},
     key("embedding_length", std::string("64")),
     kCorrupt,
     {"'llama.embedding_length'", "string found", "an integer expected"}},
    {"HeadsDoNotDivide",
     {"llama.attention.head_count", "llama.attention.head_count_kv"},
     key("attention.head_count", std::uint32_t{5}),
     kCorrupt,
     {"'llama.attention.head_count'", "divisor"}},
    {"KvHeadsDoNotDivide",
     {"llama.attention.head_count_kv"},
     key("attention.head_count_kv", std::uint32_t{3}),
     kCorrupt,
     {"'llama.attention.head_count_kv'", "3 found", "4 heads"}},
    {"LayersDiffer",
     {"llama.attention.head_count_kv"},
     [](TestWriter& w) {
       w.add_array("llama.attention.head_count_kv", std::vector<std::int32_t>{2, 4});
     },
     kUnsupported,
     {"'llama.attention.head_count_kv'", "layer to layer (2 and 4)"}},
    {"ValuesDifferFromKeys",
     {},
     key("attention.value_length", std::uint32_t{8}),
     kUnsupported,
     {"'llama.attention.value_length'", "8 found", "keys have 16"}},
    {"HeadsTooLargeTogether",
     {"llama.attention.head_count", "llama.attention.head_count_kv"},
     [](TestWriter& w) {
       w.add("llama.attention.head_count", std::uint32_t{65536});
       w.add("llama.attention.key_length", std::uint32_t{65536});
     },
     kCorrupt,
     {"65536 heads of 65536"}},
    {"NoEpsilon",
     {"llama.attention.layer_norm_rms_epsilon"},
     nothing,
     kCorrupt,
     {"'llama.attention.layer_norm_rms_epsilon' is missing"}},
    {"EpsilonNan",
     {"llama.attention.layer_norm_rms_epsilon"},
     key("attention.layer_norm_rms_epsilon", std::numeric_limits<float>::quiet_NaN()),
     kCorrupt,
     {"layer_norm_rms_epsilon", "nan found"}},
    {"RopeBaseInfinite",
     {},
     key("rope.freq_base", std::numeric_limits<float>::infinity()),
     kCorrupt,
     {"'llama.rope.freq_base'", "inf found"}},
    {"RopeDimOdd",
     {},
     key("rope.dimension_count", std::uint32_t{15}),
     kCorrupt,
     {"'llama.rope.dimension_count'", "15 found", "even"}},
    {"RopeDimPastHead",
     {},
     key("rope.dimension_count", std::uint32_t{18}),
     kCorrupt,
     {"'llama.rope.dimension_count'", "18 found", "2 to 16"}},
    {"RopeScalingUnknown",
     {},
     key("rope.scaling.type", std::string("ntk")),
     kUnsupported,
     {"'llama.rope.scaling.type'", "'ntk'", "yarn"}},
    {"LongRopeWithoutFactors",
     {},
     key("rope.scaling.type", std::string("longrope")),
     kCorrupt,
     {"'rope_factors_long.weight' is missing"}},
    {"RopeScalingWithoutFactor",
     {},
     key("rope.scaling.type", std::string("linear")),
     kCorrupt,
     {"'llama.rope.scaling.factor' is missing"}},
    {"RopeFreqsLength",
     {},
     [](TestWriter& w) { w.tensor("rope_freqs.weight", kF32, {4}, 16); },
     kCorrupt,
     {"'rope_freqs.weight'", "4 elements", "8 expected"}},
    {"RopeFreqsZero",
     {},
     [](TestWriter& w) {
       w.tensor_with("rope_freqs.weight", kF32, {8}, floats({1, 1, 1, 0, 1, 1, 1, 1}));
     },
     kCorrupt,
     {"'rope_freqs.weight'", "0 found"}},
    {"ExpertsWithoutUse",
     {},
     key("expert_count", std::uint32_t{8}),
     kCorrupt,
     {"'llama.expert_used_count' is missing"}},
    {"MoreExpertsUsed",
     {},
     [](TestWriter& w) {
       w.add("llama.expert_count", std::uint32_t{4});
       w.add("llama.expert_used_count", std::uint32_t{5});
     },
     kCorrupt,
     {"'llama.expert_used_count'", "5 found", "1 to 4"}},
    {"SharedExperts",
     {},
     key("expert_shared_count", std::uint32_t{1}),
     kUnsupported,
     {"'llama.expert_shared_count'", "1 is not supported"}},
    {"WindowPatternLength",
     {},
     [](TestWriter& w) {
       w.add("llama.attention.sliding_window", std::uint32_t{8});
       w.add_array("llama.attention.sliding_window_pattern", std::vector<std::int32_t>{1, 0});
     },
     kCorrupt,
     {"'llama.attention.sliding_window_pattern'", "2 elements", "1 layers"}},
    {"WindowPatternType",
     {},
     [](TestWriter& w) {
       w.add("llama.attention.sliding_window", std::uint32_t{8});
       w.add_array("llama.attention.sliding_window_pattern", std::vector<std::string>{"yes"});
     },
     kCorrupt,
     {"'llama.attention.sliding_window_pattern'", "array of string"}},
    {"LogitScale", {}, key("logit_scale", 0.25F), kUnsupported, {"'llama.logit_scale'"}},
    {"NotCausal", {}, key("attention.causal", false), kUnsupported, {"'llama.attention.causal'"}},
    {"VocabularyContradictsTable",
     {},
     key("vocab_size", std::uint32_t{30}),
     kCorrupt,
     {"'token_embd.weight'", "{29, 64}", "{30, 64}"}},
    {"MoreTokensThanRows",
     {},
     [](TestWriter& w) { w.add_array("tokenizer.ggml.tokens", std::vector<std::string>(30, "t")); },
     kCorrupt,
     {"'tokenizer.ggml.tokens'", "30 tokens", "29 rows"}},
    {"TableMissing",
     {},
     [](TestWriter& w) { w.tensor("other", kF32, {1}, 4); },
     kCorrupt,
     {"'token_embd.weight' is missing"}},
    {"TableTooNarrow",
     {},
     [](TestWriter& w) { w.tensor("token_embd.weight", kF32, {32, 29}, 32 * 29 * 4); },
     kCorrupt,
     {"'token_embd.weight'", "{29, 32}", "{29, 64}"}},
    {"TableAndHeadDiffer",
     {},
     [](TestWriter& w) {
       w.tensor("token_embd.weight", kF16, {64, 29}, 64 * 29 * 2);
       w.tensor("output.weight", kF16, {64, 28}, 64 * 28 * 2);
     },
     kCorrupt,
     {"'output.weight'", "{28, 64}", "{29, 64}"}},
    {"TablelessVocabulary", {}, nothing, kUnsupported, {"vocabulary only"}},
};

INSTANTIATE_TEST_SUITE_P(Fields, WrongConfigTest, ::testing::ValuesIn(kWrong),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace hangar::gguf
