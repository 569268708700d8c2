#include "formats/hf/quantization_config.h"

#include <algorithm>

namespace hangar::hf {
namespace {

constexpr std::int64_t kMostInputs = std::int64_t{1} << 30;

std::string full_name(const Fields& fields, std::string_view key) {
  return fmt::format("{}: 'quantization_config.{}'", fields.file(), key);
}

}  // namespace

Fields quantization_fields(const boost::json::object& quantization_config) {
  return Fields(quantization_config, "config.json", "quantization_config.");
}

std::string groups_text(std::int64_t group_size) {
  return group_size == -1 ? "one group a row" : fmt::format("groups of {}", group_size);
}

Result<std::int64_t> read_group_size(const Fields& fields, std::string_view old_key) {
  const std::string_view key = fields.has("group_size") ? "group_size" : old_key;
  HANGAR_TRY(const auto size, fields.integer(key, -1, kMostInputs));
  if (!size) return fields.missing("group_size", "a number of inputs, or -1");
  if (*size == 0) return fields.wrong(key, "a number of inputs, or -1");
  return *size;
}

Result<std::int64_t> require_integer(const Fields& fields, std::string_view key,
                                     std::initializer_list<std::int64_t> read,
                                     std::string_view old_key) {
  const std::string_view there = fields.has(key) || old_key.empty() ? key : old_key;
  const std::string read_text = fmt::format("{}", fmt::join(read, " or "));
  HANGAR_TRY(const auto value, fields.integer(there, -kMostInputs, kMostInputs));
  if (!value) return fields.missing(key, read_text);
  if (std::ranges::find(read, *value) != read.end()) return *value;
  return make_error(ErrorCode::kUnsupported, "{}: {} found; {} is read", full_name(fields, there),
                    *value, read_text);
}

Status require_text(const Fields& fields, std::string_view key,
                    std::initializer_list<std::string_view> read) {
  HANGAR_TRY(const auto value, fields.text(key));
  if (!value || std::ranges::find(read, *value) != read.end()) return {};
  return make_error(ErrorCode::kUnsupported, "{}: '{}' found; '{}' is read", full_name(fields, key),
                    *value, fmt::join(read, "' or '"));
}

Status refuse_text(const Fields& fields, std::string_view key,
                   std::initializer_list<std::string_view> refused, std::string_view way_out) {
  HANGAR_TRY(const auto value, fields.text(key));
  if (!value || std::ranges::find(refused, *value) == refused.end()) return {};
  return make_error(ErrorCode::kUnsupported, "{}: '{}' is not read; {}", full_name(fields, key),
                    *value, way_out);
}

Status refuse_present(const Fields& fields, std::string_view key, std::string_view why) {
  const boost::json::value* value = fields.find(key);
  if (value == nullptr || *value == boost::json::value(false)) return {};
  if (value->is_object() && value->as_object().empty()) return {};
  if (value->is_array() && value->as_array().empty()) return {};
  return make_error(ErrorCode::kUnsupported, "{}: {}", full_name(fields, key), why);
}

}  // namespace hangar::hf
