#include "formats/hf/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/hf/strict_json.h"

namespace hangar::hf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kSizes =
    R"("hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
       "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100)";

Result<FolderConfig> read(const std::string& text) {
  const auto object = parse_object(text, "m/config.json");
  if (!object) return tl::unexpected<Error>(object.error());
  return read_folder_config(*object, "m/config.json");
}

// A config of this type with usual sizes; `rest` begins with a comma.
std::string text_of(std::string_view type, std::string_view rest = "") {
  return fmt::format(R"({{"model_type": "{}", {}{}}})", type, kSizes, rest);
}

FolderConfig right(const std::string& text) {
  auto config = read(text);
  EXPECT_TRUE(config) << config.error().message << "\n" << text;
  return config ? std::move(*config) : FolderConfig{};
}

ModelConfig model(std::string_view type, std::string_view rest = "") {
  return right(text_of(type, rest)).model;
}

TEST(ConfigTest, LlamaAndItsDefaults) {
  const FolderConfig config = right(text_of("llama"));
  const ModelConfig& m = config.model;
  EXPECT_EQ(m.architecture, "llama");
  EXPECT_EQ(m.layers, 4);
  EXPECT_EQ(m.hidden, 64);
  EXPECT_EQ(m.feed_forward, 96);
  EXPECT_EQ(m.heads, 4);
  EXPECT_EQ(m.kv_heads, 2);
  EXPECT_EQ(m.head_dim, 16);
  EXPECT_EQ(m.vocabulary, 100);
  EXPECT_EQ(m.context_tokens, 2048);
  EXPECT_FLOAT_EQ(m.norm_epsilon, 1e-6F);
  EXPECT_FALSE(m.tied_embeddings);
  EXPECT_EQ(m.gate_function, GateFunction::kSilu);
  EXPECT_FALSE(m.rope.interleaved);
  EXPECT_EQ(m.rope.dim, 16);
  EXPECT_EQ(m.rope.base, 10000.0F);
  EXPECT_EQ(m.rope.scaling, RopeScalingKind::kNone);
  EXPECT_EQ(m.attention_bias, false);
  EXPECT_EQ(m.mlp_bias, false);
  EXPECT_EQ(m.sliding_window, 0);
  EXPECT_EQ(m.experts, 0);
}

TEST(ConfigTest, LlamaWithEverythingSaid) {
  const FolderConfig config = right(text_of("llama", R"(, "head_dim": 32, "rms_norm_eps": 1e-5,
      "max_position_embeddings": 4096, "tie_word_embeddings": true, "attention_bias": true,
      "mlp_bias": true, "hidden_act": "gelu", "rope_theta": 500000, "partial_rotary_factor": 0.5)"));
  EXPECT_EQ(config.model.head_dim, 32);
  EXPECT_FLOAT_EQ(config.model.norm_epsilon, 1e-5F);
  EXPECT_EQ(config.model.context_tokens, 4096);
  EXPECT_TRUE(config.model.tied_embeddings);
  EXPECT_TRUE(config.query_key_value_bias && config.attention_output_bias && config.mlp_bias);
  EXPECT_EQ(config.model.gate_function, GateFunction::kGelu);
  EXPECT_EQ(config.model.rope.base, 500000.0F);
  EXPECT_EQ(config.model.rope.dim, 16);
}

TEST(ConfigTest, WithoutKeyValueHeadsThereAreAsManyAsHeads) {
  const auto config = right(R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 96,
      "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 10,
      "num_key_value_heads": null})");
  EXPECT_EQ(config.model.kv_heads, 4);
}

TEST(ConfigTest, TheClassStandsInForAMissingType) {
  EXPECT_EQ(right(fmt::format(R"({{"architectures": ["Qwen3ForCausalLM"], {}}})", kSizes))
                .model.architecture,
            "qwen3");
}

TEST(ConfigTest, RopeScalingInItsOldAndNewSpelling) {
  const std::string_view scaling = R"("factor": 8.0, "low_freq_factor": 1.0,
      "high_freq_factor": 4.0, "original_max_position_embeddings": 8192)";
  const std::vector<std::string> spellings = {
      fmt::format(R"(, "rope_theta": 5e5, "rope_scaling": {{"rope_type": "llama3", {}}})", scaling),
      fmt::format(R"(, "rope_theta": 5e5, "rope_scaling": {{"type": "llama3", {}}})", scaling),
      fmt::format(R"(, "rope_parameters": {{"rope_type": "llama3", "rope_theta": 5e5, {}}})",
                  scaling)};
  for (const std::string& spelling : spellings) {
    const RopeConfig rope = model("llama", spelling).rope;
    EXPECT_EQ(rope.scaling, RopeScalingKind::kLlama3);
    EXPECT_EQ(rope.base, 5e5F);
    EXPECT_EQ(rope.factor, 8.0F);
    EXPECT_EQ(rope.low_frequency_factor, 1.0F);
    EXPECT_EQ(rope.high_frequency_factor, 4.0F);
    EXPECT_EQ(rope.original_context_tokens, 8192);
  }
}

