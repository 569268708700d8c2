#include "formats/hf/config.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "formats/hf/config_keys.h"
#include "formats/hf/config_limits.h"
#include "formats/hf/config_rope.h"
#include "formats/hf/strict_json.h"

namespace hangar::hf {
namespace {

constexpr std::string_view kMultimodalGemma = "gemma3";

// Other classes put another head on the same layers.
Status check_class(const Fields& top) {
  HANGAR_TRY(const auto classes, top.texts("architectures"));
  for (const std::string_view name : classes.value_or(std::vector<std::string_view>{})) {
    if (name.ends_with("ForCausalLM") || name == "Gemma3ForConditionalGeneration") continue;
    return top.unsupported("architectures", "classes such as LlamaForCausalLM");
  }
  return {};
}

Result<GateFunction> read_gate(const Fields& fields, const ModelType& type) {
  // The first Gemma says "gelu" and means its approximation; in later ones hidden_act is a relic
  // that transformers does not read.
  const bool first_gemma = type.name == "gemma";
  const bool later_gemma = type.norms_add_one && !first_gemma;
  const std::string_view key = later_gemma ? "hidden_activation" : "hidden_act";
  HANGAR_TRY(const std::optional<std::string_view> name, fields.text(key));
  if (!name) return type.norms_add_one ? GateFunction::kGeluTanh : GateFunction::kSilu;
  if (*name == "silu" || *name == "swish") return GateFunction::kSilu;
  if (*name == "gelu_pytorch_tanh" || *name == "gelu_new") return GateFunction::kGeluTanh;
  if (*name == "gelu") return first_gemma ? GateFunction::kGeluTanh : GateFunction::kGelu;
  return fields.unsupported(key, "silu, gelu, gelu_pytorch_tanh");
}

// A size that must be given unless the type has a default for it.
Result<std::int32_t> read_size(const Fields& fields, std::string_view key, std::int64_t high,
                               std::int32_t otherwise) {
  if (otherwise == 0) return fields.required_integer(key, 1, high);
  return fields.integer_or(key, 1, high, otherwise);
}

Status read_heads(const Fields& fields, const SizeDefaults& sizes, ModelConfig& model) {
  HANGAR_TRY(model.heads, read_size(fields, "num_attention_heads", kMaxHeads, sizes.heads));
  HANGAR_TRY(model.kv_heads, fields.integer_or("num_key_value_heads", 1, kMaxHeads,
                                               sizes.kv_heads != 0 ? sizes.kv_heads : model.heads));
  if (model.heads % model.kv_heads != 0) {
    return fields.wrong("num_key_value_heads",
                        fmt::format("a divisor of the {} heads", model.heads));
  }
  HANGAR_TRY(const std::optional<std::int64_t> given, fields.integer("head_dim", 2, kMaxHeadDim));
  if (given) {
    model.head_dim = static_cast<std::int32_t>(*given);
  } else if (sizes.head_dim != 0) {
    model.head_dim = sizes.head_dim;
  } else {
    if (model.hidden % model.heads != 0) {
      return fields.wrong("num_attention_heads",
                          fmt::format("a divisor of hidden_size ({})", model.hidden));
    }
    model.head_dim = model.hidden / model.heads;
  }
  if (std::int64_t{model.heads} * model.head_dim > kMaxHeadElements) {
    return fields.wrong("num_attention_heads",
                        fmt::format("heads of {} elements, at most {} elements in all",
                                    model.head_dim, kMaxHeadElements));
  }
  return {};
}

Result<FolderConfig> read_text_config(const Fields& fields, const ModelType& type) {
  FolderConfig config;
  ModelConfig& model = config.model;
  const SizeDefaults& sizes = type.sizes;
  config.type = &type;
  model.architecture = type.architecture;
  HANGAR_TRY(model.layers, read_size(fields, "num_hidden_layers", kMaxLayers, sizes.layers));
  HANGAR_TRY(model.hidden, read_size(fields, "hidden_size", kMaxHidden, sizes.hidden));
  HANGAR_TRY(model.feed_forward,
             read_size(fields, "intermediate_size", kMaxFeedForward, sizes.feed_forward));
  HANGAR_TRY(model.vocabulary, read_size(fields, "vocab_size", kMaxVocabulary, sizes.vocabulary));
  HANGAR_TRY(model.context_tokens,
             fields.integer_or("max_position_embeddings", 1, kMaxContext, type.context_tokens));
  HANGAR_CHECK_OK(read_heads(fields, sizes, model));
  HANGAR_TRY(model.norm_epsilon, fields.number_or("rms_norm_eps", 0.0, 1.0, type.norm_epsilon));
  HANGAR_TRY(model.tied_embeddings, fields.boolean_or("tie_word_embeddings", type.tied_embeddings));
  HANGAR_TRY(model.gate_function, read_gate(fields, type));
  HANGAR_CHECK_OK(read_rope(fields, type, model));
  HANGAR_CHECK_OK(type.read_rest(fields, config));
  model.attention_bias = config.query_key_value_bias;
  model.mlp_bias = config.mlp_bias;
  HANGAR_CHECK_OK(check_keys(fields, type));
  return config;
}

// The model type, also where only the class is named.
Result<const ModelType*> read_type(const Fields& top) {
  HANGAR_TRY(const std::optional<std::string_view> name, top.text("model_type"));
  if (name) {
    const ModelType* type = find_model_type(*name);
    if (type == nullptr) return tl::unexpected<Error>(unknown_model_type(top.file(), *name));
    return type;
  }
  HANGAR_TRY(const auto classes, top.texts("architectures"));
  for (const std::string_view class_name : classes.value_or(std::vector<std::string_view>{})) {
    for (const ModelType& type : model_types()) {
      if (type.class_name == class_name) return &type;
    }
  }
  return top.missing("model_type", "a name such as 'llama'");
}

}  // namespace

Result<FolderConfig> read_folder_config(const boost::json::object& config, std::string_view file) {
  const Fields top(config, std::string(file));
  HANGAR_CHECK_OK(check_class(top));
  HANGAR_TRY(const std::optional<std::string_view> name, top.text("model_type"));
  if (name != kMultimodalGemma) {
    HANGAR_TRY(const ModelType* type, read_type(top));
    return read_text_config(top, *type);
  }
  // The text half of a multimodal Gemma 3; its pictures are not for us.
  HANGAR_TRY(const std::optional<Fields> text, top.fields("text_config"));
  if (!text) return top.missing("text_config", "an object");
  HANGAR_TRY(FolderConfig out, read_text_config(*text, *find_model_type("gemma3_text")));
  HANGAR_TRY(out.model.tied_embeddings,
             top.boolean_or("tie_word_embeddings", out.model.tied_embeddings));
  return out;
}

}  // namespace hangar::hf
