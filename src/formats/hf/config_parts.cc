#include "formats/hf/config_parts.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "formats/hf/config_limits.h"

namespace hangar::hf {
namespace {

using LayerFlags = std::vector<std::uint8_t>;

// attention_bias is on all four projections.
Status read_attention_bias(const Fields& fields, FolderConfig& config) {
  HANGAR_TRY(const bool bias, fields.boolean_or("attention_bias", false));
  config.query_key_value_bias = bias;
  config.attention_output_bias = bias;
  return {};
}

// 0: none. A key that is null says "none"; one that is missing takes the class's default.
Result<std::int32_t> read_window(const Fields& fields, std::int32_t otherwise) {
  if (!fields.has_key("sliding_window")) return otherwise;
  return fields.integer_or("sliding_window", 1, kMaxContext, 0);
}

Status check_length(const Fields& fields, std::string_view key, std::size_t length,
                    const ModelConfig& model) {
  if (length == static_cast<std::size_t>(model.layers)) return {};
  return fields.wrong(key, fmt::format("one entry for each of the {} layers", model.layers));
}

// Which layers have the window, where layer_types says so.
Result<std::optional<LayerFlags>> read_layer_types(const Fields& fields, const ModelConfig& model) {
  HANGAR_TRY(const auto types, fields.texts("layer_types"));
  if (!types) return std::nullopt;
  HANGAR_CHECK_OK(check_length(fields, "layer_types", types->size(), model));
  LayerFlags sliding;
  for (const std::string_view type : *types) {
    if (type != "sliding_attention" && type != "full_attention") {
      return fields.unsupported("layer_types", "full_attention and sliding_attention");
    }
    sliding.push_back(type == "sliding_attention" ? 1 : 0);
  }
  return sliding;
}

// Sets the window on the layers of `sliding`; none of them: no window at all.
Status set_window(const Fields& fields, std::int32_t window, LayerFlags sliding,
                  ModelConfig& model) {
  if (std::find(sliding.begin(), sliding.end(), 1) == sliding.end()) return {};
  if (window == 0) {
    return fields.missing("sliding_window", "the window of the layers with sliding_attention");
  }
  model.sliding_window = window;
  const bool all = std::find(sliding.begin(), sliding.end(), 0) == sliding.end();
  if (!all) model.sliding_layers = std::move(sliding);
  return {};
}

// A window on every layer. layer_types, where the file has them, must say the same.
Status read_uniform_window(const Fields& fields, std::int32_t otherwise, ModelConfig& model) {
  HANGAR_TRY(model.sliding_window, read_window(fields, otherwise));
  HANGAR_TRY(const std::optional<LayerFlags> types, read_layer_types(fields, model));
  const std::uint8_t expected = model.sliding_window > 0 ? 1 : 0;
  for (const std::uint8_t slides : types.value_or(LayerFlags{})) {
    if (slides != expected) {
      return fields.unsupported("layer_types", "the same attention in every layer");
    }
  }
  return {};
}

// Qwen's: use_sliding_window turns it on, from layer max_window_layers.
Status read_qwen_window(const Fields& fields, ModelConfig& model) {
  HANGAR_TRY(const bool use, fields.boolean_or("use_sliding_window", false));
  HANGAR_TRY(std::int32_t window, read_window(fields, 4096));
  if (!use) window = 0;
  HANGAR_TRY(const std::int32_t first, fields.integer_or("max_window_layers", 0, 1 << 30, 28));
  HANGAR_TRY(std::optional<LayerFlags> types, read_layer_types(fields, model));
  if (!types) {
    types.emplace();
    for (std::int32_t i = 0; i < model.layers; ++i) {
      types->push_back(window > 0 && i >= first ? 1 : 0);
    }
  }
  return set_window(fields, window, std::move(*types), model);
}

// Every n-th layer is a full one, unless layer_types says which.
Status read_gemma_window(const Fields& fields, std::int32_t every, ModelConfig& model) {
  HANGAR_TRY(const std::int32_t window, read_window(fields, 4096));
  HANGAR_TRY(std::optional<LayerFlags> types, read_layer_types(fields, model));
  if (!types) {
    types.emplace();
    for (std::int32_t i = 0; i < model.layers; ++i) {
      types->push_back(window > 0 && (i + 1) % every != 0 ? 1 : 0);
    }
  }
  return set_window(fields, window, std::move(*types), model);
}

Result<float> read_cap(const Fields& fields, std::string_view key, float otherwise) {
  if (!fields.has_key(key)) return otherwise;
  return fields.number_or(key, 1e-3, 1e6, 0.0F);  // null: none
}

Status read_gemma(const Fields& fields, float attention_cap, float logit_cap,
                  FolderConfig& config) {
  ModelConfig& model = config.model;
  HANGAR_CHECK_OK(read_attention_bias(fields, config));
  HANGAR_TRY(model.attention_softcap, read_cap(fields, "attn_logit_softcapping", attention_cap));
  HANGAR_TRY(model.logit_softcap, read_cap(fields, "final_logit_softcapping", logit_cap));
  HANGAR_TRY(const float scalar, fields.number_or("query_pre_attn_scalar", 1e-3, 1e9, 256.0F));
  model.attention_scale = 1.0F / std::sqrt(scalar);
  model.embedding_scale = std::sqrt(static_cast<float>(model.hidden));
  return {};
}

Status read_experts(const Fields& fields, std::int32_t count, std::int32_t used,
                    ModelConfig& model) {
  HANGAR_TRY(const std::int32_t local,
             fields.integer_or("num_local_experts", 1, kMaxExperts, count));
  HANGAR_TRY(model.experts, fields.integer_or("num_experts", 1, kMaxExperts, local));
  if (fields.has("num_local_experts") && model.experts != local) {
    return fields.wrong("num_experts", fmt::format("{}, as num_local_experts says", local));
  }
  HANGAR_TRY(model.experts_used, fields.integer_or("num_experts_per_tok", 1, kMaxExperts, used));
  if (model.experts_used > model.experts) {
    return fields.wrong("num_experts_per_tok",
                        fmt::format("at most the {} experts there are", model.experts));
  }
  return {};
}

}  // namespace

Status read_llama_rest(const Fields& fields, FolderConfig& config) {
  HANGAR_TRY(config.mlp_bias, fields.boolean_or("mlp_bias", false));
  return read_attention_bias(fields, config);
}

Status read_mistral_rest(const Fields& fields, FolderConfig& config) {
  return read_uniform_window(fields, 4096, config.model);
}

Status read_mixtral_rest(const Fields& fields, FolderConfig& config) {
  HANGAR_CHECK_OK(read_experts(fields, 8, 2, config.model));
  config.model.expert_feed_forward = config.model.feed_forward;
  return read_uniform_window(fields, 0, config.model);
}

Status read_qwen2_rest(const Fields& fields, FolderConfig& config) {
  config.query_key_value_bias = true;
  return read_qwen_window(fields, config.model);
}

Status read_qwen3_rest(const Fields& fields, FolderConfig& config) {
  HANGAR_CHECK_OK(read_attention_bias(fields, config));
  return read_qwen_window(fields, config.model);
}

Status read_qwen3_moe_rest(const Fields& fields, FolderConfig& config) {
  ModelConfig& model = config.model;
  HANGAR_CHECK_OK(read_attention_bias(fields, config));
  HANGAR_CHECK_OK(read_experts(fields, 128, 8, model));
  HANGAR_TRY(model.expert_feed_forward,
             fields.integer_or("moe_intermediate_size", 1, kMaxFeedForward, 768));
  HANGAR_TRY(model.normalize_expert_weights, fields.boolean_or("norm_topk_prob", false));
  HANGAR_TRY(const std::int32_t step, fields.integer_or("decoder_sparse_step", 1, kMaxLayers, 1));
  HANGAR_TRY(const auto dense, fields.integers("mlp_only_layers", 0, model.layers - 1));
  if (step != 1 || (dense && !dense->empty())) {
    for (std::int32_t i = 0; i < model.layers; ++i) {
      const bool listed = dense && std::find(dense->begin(), dense->end(), i) != dense->end();
      model.expert_layers.push_back(listed || (i + 1) % step != 0 ? 0 : 1);
    }
  }
  HANGAR_TRY(const bool use_window, fields.boolean_or("use_sliding_window", false));
  HANGAR_TRY(const std::int32_t window, read_window(fields, 4096));
  if (use_window) model.sliding_window = window;
  return {};
}

Status read_gemma_rest(const Fields& fields, FolderConfig& config) {
  config.model.embedding_scale = std::sqrt(static_cast<float>(config.model.hidden));
  return read_attention_bias(fields, config);
}

Status read_gemma2_rest(const Fields& fields, FolderConfig& config) {
  HANGAR_CHECK_OK(read_gemma(fields, 50.0F, 30.0F, config));
  return read_gemma_window(fields, 2, config.model);
}

Status read_gemma3_rest(const Fields& fields, FolderConfig& config) {
  HANGAR_CHECK_OK(read_gemma(fields, 0.0F, 0.0F, config));
  HANGAR_TRY(const std::int32_t old_pattern,
             fields.integer_or("sliding_window_pattern", 1, kMaxLayers, 6));
  HANGAR_TRY(const std::int32_t pattern,
             fields.integer_or("_sliding_window_pattern", 1, kMaxLayers, old_pattern));
  return read_gemma_window(fields, pattern, config.model);
}

Status read_phi3_rest(const Fields& fields, FolderConfig& config) {
  return read_uniform_window(fields, 0, config.model);
}

Status read_smollm3_rest(const Fields& fields, FolderConfig& config) {
  ModelConfig& model = config.model;
  HANGAR_TRY(config.mlp_bias, fields.boolean_or("mlp_bias", false));
  HANGAR_CHECK_OK(read_attention_bias(fields, config));
  HANGAR_TRY(const std::int32_t interval,
             fields.integer_or("no_rope_layer_interval", 1, kMaxLayers, 4));
  HANGAR_TRY(const auto listed, fields.integers("no_rope_layers", 0, 1));
  if (listed && listed->size() < static_cast<std::size_t>(model.layers)) {
    return fields.wrong("no_rope_layers",
                        fmt::format("at least one entry for each of the {} layers", model.layers));
  }
  for (std::int32_t i = 0; i < model.layers; ++i) {
    const bool rotates =
        listed ? (*listed)[static_cast<std::size_t>(i)] != 0 : (i + 1) % interval != 0;
    model.rotated_layers.push_back(rotates ? 1 : 0);
  }
  HANGAR_TRY(const bool use_window, fields.boolean_or("use_sliding_window", false));
  HANGAR_TRY(std::int32_t window, read_window(fields, 0));
  if (!use_window) window = 0;
  HANGAR_TRY(std::optional<LayerFlags> types, read_layer_types(fields, model));
  if (!types) {
    types.emplace();
    for (const std::uint8_t rotates : model.rotated_layers) {
      types->push_back(window > 0 && rotates == 0 ? 1 : 0);
    }
  }
  // Without use_sliding_window its layers attend to everything whatever layer_types says.
  if (window == 0) return {};
  return set_window(fields, window, std::move(*types), model);
}

}  // namespace hangar::hf
