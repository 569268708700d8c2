#include "formats/gguf/rope.h"

#include <cmath>

#include "quant/dequantize.h"

namespace hangar::gguf {
namespace {

constexpr float kHuge = 1e12F;

constexpr std::string_view kLongFactors = "rope_factors_long.weight";
constexpr std::string_view kShortFactors = "rope_factors_short.weight";

Result<RopeScalingKind> read_kind(const Metadata& metadata, const TensorIndex& tensors,
                                  const std::string& prefix) {
  // Phi-3's converter writes the factors and no type.
  if (tensors.contains(kLongFactors) || tensors.contains(kShortFactors)) {
    return RopeScalingKind::kLongRope;
  }
  const std::string key = prefix + "scaling.type";
  HANGAR_TRY(const std::optional<std::string_view> name, metadata.text(key));
  // Old files name no type, only the factor of a linear scaling.
  if (!name) {
    return metadata.find(prefix + "scale_linear") != nullptr ? RopeScalingKind::kLinear
                                                             : RopeScalingKind::kNone;
  }
  if (*name == "none" || name->empty()) return RopeScalingKind::kNone;
  if (*name == "linear") return RopeScalingKind::kLinear;
  if (*name == "yarn") return RopeScalingKind::kYarn;
  if (*name == "llama3") return RopeScalingKind::kLlama3;
  if (*name == "longrope") return RopeScalingKind::kLongRope;
  return make_error(
      ErrorCode::kUnsupported,
      "{}: metadata '{}': '{}' found; supported: none, linear, llama3, yarn, longrope",
      metadata.file(), key, printable(*name, 100));
}

Status read_number(const Metadata& metadata, const std::string& key, float low, float& into) {
  HANGAR_TRY(const std::optional<float> value, metadata.number(key, low, kHuge));
  if (value) into = *value;
  return {};
}

// The magnitude is 0.1 ln(factor) + 1 unless yarn_attn_factor gives it outright; attn_factor
// multiplies either.
Status read_yarn(const Metadata& metadata, const std::string& prefix, RopeConfig& rope) {
  HANGAR_CHECK_OK(read_number(metadata, prefix + "scaling.yarn_beta_fast", 0.0F, rope.beta_fast));
  HANGAR_CHECK_OK(read_number(metadata, prefix + "scaling.yarn_beta_slow", 0.0F, rope.beta_slow));
  float given = 0.0F;
  float multiplier = 1.0F;
  HANGAR_CHECK_OK(read_number(metadata, prefix + "scaling.yarn_attn_factor", 0.0F, given));
  HANGAR_CHECK_OK(read_number(metadata, prefix + "scaling.attn_factor", 0.0F, multiplier));
  const float usual = 0.1F * std::log(rope.factor) + 1.0F;
  rope.attention_factor = given != 0.0F        ? given * multiplier
                          : multiplier != 1.0F ? usual * multiplier
                                               : 0.0F;
  for (const auto& [name, neutral] :
       {std::pair{"scaling.yarn_log_multiplier", 0.0F}, {"scaling.yarn_ext_factor", 1.0F}}) {
    HANGAR_TRY(const std::optional<float> value, metadata.number(prefix + name, -kHuge, kHuge));
    if (value && *value != neutral) {
      return make_error(ErrorCode::kUnsupported, "{}: metadata '{}': {} is not supported, only {}",
                        metadata.file(), prefix + name, *value, neutral);
    }
  }
  return {};
}

// A list of factors for the rotated pairs, from a tensor.
Result<std::vector<float>> read_factors(const Metadata& metadata, const TensorIndex& tensors,
                                        std::string_view name, std::int32_t rotated) {
  const auto it = tensors.find(name);
  if (it == tensors.end()) {
    return make_error(ErrorCode::kCorrupt, "{}: tensor '{}' is missing; the RoPE scaling needs it",
                      metadata.file(), name);
  }
  const TensorView& view = *it->second;
  if (view.elements() != rotated / 2) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: tensor '{}': {} elements, {} expected (half of the rotated {})",
                      metadata.file(), name, view.elements(), rotated / 2, rotated);
  }
  std::vector<float> factors(static_cast<std::size_t>(rotated / 2));
  dequantize_row(view.dtype, view.data.data(), factors.data(), view.elements());
  for (const float factor : factors) {
    if (!(factor > 0.0F) || !std::isfinite(factor)) {
      return make_error(ErrorCode::kCorrupt,
                        "{}: tensor '{}': {} found, finite numbers above 0 expected",
                        metadata.file(), name, factor);
    }
  }
  return factors;
}

