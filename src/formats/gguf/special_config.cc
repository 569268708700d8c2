#include "formats/gguf/special_config.h"

#include <array>
#include <cmath>
#include <string>

namespace hangar::gguf {
namespace {

constexpr std::int64_t kMaxWindow = 1 << 30;
constexpr std::int64_t kMaxExperts = 1 << 14;
constexpr std::int64_t kMaxExpertFeedForward = 1 << 24;
constexpr float kHuge = 1e30F;

// Keys that change what a model computes and that ModelConfig has no words for. A file may hold
// them with the value that changes nothing; zero never stands for a scale of zero: old converters
// wrote it for "not used".
struct Neutral {
  std::string_view key;
  float value;
};
constexpr std::array kNeutral = {
    Neutral{"attention.clamp_kqv", 0.0F},
    Neutral{"attention.max_alibi_bias", 0.0F},
    Neutral{"attention.temperature_scale", 0.0F},
    Neutral{"logit_scale", 1.0F},
    Neutral{"residual_scale", 1.0F},
    Neutral{"embedding_scale", 1.0F},
    Neutral{"router_logit_softcapping", 0.0F},
    Neutral{"expert_shared_count", 0.0F},
    Neutral{"expert_shared_feed_forward_length", 0.0F},
    Neutral{"expert_group_count", 0.0F},
    Neutral{"expert_weights_scale", 1.0F},
    Neutral{"expert_gating_func", 1.0F},  // softmax
    Neutral{"nextn_predict_layers", 0.0F},
};

class SpecialReader {
 public:
  SpecialReader(const Metadata& metadata, const ArchitectureFacts& facts, ModelConfig& config)
      : metadata_(metadata), facts_(facts), config_(config) {}

  Status read() {
    config_.gate_function = facts_.gate;
    HANGAR_CHECK_OK(refuse_unknown_maths());
    HANGAR_CHECK_OK(read_scores());
    HANGAR_CHECK_OK(read_window());
    HANGAR_CHECK_OK(read_experts());
    if (facts_.unrotated_every > 0) {
      config_.rotated_layers = all_but_every(facts_.unrotated_every);
    }
    return {};
  }

 private:
  std::string key(std::string_view name) const { return fmt::format("{}.{}", facts_.name, name); }

  // 1, 1, 1, 0, 1, 1, 1, 0, ... for 4.
  std::vector<std::uint8_t> all_but_every(std::int64_t period) const {
    std::vector<std::uint8_t> layers(static_cast<std::size_t>(config_.layers), 1);
    const auto step = static_cast<std::size_t>(period);
    for (std::size_t i = step - 1; i < layers.size(); i += step) layers[i] = 0;
    return layers;
  }

  Status refuse_unknown_maths() const;
  Status read_scores();
  Status read_window();
  Status read_pattern();
  Status read_experts();