TEST(ConfigTest, YarnStretchesTheContext) {
  const ModelConfig m = model("qwen2", R"(, "max_position_embeddings": 32768,
      "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768})");
  EXPECT_EQ(m.rope.scaling, RopeScalingKind::kYarn);
  EXPECT_EQ(m.context_tokens, 131072);
  EXPECT_NEAR(m.rope.attention_factor, 0.1 * std::log(4.0) + 1.0, 1e-6);
  EXPECT_EQ(m.rope.beta_fast, 32.0F);
  EXPECT_EQ(m.rope.beta_slow, 1.0F);
}

TEST(ConfigTest, YarnsMagnitudeFromItsTwoScales) {
  const ModelConfig m = model("llama", R"(, "rope_scaling": {"rope_type": "yarn", "factor": 40.0,
      "mscale": 1.0, "mscale_all_dim": 0.5, "beta_fast": 16, "beta_slow": 2})");
  const double expected = (0.1 * std::log(40.0) + 1.0) / (0.05 * std::log(40.0) + 1.0);
  EXPECT_NEAR(m.rope.attention_factor, expected, 1e-6);
  EXPECT_EQ(m.rope.beta_fast, 16.0F);
  EXPECT_EQ(m.rope.original_context_tokens, 2048);
}

TEST(ConfigTest, Phi3sLongRope) {
  const std::string_view rest = R"(, "max_position_embeddings": 131072,
      "original_max_position_embeddings": 4096, "rope_scaling": {"type": "su",
      "short_factor": [1, 1.1, 1, 1, 1, 1, 1, 1], "long_factor": [2, 2, 2, 2, 2, 2, 2, 3]})";
  const ModelConfig m = model("phi3", rest);
  EXPECT_EQ(m.rope.scaling, RopeScalingKind::kLongRope);
  EXPECT_EQ(m.rope.original_context_tokens, 4096);
  EXPECT_EQ(m.rope.factor, 32.0F);
  EXPECT_NEAR(m.rope.attention_factor, std::sqrt(1 + std::log(32.0) / std::log(4096.0)), 1e-6);
  EXPECT_FLOAT_EQ(m.rope.short_divisors[1], 1.1F);
  EXPECT_EQ(m.rope.long_divisors.back(), 3.0F);
  EXPECT_EQ(m.context_tokens, 131072);
}

TEST(ConfigTest, MistralsWindow) {
  EXPECT_EQ(model("mistral").sliding_window, 4096);
  EXPECT_EQ(model("mistral", R"(, "sliding_window": null)").sliding_window, 0);
  const ModelConfig m = model("mistral", R"(, "sliding_window": 16)");
  EXPECT_EQ(m.sliding_window, 16);
  EXPECT_TRUE(m.sliding_layers.empty());
  EXPECT_EQ(m.architecture, "mistral");
}

TEST(ConfigTest, Qwen2sWindowIsOffUnlessTurnedOn) {
  EXPECT_EQ(model("qwen2", R"(, "sliding_window": 16, "max_window_layers": 1)").sliding_window, 0);
  const ModelConfig m = model("qwen2", R"(, "use_sliding_window": true, "sliding_window": 16,
      "max_window_layers": 1)");
  EXPECT_EQ(m.sliding_window, 16);
  EXPECT_THAT(m.sliding_layers, ElementsAre(0, 1, 1, 1));
  // Above the last layer: none has it.
  EXPECT_EQ(model("qwen2", R"(, "use_sliding_window": true, "sliding_window": 16)").sliding_window,
            0);
  const ModelConfig listed = model("qwen3", R"(, "use_sliding_window": true, "sliding_window": 16,
      "layer_types": ["sliding_attention", "full_attention", "full_attention",
      "sliding_attention"])");
  EXPECT_THAT(listed.sliding_layers, ElementsAre(1, 0, 0, 1));
}