// Two lists, and a magnitude that the converter has worked out: 1 where it says none.
Status read_longrope(const Metadata& metadata, const TensorIndex& tensors,
                     const std::string& prefix, std::int32_t context_tokens, RopeConfig& rope) {
  HANGAR_TRY(rope.long_divisors, read_factors(metadata, tensors, kLongFactors, rope.dim));
  HANGAR_TRY(rope.short_divisors, read_factors(metadata, tensors, kShortFactors, rope.dim));
  rope.factor =
      static_cast<float>(context_tokens) / static_cast<float>(rope.original_context_tokens);
  rope.attention_factor = 1.0F;
  return read_number(metadata, prefix + "scaling.attn_factor", 1e-6F, rope.attention_factor);
}

Status read_factor(const Metadata& metadata, const std::string& prefix, RopeConfig& rope) {
  const std::string linear_key = prefix + "scale_linear";
  const std::string factor_key = prefix + "scaling.factor";
  const bool old_style = metadata.find(factor_key) == nullptr;
  const std::string& key = old_style ? linear_key : factor_key;
  HANGAR_TRY(const std::optional<float> factor, metadata.number(key, 0.0F, 1e6F));
  if (!factor) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}' is missing, a number expected beside '{}scaling.type'",
                      metadata.file(), factor_key, prefix);
  }
  // Files written before the key had a meaning say 0 for "none".
  rope.factor = *factor == 0.0F ? 1.0F : *factor;
  return {};
}

Status read_scaling(const Metadata& metadata, const TensorIndex& tensors, const std::string& prefix,
                    std::int32_t context_tokens, RopeConfig& rope) {
  HANGAR_TRY(rope.scaling, read_kind(metadata, tensors, prefix));
  if (rope.scaling == RopeScalingKind::kNone) return {};
  HANGAR_TRY(const std::optional<std::int64_t> original,
             metadata.integer(prefix + "scaling.original_context_length", 1, 1 << 30));
  rope.original_context_tokens = original ? static_cast<std::int32_t>(*original) : context_tokens;
  if (rope.scaling == RopeScalingKind::kLongRope) {
    return read_longrope(metadata, tensors, prefix, context_tokens, rope);
  }
  HANGAR_CHECK_OK(read_factor(metadata, prefix, rope));
  HANGAR_CHECK_OK(
      read_number(metadata, prefix + "scaling.low_freq_factor", 1e-6F, rope.low_frequency_factor));
  HANGAR_CHECK_OK(read_number(metadata, prefix + "scaling.high_freq_factor", 1e-6F,
                              rope.high_frequency_factor));
  if (rope.scaling == RopeScalingKind::kLlama3 &&
      rope.high_frequency_factor <= rope.low_frequency_factor) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}scaling.high_freq_factor': {} found, more than "
                      "low_freq_factor ({}) expected",
                      metadata.file(), prefix, rope.high_frequency_factor,
                      rope.low_frequency_factor);
  }
  if (rope.scaling == RopeScalingKind::kYarn) {
    HANGAR_CHECK_OK(read_yarn(metadata, prefix, rope));
  }
  return {};
}

}  // namespace

Result<RopeConfig> read_rope(const Metadata& metadata, const TensorIndex& tensors,
                             std::string_view architecture, std::int32_t head_dim,
                             std::int32_t context_tokens) {
  const std::string prefix = fmt::format("{}.rope.", architecture);
  RopeConfig rope;
  HANGAR_CHECK_OK(read_number(metadata, prefix + "freq_base", 1e-3F, rope.base));
  const std::string dim_key = prefix + "dimension_count";
  HANGAR_TRY(const std::optional<std::int64_t> dim, metadata.integer(dim_key, 2, head_dim));
  rope.dim = dim ? static_cast<std::int32_t>(*dim) : head_dim;
  if (rope.dim % 2 != 0) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': {} found, an even number expected",
                      metadata.file(), dim_key, rope.dim);
  }
  HANGAR_CHECK_OK(read_scaling(metadata, tensors, prefix, context_tokens, rope));
  if (tensors.contains("rope_freqs.weight")) {
    HANGAR_TRY(rope.frequency_divisors,
               read_factors(metadata, tensors, "rope_freqs.weight", rope.dim));
  }
  return rope;
}

}  // namespace hangar::gguf