  const Metadata& metadata_;
  const ArchitectureFacts& facts_;
  ModelConfig& config_;
};

Status SpecialReader::refuse_unknown_maths() const {
  for (const Neutral& neutral : kNeutral) {
    const std::string full = key(neutral.key);
    HANGAR_TRY(const std::optional<float> value, metadata_.number(full, -kHuge, kHuge));
    if (value && *value != neutral.value && *value != 0.0F) {
      return make_error(ErrorCode::kUnsupported, "{}: metadata '{}': {} is not supported",
                        metadata_.file(), full, *value);
    }
  }
  HANGAR_TRY(const std::optional<bool> causal, metadata_.boolean(key("attention.causal")));
  if (causal && !*causal) {
    return make_error(ErrorCode::kUnsupported, "{}: metadata '{}': false is not supported",
                      metadata_.file(), key("attention.causal"));
  }
  return {};
}

Status SpecialReader::read_scores() {
  for (const auto& [name, field] : {std::pair{"attention.scale", &config_.attention_scale},
                                    {"attn_logit_softcapping", &config_.attention_softcap},
                                    {"final_logit_softcapping", &config_.logit_softcap}}) {
    HANGAR_TRY(const std::optional<float> value, metadata_.number(key(name), 0.0F, kHuge));
    if (value) *field = *value;
  }
  if (config_.attention_scale == 0.0F && config_.layers == facts_.hidden_scaled_layers) {
    const std::int32_t share = config_.hidden / config_.heads;
    config_.attention_scale = 1.0F / std::sqrt(static_cast<float>(share));
  }
  return {};
}

Status SpecialReader::read_window() {
  HANGAR_TRY(const std::optional<std::int64_t> window,
             metadata_.integer(key("attention.sliding_window"), 0, kMaxWindow));
  if (!window || *window == 0) return {};
  config_.sliding_window = static_cast<std::int32_t>(*window);
  HANGAR_CHECK_OK(read_pattern());
  const std::string base_key = key("rope.freq_base_swa");
  HANGAR_TRY(const std::optional<float> base, metadata_.number(base_key, 1e-3F, kHuge));
  if (facts_.sliding_rope_base > 0.0F) {
    RopeConfig rope;
    rope.base = base.value_or(facts_.sliding_rope_base);
    rope.dim = config_.rope.dim;
    rope.interleaved = config_.rope.interleaved;
    config_.sliding_rope = rope;
  } else if (base) {
    config_.sliding_rope = config_.rope;
    config_.sliding_rope->base = *base;
  }
  return {};
}

// A flag for each layer, or a number n: every nth layer has no window.
Status SpecialReader::read_pattern() {
  const std::string full = key("attention.sliding_window_pattern");
  const Value* value = metadata_.find(full);
  const Array* flags = value == nullptr ? nullptr : std::get_if<Array>(&value->data);
  if (flags == nullptr) {
    HANGAR_TRY(const std::optional<std::int64_t> period,
               metadata_.integer(full, 0, config_.layers + 1));
    const std::int64_t every = period.value_or(facts_.full_attention_every);
    if (every > 0) config_.sliding_layers = all_but_every(every);
    return {};
  }
  if (flags->count != static_cast<std::uint64_t>(config_.layers)) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}': {} elements found, one for each of {} layers expected",
                      metadata_.file(), full, flags->count, config_.layers);
  }
  for (std::uint64_t i = 0; i < flags->count; ++i) {
    if (flags->element == ValueType::kString || flags->element == ValueType::kArray) {
      return make_error(ErrorCode::kCorrupt,
                        "{}: metadata '{}': an array of {} found, of {} expected", metadata_.file(),
                        full, value_type_name(flags->element), value_type_name(ValueType::kBool));
    }
    const Value element = scalar_at(*flags, i);
    const bool slides = std::visit(
        [](const auto& x) {
          if constexpr (std::is_arithmetic_v<std::decay_t<decltype(x)>>) return x != 0;
          return false;
        },
        element.data);
    config_.sliding_layers.push_back(slides ? 1 : 0);
  }
  return {};
}

Status SpecialReader::read_experts() {
  HANGAR_TRY(const std::optional<std::int64_t> count,
             metadata_.integer(key("expert_count"), 0, kMaxExperts));
  if (!count || *count == 0) return {};
  config_.experts = static_cast<std::int32_t>(*count);
  const std::string used_key = key("expert_used_count");
  HANGAR_TRY(const std::optional<std::int64_t> used, metadata_.integer(used_key, 1, *count));
  if (!used) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}' is missing; there are {} experts",
                      metadata_.file(), used_key, *count);
  }
  config_.experts_used = static_cast<std::int32_t>(*used);
  HANGAR_TRY(const std::optional<std::int64_t> inner,
             metadata_.integer(key("expert_feed_forward_length"), 1, kMaxExpertFeedForward));
  config_.expert_feed_forward = inner ? static_cast<std::int32_t>(*inner) : config_.feed_forward;
  HANGAR_TRY(const std::optional<bool> normalize, metadata_.boolean(key("expert_weights_norm")));
  config_.normalize_expert_weights = normalize.value_or(true);
  return {};
}

}  // namespace

Status read_special_config(const Metadata& metadata, const ArchitectureFacts& facts,
                           ModelConfig& config) {
  return SpecialReader(metadata, facts, config).read();
}

}  // namespace hangar::gguf