TEST(ConfigTest, Qwen2AlwaysHasThreeBiases) {
  const FolderConfig config = right(text_of("qwen2"));
  EXPECT_TRUE(config.query_key_value_bias);
  EXPECT_FALSE(config.attention_output_bias);
  EXPECT_EQ(config.model.attention_bias, true);
}

TEST(ConfigTest, Qwen3sHeadIsNotHiddenByHeads) {
  EXPECT_EQ(model("qwen3").head_dim, 128);
  EXPECT_EQ(model("qwen3_moe").head_dim, 16);
}

TEST(ConfigTest, Experts) {
  const ModelConfig mixtral =
      model("mixtral", R"(, "num_local_experts": 6, "num_experts_per_tok": 3)");
  EXPECT_EQ(mixtral.experts, 6);
  EXPECT_EQ(mixtral.experts_used, 3);
  EXPECT_EQ(mixtral.expert_feed_forward, 96);
  EXPECT_TRUE(mixtral.normalize_expert_weights);
  EXPECT_EQ(mixtral.rope.base, 1e6F);
  EXPECT_FLOAT_EQ(mixtral.norm_epsilon, 1e-5F);
  const ModelConfig qwen = model("qwen3_moe", R"(, "num_experts": 16, "moe_intermediate_size": 24,
      "norm_topk_prob": true, "decoder_sparse_step": 2, "mlp_only_layers": [3])");
  EXPECT_EQ(qwen.architecture, "qwen3moe");
  EXPECT_EQ(qwen.experts, 16);
  EXPECT_EQ(qwen.experts_used, 8);
  EXPECT_EQ(qwen.expert_feed_forward, 24);
  EXPECT_TRUE(qwen.normalize_expert_weights);
  EXPECT_THAT(qwen.expert_layers, ElementsAre(0, 1, 0, 0));
  EXPECT_FALSE(model("qwen3_moe").normalize_expert_weights);
}

TEST(ConfigTest, TheFirstGemmasGateIsTheApproximation) {
  EXPECT_EQ(model("gemma", R"(, "hidden_act": "gelu", "hidden_activation": null)").gate_function,
            GateFunction::kGeluTanh);
  EXPECT_EQ(model("gemma").gate_function, GateFunction::kGeluTanh);
}

TEST(ConfigTest, Gemma2) {
  const ModelConfig m = model("gemma2", R"(, "sliding_window": 32, "query_pre_attn_scalar": 144,
      "hidden_act": "ignored", "hidden_activation": "gelu_pytorch_tanh")");
  EXPECT_EQ(m.head_dim, 256);
  EXPECT_TRUE(m.tied_embeddings);
  EXPECT_EQ(m.gate_function, GateFunction::kGeluTanh);
  EXPECT_FLOAT_EQ(m.attention_scale, 1.0F / 12.0F);
  EXPECT_FLOAT_EQ(m.embedding_scale, 8.0F);
  EXPECT_EQ(m.attention_softcap, 50.0F);
  EXPECT_EQ(m.logit_softcap, 30.0F);
  EXPECT_EQ(m.sliding_window, 32);
  EXPECT_THAT(m.sliding_layers, ElementsAre(1, 0, 1, 0));
  EXPECT_EQ(model("gemma2", R"(, "attn_logit_softcapping": null)").attention_softcap, 0.0F);
}

TEST(ConfigTest, Gemma3InBothSpellings) {
  const ModelConfig old = model("gemma3_text", R"(, "rope_theta": 2e6, "rope_local_base_freq": 3e4,
      "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "sliding_window": 32,
      "sliding_window_pattern": 2)");
  const ModelConfig now = model("gemma3_text", R"(, "sliding_window": 32, "rope_parameters": {
      "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 2e6},
      "sliding_attention": {"rope_type": "default", "rope_theta": 3e4}},
      "layer_types": ["sliding_attention", "full_attention", "sliding_attention",
      "full_attention"])");
  for (const ModelConfig& m : {old, now}) {
    EXPECT_EQ(m.architecture, "gemma3");
    EXPECT_EQ(m.rope.base, 2e6F);
    EXPECT_EQ(m.rope.scaling, RopeScalingKind::kLinear);
    EXPECT_EQ(m.rope.factor, 8.0F);
    ASSERT_TRUE(m.sliding_rope);
    EXPECT_EQ(m.sliding_rope->base, 3e4F);
    EXPECT_EQ(m.sliding_rope->scaling, RopeScalingKind::kNone);
    EXPECT_THAT(m.sliding_layers, ElementsAre(1, 0, 1, 0));
    EXPECT_EQ(m.attention_softcap, 0.0F);
  }
  const ModelConfig plain = model("gemma3_text");
  EXPECT_EQ(plain.rope.base, 1e6F);
  EXPECT_EQ(plain.sliding_rope->base, 1e4F);
  EXPECT_EQ(plain.sliding_window, 4096);
}

