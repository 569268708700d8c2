#include "formats/gguf/rope.h"

#include <cmath>

#include "quant/dequantize.h"

namespace hangar::gguf {
namespace {

constexpr float kHuge = 1e12F;

// Converters permute the rows of these architectures' Q and K so that rotated pairs lie side by
// side.
bool is_interleaved(std::string_view architecture) {
  return architecture == "llama";
}

Result<RopeScalingKind> read_kind(const Metadata& metadata, const std::string& prefix) {
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
  return make_error(ErrorCode::kUnsupported,
                    "{}: metadata '{}': '{}' found; supported: none, linear, llama3, yarn",
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

Status read_scaling(const Metadata& metadata, const std::string& prefix,
                    std::int32_t context_tokens, RopeConfig& rope) {
  HANGAR_TRY(rope.scaling, read_kind(metadata, prefix));
  if (rope.scaling == RopeScalingKind::kNone) return {};
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
  HANGAR_TRY(const std::optional<std::int64_t> original,
             metadata.integer(prefix + "scaling.original_context_length", 1, 1 << 30));
  rope.original_context_tokens = original ? static_cast<std::int32_t>(*original) : context_tokens;
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

Status read_divisors(const Metadata& metadata, const TensorIndex& tensors, RopeConfig& rope) {
  const auto it = tensors.find("rope_freqs.weight");
  if (it == tensors.end()) return {};
  const TensorView& view = *it->second;
  if (view.elements() != rope.dim / 2) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: tensor 'rope_freqs.weight': {} elements, {} expected (half of the "
                      "rotated {})",
                      metadata.file(), view.elements(), rope.dim / 2, rope.dim);
  }
  rope.frequency_divisors.resize(static_cast<std::size_t>(rope.dim / 2));
  dequantize_row(view.dtype, view.data.data(), rope.frequency_divisors.data(), view.elements());
  for (const float divisor : rope.frequency_divisors) {
    if (!(divisor > 0.0F) || !std::isfinite(divisor)) {
      return make_error(ErrorCode::kCorrupt,
                        "{}: tensor 'rope_freqs.weight': {} found, finite numbers above 0 expected",
                        metadata.file(), divisor);
    }
  }
  return {};
}

}  // namespace

Result<RopeConfig> read_rope(const Metadata& metadata, const TensorIndex& tensors,
                             std::string_view architecture, std::int32_t head_dim,
                             std::int32_t context_tokens) {
  const std::string prefix = fmt::format("{}.rope.", architecture);
  RopeConfig rope;
  rope.interleaved = is_interleaved(architecture);
  HANGAR_CHECK_OK(read_number(metadata, prefix + "freq_base", 1e-3F, rope.base));
  const std::string dim_key = prefix + "dimension_count";
  HANGAR_TRY(const std::optional<std::int64_t> dim, metadata.integer(dim_key, 2, head_dim));
  rope.dim = dim ? static_cast<std::int32_t>(*dim) : head_dim;
  if (rope.dim % 2 != 0) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': {} found, an even number expected",
                      metadata.file(), dim_key, rope.dim);
  }
  HANGAR_CHECK_OK(read_scaling(metadata, prefix, context_tokens, rope));
  HANGAR_CHECK_OK(read_divisors(metadata, tensors, rope));
  return rope;
}

}  // namespace hangar::gguf
