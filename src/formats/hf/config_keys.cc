#include "formats/hf/config_keys.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "formats/gguf/cursor.h"

namespace hangar::hf {
namespace {

// Keys that change the maths, and the value that does not.
struct Neutral {
  std::string_view key;
  double value;
};
constexpr std::array kNeutral = {
    Neutral{"add_cross_attention", 0},
    Neutral{"alibi", 0},
    Neutral{"attention_chunk_size", 0},
    Neutral{"attention_multiplier", 0},
    Neutral{"clip_qkv", 0},
    Neutral{"embedding_multiplier", 1},
    Neutral{"is_encoder_decoder", 0},
    Neutral{"logit_scale", 1},
    Neutral{"logits_scaling", 1},
    Neutral{"n_shared_experts", 0},
    Neutral{"num_shared_experts", 0},
    Neutral{"qk_layernorm", 0},
    Neutral{"residual_multiplier", 1},
    Neutral{"shared_expert_intermediate_size", 0},
    Neutral{"use_bidirectional_attention", 0},
    Neutral{"use_parallel_residual", 0},
    Neutral{"use_qk_norm", 0},
};
constexpr std::array kNeutralWithoutCaps = {
    Neutral{"attn_logit_softcapping", 0},
    Neutral{"final_logit_softcapping", 0},
};
constexpr std::array kNeutralWithoutExperts = {
    Neutral{"num_experts", 0},
    Neutral{"num_local_experts", 0},
};

// Read somewhere in this folder, or without a meaning for inference. Sorted.
constexpr std::array<std::string_view, 102> kKnown = {
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_commit_hash",
    "_name_or_path",
    "_sliding_window_pattern",
    "add_cross_attention",
    "alibi",
    "architectures",
    "attention_bias",
    "attention_chunk_size",
    "attention_dropout",
    "attention_multiplier",
    "attn_logit_softcapping",
    "auto_map",
    "bos_token_id",
    "cache_implementation",
    "chunk_size_feed_forward",
    "clip_qkv",
    "compression_config",
    "decoder_sparse_step",
    "dtype",
    "embd_pdrop",
    "embedding_multiplier",
    "eos_token_id",
    "final_logit_softcapping",
    "head_dim",
    "hidden_act",
    "hidden_activation",
    "hidden_dropout",
    "hidden_size",
    "id2label",
    "initializer_range",
    "intermediate_size",
    "is_decoder",
    "is_encoder_decoder",
    "label2id",
    "layer_types",
    "logit_scale",
    "logits_scaling",
    "max_position_embeddings",
    "max_window_layers",
    "mlp_bias",
    "mlp_only_layers",
    "model_type",
    "moe_intermediate_size",
    "n_shared_experts",
    "no_rope_layer_interval",
    "no_rope_layers",
    "norm_topk_prob",
    "num_attention_heads",
    "num_experts",
    "num_experts_per_tok",
    "num_hidden_layers",
    "num_key_value_heads",
    "num_local_experts",
    "num_shared_experts",
    "original_max_position_embeddings",
    "output_attentions",
    "output_hidden_states",
    "output_router_logits",
    "pad_token_id",
    "partial_rotary_factor",
    "pretraining_tp",
    "problem_type",
    "qk_layernorm",
    "quantization_config",
    "query_pre_attn_scalar",
    "resid_pdrop",
    "residual_multiplier",
    "return_dict",
    "rms_norm_eps",
    "rope_interleaved",
    "rope_local_base_freq",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "shared_expert_intermediate_size",
    "sliding_window",
    "sliding_window_pattern",
    "sliding_window_size",
    "task_specific_params",
    "tie_word_embeddings",
    "tokenizer_class",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "unk_token_id",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_bidirectional_attention",
    "use_cache",
    "use_mrope",
    "use_parallel_residual",
    "use_qk_norm",
    "use_return_dict",
    "use_sliding_window",
    "vocab_size",
    "warnings_issued",
    "world_size",
};

bool is_neutral(const boost::json::value& value, double neutral) {
  if (value.is_bool()) return (value.get_bool() ? 1.0 : 0.0) == neutral;
  if (const auto* i = value.if_int64()) return static_cast<double>(*i) == neutral;
  if (const auto* d = value.if_double()) return *d == neutral;
  return false;
}

template <std::size_t N>
Status refuse(const Fields& fields, const std::array<Neutral, N>& list) {
  for (const Neutral& neutral : list) {
    const boost::json::value* value = fields.find(neutral.key);
    if (value == nullptr || is_neutral(*value, neutral.value)) continue;
    return fields.unsupported(neutral.key, fmt::format("{} (not used)", neutral.value));
  }
  return {};
}

}  // namespace

Status check_keys(const Fields& fields, const ModelType& type) {
  HANGAR_CHECK_OK(refuse(fields, kNeutral));
  if (type.name != "gemma2" && type.name != "gemma3_text") {
    HANGAR_CHECK_OK(refuse(fields, kNeutralWithoutCaps));
  }
  if (type.name != "mixtral" && type.name != "qwen3_moe") {
    HANGAR_CHECK_OK(refuse(fields, kNeutralWithoutExperts));
  }
  // Both change how q and k are rotated.
  HANGAR_TRY(const bool interleaved, fields.boolean_or("rope_interleaved", false));
  if (interleaved) return fields.unsupported("rope_interleaved", "false");
  HANGAR_TRY(const bool multimodal, fields.boolean_or("use_mrope", false));
  if (multimodal) return fields.unsupported("use_mrope", "false");
  std::vector<std::string> unknown;
  for (const auto& member : fields.object()) {
    const std::string_view key = member.key();
    if (!std::binary_search(kKnown.begin(), kKnown.end(), key) && !member.value().is_null()) {
      unknown.push_back(gguf::printable(key, 60));
    }
  }
  if (unknown.size() > 10) unknown.resize(10);
  if (!unknown.empty()) {
    spdlog::info("{}: keys that are not known and not used: {}", fields.file(),
                 fmt::join(unknown, ", "));
  }
  return {};
}

}  // namespace hangar::hf
