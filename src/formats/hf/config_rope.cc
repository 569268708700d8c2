#include "formats/hf/config_rope.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

#include "formats/hf/config_limits.h"

namespace hangar::hf {
namespace {

constexpr double kMaxBase = 1e12;
constexpr double kMaxFactor = 1e6;
constexpr std::array<std::string_view, 18> kKeys = {
    "rope_type", "type", "rope_theta", "partial_rotary_factor", "factor",
    "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow",
    "low_freq_factor", "high_freq_factor", "short_factor", "long_factor", "mscale",
    "mscale_all_dim", "truncate",
    // Notes on how the model was trained.
    "finetuned", "max_position_embeddings"};

Result<RopeScalingKind> read_kind(const Fields& fields, const ModelType& type) {
  const std::string_view key = fields.has("rope_type") ? "rope_type" : "type";
  HANGAR_TRY(const std::optional<std::string_view> name, fields.text(key));
  if (!name || *name == "default") return RopeScalingKind::kNone;
  // Early Phi-3 files call it by other names.
  if (type.name == "phi3") {
    if (*name == "longrope" || *name == "su" || *name == "yarn") return RopeScalingKind::kLongRope;
    return fields.unsupported(key, "default and longrope");
  }
  if (*name == "linear") return RopeScalingKind::kLinear;
  if (*name == "llama3") return RopeScalingKind::kLlama3;
  if (*name == "yarn") return RopeScalingKind::kYarn;
  if (*name == "longrope") return RopeScalingKind::kLongRope;
  return fields.unsupported(key, "default, linear, llama3, yarn and longrope");
}

Result<float> required_number(const Fields& fields, std::string_view key, double low, double high) {
  HANGAR_TRY(const std::optional<double> value, fields.number(key, low, high));
  if (!value) return fields.missing(key, "a number");
  return static_cast<float>(*value);
}

// YaRN's magnitude of cos and sin: 0.1 m ln(factor) + 1.
double yarn_magnitude(double factor, double m) {
  return factor <= 1.0 ? 1.0 : 0.1 * m * std::log(factor) + 1.0;
}

Status read_yarn(const Fields& fields, RopeConfig& rope) {
  HANGAR_TRY(rope.beta_fast, fields.number_or("beta_fast", 1e-3, 1e6, 32.0F));
  HANGAR_TRY(rope.beta_slow, fields.number_or("beta_slow", 1e-3, 1e6, 1.0F));
  HANGAR_TRY(const bool truncate, fields.boolean_or("truncate", true));
  if (!truncate) return fields.unsupported("truncate", "true");
  HANGAR_TRY(const std::optional<double> m, fields.number("mscale", 0.0, 1e3));
  HANGAR_TRY(const std::optional<double> m_all, fields.number("mscale_all_dim", 0.0, 1e3));
  const double factor = rope.factor;
  const double usual = m.value_or(0.0) != 0.0 && m_all.value_or(0.0) != 0.0
                           ? yarn_magnitude(factor, *m) / yarn_magnitude(factor, *m_all)
                           : yarn_magnitude(factor, 1.0);
  HANGAR_TRY(rope.attention_factor,
             fields.number_or("attention_factor", 1e-3, 1e3, static_cast<float>(usual)));
  return {};
}

Status read_long_rope(const Fields& fields, RopeConfig& rope) {
  for (const auto& [key, into] : {std::pair{"short_factor", &rope.short_divisors},
                                  std::pair{"long_factor", &rope.long_divisors}}) {
    HANGAR_TRY(auto divisors, fields.numbers(key, 1e-6, 1e9));
    if (!divisors) return fields.missing(key, "a list of numbers");
    if (divisors->size() != static_cast<std::size_t>(rope.dim / 2)) {
      return fields.wrong(key, fmt::format("{} numbers (half of the {} rotated elements of a head)",
                                           rope.dim / 2, rope.dim));
    }
    *into = std::move(*divisors);
  }
  const double growth = std::log(std::max(1.0, static_cast<double>(rope.factor)));
  const double usual =
      std::sqrt(1.0 + growth / std::log(static_cast<double>(rope.original_context_tokens)));
  HANGAR_TRY(rope.attention_factor,
             fields.number_or("attention_factor", 1e-3, 1e3, static_cast<float>(usual)));
  return {};
}

Status read_llama3(const Fields& fields, RopeConfig& rope) {
  HANGAR_TRY(rope.low_frequency_factor, required_number(fields, "low_freq_factor", 1e-6, 1e6));
  HANGAR_TRY(rope.high_frequency_factor, required_number(fields, "high_freq_factor", 1e-6, 1e6));
  if (rope.high_frequency_factor > rope.low_frequency_factor) return {};
  return fields.wrong("high_freq_factor",
                      fmt::format("more than low_freq_factor ({})", rope.low_frequency_factor));
}

// The tokens the scaling starts from: beside the scaling or, with priority, at the top (Phi-3).
Result<std::int32_t> read_original(const Fields& scaling, const Fields& top, const ModelType& type,
                                   std::int32_t context_tokens) {
  constexpr std::string_view kKey = "original_max_position_embeddings";
  const std::int32_t otherwise = type.name == "phi3" ? 4096 : context_tokens;
  if (top.has(kKey) || type.name == "phi3") return top.integer_or(kKey, 2, kMaxContext, otherwise);
  return scaling.integer_or(kKey, 2, kMaxContext, otherwise);
}

Status read_scaling(const Fields& scaling, const Fields& top, const ModelType& type,
                    std::int32_t context_tokens, RopeConfig& rope) {
  for (const auto& member : scaling.object()) {
    const std::string_view key = member.key();
    if (member.value().is_null()) continue;
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
      return scaling.unsupported(key, "the keys of default, linear, llama3, yarn and longrope");
    }
  }
  HANGAR_TRY(rope.scaling, read_kind(scaling, type));
  if (rope.scaling == RopeScalingKind::kNone) return {};
  HANGAR_TRY(rope.original_context_tokens, read_original(scaling, top, type, context_tokens));
  const bool derived =
      rope.scaling == RopeScalingKind::kYarn || rope.scaling == RopeScalingKind::kLongRope;
  if (derived && !scaling.has("factor")) {
    rope.factor = static_cast<float>(static_cast<double>(context_tokens) /
                                     static_cast<double>(rope.original_context_tokens));
  } else {
    HANGAR_TRY(rope.factor, required_number(scaling, "factor", 1e-3, kMaxFactor));
  }
  switch (rope.scaling) {
    case RopeScalingKind::kYarn:
      return read_yarn(scaling, rope);
    case RopeScalingKind::kLongRope:
      return read_long_rope(scaling, rope);
    case RopeScalingKind::kLlama3:
      return read_llama3(scaling, rope);
    default:
      return {};
  }
}

// One table of frequencies: `scaling` may be empty.
Result<RopeConfig> read_table(const Fields& scaling, const Fields& top, const ModelType& type,
                              float base, const ModelConfig& model) {
  RopeConfig rope;
  rope.interleaved = false;
  HANGAR_TRY(rope.base, scaling.number_or("rope_theta", 2.0, kMaxBase, base));
  HANGAR_TRY(const float outside, top.number_or("partial_rotary_factor", 0.0, 1.0, 1.0F));
  HANGAR_TRY(const float part, scaling.number_or("partial_rotary_factor", 0.0, 1.0, outside));
  rope.dim =
      static_cast<std::int32_t>(static_cast<double>(model.head_dim) * static_cast<double>(part));
  if (rope.dim < 2 || rope.dim % 2 != 0) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: {} of the {} elements of a head are rotated, an even number from 2 "
                      "expected",
                      top.file(), rope.dim, model.head_dim);
  }
  HANGAR_CHECK_OK(read_scaling(scaling, top, type, model.context_tokens, rope));
  return rope;
}

