#include "formats/hf/fields.h"

#include <cmath>
#include <limits>

#include "formats/hf/strict_json.h"

namespace hangar::hf {
namespace {

std::optional<std::int64_t> as_integer(const boost::json::value& value) {
  if (const auto* i = value.if_int64()) return *i;
  // Larger ones than fit are out of any bounds.
  if (value.is_uint64()) return std::numeric_limits<std::int64_t>::max();
  if (const auto* d = value.if_double(); d != nullptr && std::abs(*d) < 9e15) {
    if (std::trunc(*d) == *d) return static_cast<std::int64_t>(*d);
  }
  return std::nullopt;
}

std::optional<double> as_number(const boost::json::value& value) {
  if (const auto* i = value.if_int64()) return static_cast<double>(*i);
  if (const auto* u = value.if_uint64()) return static_cast<double>(*u);
  if (const auto* d = value.if_double(); d != nullptr && std::isfinite(*d)) return *d;
  return std::nullopt;
}

}  // namespace

const boost::json::value* Fields::find(std::string_view key) const {
  const boost::json::value* value = object_->if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

tl::unexpected<Error> Fields::wrong(std::string_view key, std::string_view expected) const {
  const boost::json::value* value = object_->if_contains(key);
  return make_error(ErrorCode::kCorrupt, "{}: '{}{}': {} found, {} expected", file_, prefix_, key,
                    value == nullptr ? "nothing" : brief(*value), expected);
}

tl::unexpected<Error> Fields::unsupported(std::string_view key, std::string_view supported) const {
  const boost::json::value* value = object_->if_contains(key);
  return make_error(ErrorCode::kUnsupported, "{}: '{}{}': {} is not supported, only {}", file_,
                    prefix_, key, value == nullptr ? "its default" : brief(*value), supported);
}

tl::unexpected<Error> Fields::missing(std::string_view key, std::string_view expected) const {
  return make_error(ErrorCode::kCorrupt, "{}: '{}{}' is missing, {} expected", file_, prefix_, key,
                    expected);
}

Result<std::optional<std::int64_t>> Fields::integer(std::string_view key, std::int64_t low,
                                                    std::int64_t high) const {
  const boost::json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  const std::optional<std::int64_t> number = as_integer(*value);
  if (!number || *number < low || *number > high) {
    return wrong(key, fmt::format("a whole number from {} to {}", low, high));
  }
  return number;
}

Result<std::int32_t> Fields::required_integer(std::string_view key, std::int64_t low,
                                              std::int64_t high) const {
  HANGAR_TRY(const std::optional<std::int64_t> number, integer(key, low, high));
  if (!number) return missing(key, "a whole number");
  return static_cast<std::int32_t>(*number);
}

Result<std::int32_t> Fields::integer_or(std::string_view key, std::int64_t low, std::int64_t high,
                                        std::int32_t otherwise) const {
  HANGAR_TRY(const std::optional<std::int64_t> number, integer(key, low, high));
  return number ? static_cast<std::int32_t>(*number) : otherwise;
}

Result<std::optional<double>> Fields::number(std::string_view key, double low, double high) const {
  const boost::json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  const std::optional<double> number = as_number(*value);
  if (!number || *number < low || *number > high) {
    return wrong(key, fmt::format("a number from {} to {}", low, high));
  }
  return number;
}

Result<float> Fields::number_or(std::string_view key, double low, double high,
                                float otherwise) const {
  HANGAR_TRY(const std::optional<double> value, number(key, low, high));
  return value ? static_cast<float>(*value) : otherwise;
}

Result<std::optional<bool>> Fields::boolean(std::string_view key) const {
  const boost::json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) return wrong(key, "true or false");
  return value->get_bool();
}

Result<bool> Fields::boolean_or(std::string_view key, bool otherwise) const {
  HANGAR_TRY(const std::optional<bool> value, boolean(key));
  return value.value_or(otherwise);
}

Result<std::optional<std::string_view>> Fields::text(std::string_view key) const {
  const boost::json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) return wrong(key, "a string");
  return std::string_view(value->get_string());
}

Result<std::optional<std::vector<std::int64_t>>> Fields::integers(std::string_view key,
                                                                  std::int64_t low,
                                                                  std::int64_t high) const {
  const boost::json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  const std::string expected = fmt::format("a list of whole numbers from {} to {}", low, high);
  if (!value->is_array()) return wrong(key, expected);
  std::vector<std::int64_t> out;
  for (const boost::json::value& item : value->get_array()) {
    const std::optional<std::int64_t> number = as_integer(item);
    if (!number || *number < low || *number > high) return wrong(key, expected);
    out.push_back(*number);
  }
  return out;
}

Result<std::optional<std::vector<float>>> Fields::numbers(std::string_view key, double low,
                                                          double high) const {
  const boost::json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  const std::string expected = fmt::format("a list of numbers from {} to {}", low, high);
  if (!value->is_array()) return wrong(key, expected);
  std::vector<float> out;
  for (const boost::json::value& item : value->get_array()) {
    const std::optional<double> number = as_number(item);
    if (!number || *number < low || *number > high) return wrong(key, expected);
    out.push_back(static_cast<float>(*number));
  }
  return out;
}

Result<std::optional<std::vector<std::string_view>>> Fields::texts(std::string_view key) const {
  const boost::json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array()) return wrong(key, "a list of strings");
  std::vector<std::string_view> out;
  for (const boost::json::value& item : value->get_array()) {
    if (!item.is_string()) return wrong(key, "a list of strings");
    out.emplace_back(item.get_string());
  }
  return out;
}

Result<std::optional<Fields>> Fields::fields(std::string_view key) const {
  const boost::json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) return wrong(key, "an object");
  return Fields(value->get_object(), file_, fmt::format("{}{}.", prefix_, key));
}

}  // namespace hangar::hf
