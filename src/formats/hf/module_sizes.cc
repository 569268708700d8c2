#include "formats/hf/module_sizes.h"

#include <fmt/format.h>

namespace hangar::hf {

bool layer_has_module(const ModuleRule& rule, const ModelConfig& model, std::int32_t layer) {
  return rule.layers == Layers::kAll ||
         model.layer_has_experts(layer) == (rule.layers == Layers::kSparse);
}

std::int64_t module_size(Size size, const ModelConfig& model) {
  const std::int64_t query = std::int64_t{model.heads} * model.head_dim;
  const std::int64_t key_value = std::int64_t{model.kv_heads} * model.head_dim;
  switch (size) {
    case Size::kHidden:
      return model.hidden;
    case Size::kHeadDim:
      return model.head_dim;
    case Size::kQuery:
      return query;
    case Size::kKeyValue:
      return key_value;
    case Size::kQueryKeyValue:
      return query + 2 * key_value;
    case Size::kFeedForward:
      return model.feed_forward;
    case Size::kTwiceFeedForward:
      return 2 * std::int64_t{model.feed_forward};
    case Size::kExperts:
      return model.experts;
    case Size::kExpertFeedForward:
      return model.expert_feed_forward;
  }
  return 0;
}

bool module_has_bias(Bias bias, const FolderConfig& config) {
  switch (bias) {
    case Bias::kNone:
      return false;
    case Bias::kQueryKeyValue:
      return config.query_key_value_bias;
    case Bias::kAttentionOutput:
      return config.attention_output_bias;
    case Bias::kMlp:
      return config.mlp_bias;
  }
  return false;
}

std::string with_number(std::string_view pattern, std::int32_t number) {
  const std::size_t at = pattern.find('#');
  if (at == std::string_view::npos) return std::string(pattern);
  return fmt::format("{}{}{}", pattern.substr(0, at), number, pattern.substr(at + 1));
}

}  // namespace hangar::hf