bool is_nested(const Fields& parameters) {
  return parameters.has_key("full_attention") || parameters.has_key("sliding_attention");
}

// Gemma 3 has two tables: the old spelling scales only the one of full layers.
Status read_gemma3_rope(const Fields& fields, const ModelType& type,
                        const std::optional<Fields>& scaling,
                        const std::optional<Fields>& parameters, ModelConfig& model) {
  static const boost::json::object kNothing;
  const Fields nothing(kNothing, fields.file(), "rope_parameters.");
  std::optional<Fields> full = scaling;
  std::optional<Fields> sliding;
  if (parameters) {
    if (!is_nested(*parameters)) {
      return fields.unsupported("rope_parameters",
                                "one entry a kind of layer (full_attention, "
                                "sliding_attention)");
    }
    if (!full) {
      HANGAR_TRY(full, parameters->fields("full_attention"));
    }
    HANGAR_TRY(sliding, parameters->fields("sliding_attention"));
  }
  HANGAR_TRY(const float base, fields.number_or("rope_theta", 2.0, kMaxBase, type.rope_base));
  HANGAR_TRY(const float local, fields.number_or("rope_local_base_freq", 2.0, kMaxBase, 10000.0F));
  HANGAR_TRY(model.rope, read_table(full.value_or(nothing), fields, type, base, model));
  HANGAR_TRY(model.sliding_rope, read_table(sliding.value_or(nothing), fields, type, local, model));
  return {};
}

}  // namespace

Status read_rope(const Fields& fields, const ModelType& type, ModelConfig& model) {
  static const boost::json::object kNothing;
  HANGAR_TRY(const std::optional<Fields> scaling, fields.fields("rope_scaling"));
  HANGAR_TRY(const std::optional<Fields> parameters, fields.fields("rope_parameters"));
  if (type.name == "gemma3_text") {
    return read_gemma3_rope(fields, type, scaling, parameters, model);
  }
  if (parameters && is_nested(*parameters)) {
    return fields.unsupported("rope_parameters", "one table for all layers");
  }
  const Fields source = scaling      ? *scaling
                        : parameters ? *parameters
                                     : Fields(kNothing, fields.file());
  HANGAR_TRY(const float base, fields.number_or("rope_theta", 2.0, kMaxBase, type.rope_base));
  HANGAR_TRY(model.rope, read_table(source, fields, type, base, model));
  if (model.rope.scaling == RopeScalingKind::kYarn) {
    const double stretched = static_cast<double>(model.rope.original_context_tokens) *
                             static_cast<double>(model.rope.factor);
    model.context_tokens = static_cast<std::int32_t>(std::clamp(
        stretched, static_cast<double>(model.context_tokens), static_cast<double>(kMaxContext)));
  }
  return {};
}

}  // namespace hangar::hf
