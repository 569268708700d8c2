#include "formats/hf/compressed_scheme.h"

#include <algorithm>

#include "formats/hf/quantization_config.h"

namespace hangar::hf {
namespace {

// The class of a module that holds a weight matrix, as far as its name tells.
std::string_view class_of(std::string_view module) {
  return module.ends_with("embed_tokens") ? "Embedding" : "Linear";
}

Result<CompressedKind> read_kind(const Fields& group, const Fields& weights,
                                 std::string_view format) {
  HANGAR_TRY(const auto type, weights.text("type"));
  const bool floating = type && *type == "float";
  if (type && *type != "int" && *type != "float") return weights.unsupported("type", "int, float");
  if (format == "pack-quantized" && !floating) return CompressedKind::kPacked;
  if ((format == "int-quantized" || format == "naive-quantized") && !floating) {
    return CompressedKind::kInt8;
  }
  if ((format == "float-quantized" || format == "naive-quantized") && floating) {
    return CompressedKind::kFp8;
  }
  return make_error(ErrorCode::kUnsupported,
                    "{}: 'quantization_config': format '{}' with weights of type '{}' is not read; "
                    "pack-quantized, int-quantized and float-quantized are",
                    group.file(), format, type.value_or("int"));
}

Status read_strategy(const Fields& weights, CompressedScheme& scheme) {
  HANGAR_TRY(const auto group_size, weights.integer("group_size", -1, 1 << 30));
  HANGAR_TRY(const auto strategy, weights.text("strategy"));
  // Without a strategy the group size says which, as in the package.
  const std::string_view name =
      strategy.value_or(!group_size ? "tensor" : (*group_size == -1 ? "channel" : "group"));
  const bool fp8 = scheme.kind == CompressedKind::kFp8;
  if (name == "tensor") {
    scheme.strategy = CompressedStrategy::kTensor;
  } else if (name == "channel") {
    scheme.strategy = CompressedStrategy::kChannel;
  } else if (name == "group" && !fp8) {
    scheme.strategy = CompressedStrategy::kGroup;
    scheme.group_size = group_size.value_or(0);
    if (scheme.group_size <= 0) return weights.wrong("group_size", "a number of inputs");
  } else if (name == "block" && fp8) {
    scheme.strategy = CompressedStrategy::kBlock;
    HANGAR_TRY(const auto block, weights.integers("block_structure", 1, 1 << 20));
    if (!block || block->size() != 2) return weights.wrong("block_structure", "rows and columns");
    scheme.block = {(*block)[0], (*block)[1]};
  } else {
    return weights.unsupported("strategy",
                               fp8 ? "tensor, channel, block" : "tensor, channel, group");
  }
  return {};
}

Result<CompressedScheme> read_scheme(const Fields& group, const Fields& weights,
                                     std::string_view model_format) {
  CompressedScheme scheme;
  HANGAR_TRY(scheme.targets, read_patterns(group, "targets"));
  HANGAR_TRY(const auto format, group.text("format"));
  HANGAR_TRY(scheme.kind, read_kind(group, weights, format.value_or(model_format)));
  HANGAR_TRY(scheme.bits, weights.integer_or("num_bits", 1, 64, 8));
  const bool read = scheme.bits == 8 || (scheme.bits == 4 && scheme.kind != CompressedKind::kFp8);
  if (!read) {
    return weights.unsupported("num_bits", scheme.kind == CompressedKind::kFp8 ? "8" : "4 and 8");
  }
  HANGAR_TRY(scheme.symmetric, weights.boolean_or("symmetric", true));
  HANGAR_CHECK_OK(read_strategy(weights, scheme));
  if (scheme.kind == CompressedKind::kPacked && !scheme.symmetric &&
      scheme.strategy == CompressedStrategy::kTensor) {
    return weights.unsupported("strategy", "channel, group (with zero points)");
  }
  scheme.activations = group.has("input_activations") || group.has("output_activations");
  return scheme;
}

}  // namespace

std::string CompressedScheme::description() const {
  const std::string_view number = kind == CompressedKind::kFp8 ? "FP8 e4m3"
                                  : bits == 4                  ? "int4"
                                                               : "int8";
  std::string out(number);
  switch (strategy) {
    case CompressedStrategy::kTensor:
      out += ", one scale a tensor";
      break;
    case CompressedStrategy::kChannel:
      out += ", one scale a row";
      break;
    case CompressedStrategy::kGroup:
      out += fmt::format(", groups of {}", group_size);
      break;
    case CompressedStrategy::kBlock:
      out += fmt::format(", blocks of {} x {}", block.rows, block.columns);
      break;
  }
  if (!symmetric) out += ", zero points";
  return out;
}

Result<std::vector<ModulePattern>> read_patterns(const Fields& fields, std::string_view key) {
  std::vector<ModulePattern> patterns;
  HANGAR_TRY(const auto names, fields.texts(key));
  if (!names) return patterns;
  for (const std::string_view name : *names) {
    auto pattern = ModulePattern::compile(name);
    if (!pattern) {
      return with_context(pattern.error(), fmt::format("{}: '{}'", fields.file(), key));
    }
    patterns.push_back(std::move(*pattern));
  }
  return patterns;
}

Result<std::vector<CompressedScheme>> read_schemes(const Fields& quantization) {
  HANGAR_TRY(const auto model_format, quantization.text("format"));
  HANGAR_TRY(const auto groups, quantization.fields("config_groups"));
  if (!groups) return quantization.missing("config_groups", "an object");
  std::vector<CompressedScheme> schemes;
  for (const auto& [key, value] : groups->object()) {
    const std::string_view name = key;
    if (value.is_array()) {
      return make_error(ErrorCode::kUnsupported,
                        "{}: 'quantization_config.config_groups.{}': a preset's name is not read; "
                        "its settings written out are",
                        quantization.file(), name);
    }
    HANGAR_TRY(const auto group, groups->fields(name));
    if (!group) continue;
    HANGAR_TRY(const auto weights, group->fields("weights"));
    if (!weights) continue;  // activations only
    HANGAR_TRY(CompressedScheme scheme, read_scheme(*group, *weights, model_format.value_or("")));
    schemes.push_back(std::move(scheme));
  }
  return schemes;
}

int match_strength(const std::vector<ModulePattern>& patterns, std::string_view module) {
  int strength = 0;
  for (const ModulePattern& pattern : patterns) {
    if (pattern.matches(module)) {
      strength = std::max(strength, pattern.is_expression() ? 2 : 3);
    } else if (pattern.text() == class_of(module)) {
      strength = std::max(strength, 1);
    }
  }
  return strength;
}

}  // namespace hangar::hf