// What is the class's default is left out inside the multimodal config.
TEST(ConfigTest, TheTextHalfOfAMultimodalGemma3) {
  const auto config = right(R"({"model_type": "gemma3",
      "architectures": ["Gemma3ForConditionalGeneration"], "vision_config": {"hidden_size": 1},
      "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
      "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
      "sliding_window": 1024}})");
  EXPECT_EQ(config.model.heads, 8);
  EXPECT_EQ(config.model.kv_heads, 4);
  EXPECT_EQ(config.model.head_dim, 256);
  EXPECT_EQ(config.model.vocabulary, 262208);
  EXPECT_EQ(config.model.context_tokens, 131072);
  EXPECT_EQ(config.model.layers, 34);
  EXPECT_TRUE(config.model.tied_embeddings);
}

TEST(ConfigTest, SmolLm3sLayersWithoutRotation) {
  EXPECT_THAT(model("smollm3").rotated_layers, ElementsAre(1, 1, 1, 0));
  EXPECT_EQ(model("smollm3").rope.base, 2e6F);
  EXPECT_TRUE(model("smollm3").tied_embeddings);
  const ModelConfig m = model("smollm3", R"(, "no_rope_layers": [1, 0, 1, 0, 1],
      "use_sliding_window": true, "sliding_window": 8)");
  EXPECT_THAT(m.rotated_layers, ElementsAre(1, 0, 1, 0));
  EXPECT_THAT(m.sliding_layers, ElementsAre(0, 1, 0, 1));
  EXPECT_EQ(m.sliding_window, 8);
}

struct Bad {
  std::string name;
  std::string config;
  std::string words;
  ErrorCode code = ErrorCode::kCorrupt;
};
void PrintTo(const Bad& bad, std::ostream* out) {
  *out << bad.name;
}

class BadConfigTest : public ::testing::TestWithParam<Bad> {};

TEST_P(BadConfigTest, IsRefusedByTheKey) {
  const auto config = read(GetParam().config);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, GetParam().code) << config.error().message;
  EXPECT_THAT(config.error().message, HasSubstr("m/config.json"));
  EXPECT_THAT(config.error().message, HasSubstr(GetParam().words));
}

constexpr ErrorCode kNo = ErrorCode::kUnsupported;

