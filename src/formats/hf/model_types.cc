#include "formats/hf/model_types.h"

#include <fmt/ranges.h>

#include <array>
#include <optional>

#include "base/nearest.h"
#include "formats/gguf/cursor.h"
#include "formats/hf/config_parts.h"

namespace hangar::hf {
namespace {

constexpr ModuleRule vector_rule(std::string_view hf, std::string_view gguf, Size length) {
  return {.hf = hf, .gguf = gguf, .rows = length, .vector = true};
}
constexpr ModuleRule matrix_rule(std::string_view hf, std::string_view gguf, Size rows,
                                 Size columns, Bias bias = Bias::kNone,
                                 Layers layers = Layers::kAll) {
  return {.hf = hf, .gguf = gguf, .rows = rows, .columns = columns, .bias = bias, .layers = layers};
}
constexpr ModuleRule experts_rule(std::string_view hf, std::string_view gguf, Size rows,
                                  Size columns, std::string_view hf_too = {}) {
  return {.hf = hf,
          .gguf = gguf,
          .rows = rows,
          .columns = columns,
          .layers = Layers::kSparse,
          .hf_too = hf_too};
}

constexpr auto kAttentionNorm = vector_rule("input_layernorm", "attn_norm", Size::kHidden);
constexpr auto kMlpNorm = vector_rule("post_attention_layernorm", "ffn_norm", Size::kHidden);
constexpr auto kQ =
    matrix_rule("self_attn.q_proj", "attn_q", Size::kQuery, Size::kHidden, Bias::kQueryKeyValue);
constexpr auto kK =
    matrix_rule("self_attn.k_proj", "attn_k", Size::kKeyValue, Size::kHidden, Bias::kQueryKeyValue);
constexpr auto kV =
    matrix_rule("self_attn.v_proj", "attn_v", Size::kKeyValue, Size::kHidden, Bias::kQueryKeyValue);
constexpr auto kO = matrix_rule("self_attn.o_proj", "attn_output", Size::kHidden, Size::kQuery,
                                Bias::kAttentionOutput);
constexpr auto kQNorm = vector_rule("self_attn.q_norm", "attn_q_norm", Size::kHeadDim);
constexpr auto kKNorm = vector_rule("self_attn.k_norm", "attn_k_norm", Size::kHeadDim);
constexpr auto kGate = matrix_rule("mlp.gate_proj", "ffn_gate", Size::kFeedForward, Size::kHidden,
                                   Bias::kMlp, Layers::kDense);
constexpr auto kUp = matrix_rule("mlp.up_proj", "ffn_up", Size::kFeedForward, Size::kHidden,
                                 Bias::kMlp, Layers::kDense);
constexpr auto kDown = matrix_rule("mlp.down_proj", "ffn_down", Size::kHidden, Size::kFeedForward,
                                   Bias::kMlp, Layers::kDense);

constexpr std::array kLlamaModules = {kAttentionNorm, kQ, kK, kV, kO, kMlpNorm, kGate, kUp, kDown};
constexpr std::array kQwen3Modules = {kAttentionNorm, kQ,       kK,    kV,  kO,   kQNorm,
                                      kKNorm,         kMlpNorm, kGate, kUp, kDown};
constexpr std::array kQwen3MoeModules = {
    kAttentionNorm, kQ, kK, kV, kO, kQNorm, kKNorm, kMlpNorm,
    // The layers of mlp_only_layers and decoder_sparse_step.
    kGate, kUp, kDown, experts_rule("mlp.gate", "ffn_gate_inp", Size::kExperts, Size::kHidden),
    experts_rule("mlp.experts.#.gate_proj", "ffn_gate.#", Size::kExpertFeedForward, Size::kHidden),
    experts_rule("mlp.experts.#.up_proj", "ffn_up.#", Size::kExpertFeedForward, Size::kHidden),
    experts_rule("mlp.experts.#.down_proj", "ffn_down.#", Size::kHidden, Size::kExpertFeedForward)};
constexpr std::array kMixtralModules = {
    kAttentionNorm, kQ, kK, kV, kO, kMlpNorm,
    // The second names are those of transformers 5 in memory.
    experts_rule("block_sparse_moe.gate", "ffn_gate_inp", Size::kExperts, Size::kHidden,
                 "mlp.gate"),
    experts_rule("block_sparse_moe.experts.#.w1", "ffn_gate.#", Size::kExpertFeedForward,
                 Size::kHidden, "mlp.experts.#.gate_proj"),
    experts_rule("block_sparse_moe.experts.#.w3", "ffn_up.#", Size::kExpertFeedForward,
                 Size::kHidden, "mlp.experts.#.up_proj"),
    experts_rule("block_sparse_moe.experts.#.w2", "ffn_down.#", Size::kHidden,
                 Size::kExpertFeedForward, "mlp.experts.#.down_proj")};
constexpr auto kGemmaPostAttentionNorm =
    vector_rule("post_attention_layernorm", "post_attention_norm", Size::kHidden);
constexpr auto kGemmaMlpNorm = vector_rule("pre_feedforward_layernorm", "ffn_norm", Size::kHidden);
constexpr auto kGemmaPostMlpNorm =
    vector_rule("post_feedforward_layernorm", "post_ffw_norm", Size::kHidden);
constexpr std::array kGemma2Modules = {
    kAttentionNorm,   kQ, kK, kV, kO, kGemmaPostAttentionNorm, kGemmaMlpNorm, kGate, kUp, kDown,
    kGemmaPostMlpNorm};
constexpr std::array kGemma3Modules = {kAttentionNorm,
                                       kQ,
                                       kK,
                                       kV,
                                       kO,
                                       kQNorm,
                                       kKNorm,
                                       kGemmaPostAttentionNorm,
                                       kGemmaMlpNorm,
                                       kGate,
                                       kUp,
                                       kDown,
                                       kGemmaPostMlpNorm};
constexpr std::array kPhi3Modules = {
    kAttentionNorm,
    matrix_rule("self_attn.qkv_proj", "attn_qkv", Size::kQueryKeyValue, Size::kHidden),
    kO,
    kMlpNorm,
    matrix_rule("mlp.gate_up_proj", "ffn_up", Size::kTwiceFeedForward, Size::kHidden),
    kDown};

// A new model type: one entry here, its part of config.json in config_parts.cc if it has one of
// its own, and its architecture in model/arch (docs/adding_an_architecture.md).
constexpr std::array kModelTypes = {
    ModelType{.name = "llama",
              .class_name = "LlamaForCausalLM",
              .architecture = "llama",
              .context_tokens = 2048,
              .modules = kLlamaModules,
              .read_rest = read_llama_rest},
    ModelType{.name = "mistral",
              .class_name = "MistralForCausalLM",
              .architecture = "mistral",
              .context_tokens = 131072,
              .modules = kLlamaModules,
              .read_rest = read_mistral_rest},
    ModelType{.name = "mixtral",
              .class_name = "MixtralForCausalLM",
              .architecture = "mixtral",
              .norm_epsilon = 1e-5F,
              .rope_base = 1e6F,
              .context_tokens = 131072,
              .modules = kMixtralModules,
              .read_rest = read_mixtral_rest},
    ModelType{.name = "qwen2",
              .class_name = "Qwen2ForCausalLM",
              .architecture = "qwen2",
              .context_tokens = 32768,
              .modules = kLlamaModules,
              .read_rest = read_qwen2_rest},
    ModelType{.name = "qwen3",
              .class_name = "Qwen3ForCausalLM",
              .architecture = "qwen3",
              .context_tokens = 32768,
              .sizes = {.head_dim = 128},
              .modules = kQwen3Modules,
              .read_rest = read_qwen3_rest},
    ModelType{.name = "qwen3_moe",
              .class_name = "Qwen3MoeForCausalLM",
              .architecture = "qwen3moe",
              .context_tokens = 32768,
              .modules = kQwen3MoeModules,
              .read_rest = read_qwen3_moe_rest},
    ModelType{.name = "gemma",
              .class_name = "GemmaForCausalLM",
              .architecture = "gemma",
              .context_tokens = 8192,
              .tied_embeddings = true,
              .norms_add_one = true,
              .sizes = {.head_dim = 256},
              .modules = kLlamaModules,
              .read_rest = read_gemma_rest},
    ModelType{.name = "gemma2",
              .class_name = "Gemma2ForCausalLM",
              .architecture = "gemma2",
              .context_tokens = 8192,
              .tied_embeddings = true,
              .norms_add_one = true,
              .sizes = {.head_dim = 256},
              .modules = kGemma2Modules,
              .read_rest = read_gemma2_rest},
    // Its entry inside the multimodal "gemma3" leaves out whatever is the class's default.
    ModelType{.name = "gemma3_text",
              .class_name = "Gemma3ForCausalLM",
              .architecture = "gemma3",
              .rope_base = 1e6F,
              .context_tokens = 131072,
              .tied_embeddings = true,
              .norms_add_one = true,
              .sizes = {.layers = 26,
                        .hidden = 2304,
                        .feed_forward = 9216,
                        .heads = 8,
                        .kv_heads = 4,
                        .head_dim = 256,
                        .vocabulary = 262208},
              .modules = kGemma3Modules,
              .read_rest = read_gemma3_rest},
    ModelType{.name = "phi3",
              .class_name = "Phi3ForCausalLM",
              .architecture = "phi3",
              .norm_epsilon = 1e-5F,
              .context_tokens = 4096,
              .modules = kPhi3Modules,
              .read_rest = read_phi3_rest},
    ModelType{.name = "smollm3",
              .class_name = "SmolLM3ForCausalLM",
              .architecture = "smollm3",
              .rope_base = 2e6F,
              .context_tokens = 32768,
              .tied_embeddings = true,
              .modules = kLlamaModules,
              .read_rest = read_smollm3_rest},
};

}  // namespace

std::span<const ModelType> model_types() {
  return kModelTypes;
}

const ModelType* find_model_type(std::string_view name) {
  for (const ModelType& type : kModelTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

Error unknown_model_type(std::string_view file, std::string_view name) {
  std::vector<std::string> known;
  for (const ModelType& type : kModelTypes) known.emplace_back(type.name);
  const std::optional<std::string> nearest = nearest_name(name, known);
  return {ErrorCode::kUnsupported,
          fmt::format("{}: 'model_type': '{}' is not supported{}; supported are: {}. "
                      "docs/adding_an_architecture.md says how to add one",
                      file, gguf::printable(name, 100),
                      nearest ? fmt::format(" (the nearest that is: '{}')", *nearest) : "",
                      fmt::join(known, ", "))};
}

}  // namespace hangar::hf
