#include "serve/openai/field_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hangar {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxShownBytes = 200;  // of a name that the client made up

}  // namespace

std::string_view json_type_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
      return "an integer";
    case json::kind::double_:
      return "a decimal number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
  }
  return "something else";
}

ApiError invalid_type(std::string param, std::string_view expected, const json::value& got) {
  ApiError error;
  error.message = fmt::format("Invalid type for '{}': expected {}, but got {} instead.", param,
                              expected, json_type_name(got));
  error.param = std::move(param);
  error.code = "invalid_type";
  return error;
}

ApiError invalid_value(std::string param, std::string message, std::string code) {
  ApiError error;
  error.message = fmt::format("Invalid '{}': {}", param, message);
  error.param = std::move(param);
  error.code = std::move(code);
  return error;
}

ApiError unsupported_parameter(std::string param, std::string message) {
  ApiError error;
  error.message = fmt::format("Unsupported parameter '{}': {}", param, message);
  error.param = std::move(param);
  error.code = "unsupported_parameter";
  return error;
}

FieldReader::FieldReader(const json::object& object, std::string path)
    : object_(object), path_(std::move(path)) {}

std::string FieldReader::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void FieldReader::fail(ApiError error) {
  if (!error_) error_ = std::move(error);
}

const json::value* FieldReader::any(std::string_view name) {
  known_.push_back(name);
  const json::value* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void FieldReader::require(std::string_view name) {
  if (any(name) != nullptr) return;
  ApiError error;
  error.param = path_of(name);
  error.message = fmt::format("Missing required parameter: '{}'.", *error.param);
  error.code = "missing_required_parameter";
  fail(std::move(error));
}

std::optional<bool> FieldReader::boolean(std::string_view name) {
  const json::value* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  fail(invalid_type(path_of(name), "a boolean", *value));
  return std::nullopt;
}

std::optional<std::int64_t> FieldReader::integer(std::string_view name, std::int64_t low,
                                                 std::int64_t high) {
  const json::value* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_int64() && !value->is_uint64()) {
    fail(invalid_type(path_of(name), "an integer", *value));
    return std::nullopt;
  }
  // What is uint64 to Boost.JSON is past the largest int64.
  const bool above = value->is_uint64() || value->get_int64() > high;
  if (above || value->get_int64() < low) {
    fail(invalid_value(path_of(name),
                       fmt::format("integer {} value. Expected a value {} {}.",
                                   above ? "above maximum" : "below minimum",
                                   above ? "<=" : ">=", above ? high : low),
                       above ? "integer_above_max_value" : "integer_below_min_value"));
    return std::nullopt;
  }
  return value->get_int64();
}

std::optional<double> FieldReader::number(std::string_view name, NumberRange range) {
  const json::value* value = any(name);
  if (value == nullptr) return std::nullopt;
  return number_in(*value, path_of(name), range);
}

std::optional<double> FieldReader::number_in(const json::value& value, std::string path,
                                             NumberRange range) {
  if (!value.is_number()) {
    fail(invalid_type(std::move(path), "a decimal", value));
    return std::nullopt;
  }
  const double number = value.to_number<double>();
  const bool above = number > range.high;
  const bool below = range.above_low ? !(number > range.low) : !(number >= range.low);
  if (!above && !below) return number;
  const std::string_view relation = above ? "<=" : range.above_low ? ">" : ">=";
  fail(invalid_value(std::move(path),
                     fmt::format("decimal {} value. Expected a value {} {}, but got {} instead.",
                                 above ? "above maximum" : "below minimum", relation,
                                 above ? range.high : range.low, number),
                     above ? "decimal_above_max_value" : "decimal_below_min_value"));
  return std::nullopt;
}

const json::string* FieldReader::string(std::string_view name) {
  const json::value* value = any(name);
  if (value == nullptr) return nullptr;
  if (const json::string* text = value->if_string()) return text;
  fail(invalid_type(path_of(name), "a string", *value));
  return nullptr;
}

const json::array* FieldReader::array(std::string_view name) {
  const json::value* value = any(name);
  if (value == nullptr) return nullptr;
  if (const json::array* list = value->if_array()) return list;
  fail(invalid_type(path_of(name), "an array", *value));
  return nullptr;
}

const json::object* FieldReader::object(std::string_view name) {
  const json::value* value = any(name);
  if (value == nullptr) return nullptr;
  if (const json::object* found = value->if_object()) return found;
  fail(invalid_type(path_of(name), "an object", *value));
  return nullptr;
}

ApiResult<void> FieldReader::finish() {
  for (const auto& entry : object_) {
    const std::string_view key(entry.key().data(), entry.key().size());
    if (error_) break;
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    ApiError error;
    error.param = path_of(key.substr(0, kMaxShownBytes));
    error.message = fmt::format("Unrecognized request argument supplied: {}", *error.param);
    error.code = "unknown_parameter";
    fail(std::move(error));
  }
  if (error_) return tl::unexpected<ApiError>(*error_);
  return {};
}

}  // namespace hangar