INSTANTIATE_TEST_SUITE_P(
    All, BadConfigTest,
    ::testing::Values(
        Bad{"Empty", "", "not JSON"}, Bad{"Array", "[]", "not a JSON object"},
        Bad{"Duplicate", R"({"model_type": "llama", "model_type": "qwen2"})",
            "key 'model_type' is there twice"},
        Bad{"DuplicateInside", text_of("llama", R"(, "rope_scaling": {"factor": 1, "factor": 2})"),
            "key 'factor' is there twice"},
        Bad{"NoType", "{}", "'model_type' is missing"},
        Bad{"TypeNoString", R"({"model_type": 3})", "'model_type': 3 found, a string expected"},
        Bad{"NearType", text_of("qwen4"), "'qwen4' is not supported (the nearest that is: 'qwen2')",
            kNo},
        Bad{"FarType", text_of("mamba"), "docs/adding_an_architecture.md", kNo},
        Bad{"TypeWithControls", text_of("\\u001b[1m"), "\\x1b", kNo},
        Bad{"Classifier", text_of("llama", R"(, "architectures": ["LlamaForTokenClassification"])"),
            "LlamaForTokenClassification", kNo},
        Bad{"NoHidden", R"({"model_type": "llama", "num_hidden_layers": 1})",
            "'hidden_size' is missing"},
        Bad{"HiddenIsText", text_of("llama", R"(, "head_dim": "64")"),
            "'head_dim': 64 found, a whole number"},
        Bad{"Negative", text_of("llama", R"(, "head_dim": -4)"), "'head_dim': -4 found"},
        Bad{"Fraction", text_of("llama", R"(, "head_dim": 4.5)"), "'head_dim': 4.5 found"},
        Bad{"Huge", text_of("llama", R"(, "head_dim": 1e300)"), "'head_dim'"},
        Bad{"TooLong", text_of("llama", R"(, "head_dim": 18446744073709551615)"), "'head_dim'"},
        Bad{"ManyElements",
            R"({"model_type": "llama", "hidden_size": 65536, "intermediate_size": 4,
               "num_hidden_layers": 1, "num_attention_heads": 65536, "vocab_size": 4,
               "head_dim": 65536})",
            "at most 4194304 elements"},
        Bad{"HeadsDoNotDivide",
            R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 4,
               "num_hidden_layers": 1, "num_attention_heads": 5, "vocab_size": 4})",
            "a divisor of hidden_size (64)"},
        Bad{"KvDoNotDivide",
            R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 4,
               "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 3,
               "vocab_size": 4})",
            "a divisor of the 4 heads"},
        Bad{"Activation", text_of("llama", R"(, "hidden_act": "relu2")"), "relu2 is not supported",
            kNo},
        Bad{"RopeKind", text_of("llama", R"(, "rope_scaling": {"type": "dynamic", "factor": 2})"),
            "'rope_scaling.type': dynamic is not supported", kNo},
        Bad{"RopeKey",
            text_of("qwen2", R"(, "rope_scaling": {"type": "default", "mrope_section": [1]})"),
            "'rope_scaling.mrope_section'", kNo},
        Bad{"RopeNoFactor", text_of("llama", R"(, "rope_scaling": {"type": "linear"})"),
            "'rope_scaling.factor' is missing"},
        Bad{"RopeTruncate",
            text_of("llama",
                    R"(, "rope_scaling": {"type": "yarn", "factor": 2, "truncate": false})"),
            "'rope_scaling.truncate'", kNo},
        Bad{"RopeListLength",
            text_of("phi3", R"(, "rope_scaling": {"type": "longrope", "short_factor": [1],
                               "long_factor": [1]})"),
            "8 numbers (half of the 16 rotated"},
        Bad{"RopeNested", text_of("llama", R"(, "rope_parameters": {"full_attention": {}})"),
            "one table", kNo},
        Bad{"RopeFlatGemma", text_of("gemma3_text", R"(, "rope_parameters": {"rope_theta": 10})"),
            "one entry a kind of layer", kNo},
        Bad{"OddRotation", text_of("llama", R"(, "partial_rotary_factor": 0.2)"),
            "3 of the 16 elements"},
        Bad{"Theta", text_of("llama", R"(, "rope_theta": 0)"), "'rope_theta': 0 found"},
        Bad{"LayerTypesLength", text_of("gemma2", R"(, "layer_types": ["full_attention"])"),
            "one entry for each of the 4 layers"},
        Bad{"LayerTypesKind",
            text_of("gemma2", R"(, "layer_types": ["full_attention", "full_attention",
                                 "full_attention", "linear_attention"])"),
            "'layer_types'", kNo},
        Bad{"MixedMistral",
            text_of("mistral", R"(, "sliding_window": 4, "layer_types": ["full_attention",
                 "sliding_attention", "full_attention", "sliding_attention"])"),
            "the same attention in every layer", kNo},
        Bad{"WindowMissing",
            text_of("qwen2", R"(, "layer_types": ["full_attention", "full_attention",
                                "full_attention", "sliding_attention"])"),
            "'sliding_window' is missing"},
        Bad{"ExpertsUsed", text_of("mixtral", R"(, "num_experts_per_tok": 9)"),
            "at most the 8 experts"},
        Bad{"ExpertsInLlama", text_of("llama", R"(, "num_local_experts": 8)"),
            "'num_local_experts': 8 is not supported", kNo},
        Bad{"CapsInLlama", text_of("llama", R"(, "attn_logit_softcapping": 50.0)"),
            "'attn_logit_softcapping'", kNo},
        Bad{"Bidirectional", text_of("gemma3_text", R"(, "use_bidirectional_attention": true)"),
            "'use_bidirectional_attention': true is not supported", kNo},
        Bad{"GraniteInDisguise", text_of("llama", R"(, "residual_multiplier": 0.22)"),
            "'residual_multiplier': 0.22", kNo},
        Bad{"NoRopeLayers", text_of("smollm3", R"(, "no_rope_layers": [1])"), "'no_rope_layers'"},
        Bad{"GemmaWithoutText", R"({"model_type": "gemma3"})", "'text_config' is missing"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace hangar::hf
