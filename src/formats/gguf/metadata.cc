#include "formats/gguf/metadata.h"

#include <cmath>

namespace hangar::gguf {
namespace {

// The value as a signed integer, where it is an integer that fits.
std::optional<std::int64_t> as_integer(const Value& value) {
  if (const auto* u = std::get_if<std::uint64_t>(&value.data)) {
    if (*u > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<std::int64_t>(*u);
  }
  if (const auto* i = std::get_if<std::int64_t>(&value.data)) return *i;
  return std::nullopt;
}

}  // namespace

bool Metadata::add(std::string_view key, Value value) {
  if (!index_.emplace(key, entries_.size()).second) return false;
  entries_.emplace_back(key, std::move(value));
  return true;
}

const Value* Metadata::find(std::string_view key) const {
  const auto it = index_.find(key);
  return it == index_.end() ? nullptr : &entries_[it->second].second;
}

tl::unexpected<Error> Metadata::wrong_type(std::string_view key, const Value& found,
                                           std::string_view expected) const {
  return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': {} found, {} expected", file_,
                    printable(key, 100), value_type_name(found.type), expected);
}

Result<std::optional<std::int64_t>> Metadata::integer(std::string_view key, std::int64_t low,
                                                      std::int64_t high) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  const bool is_integer = std::holds_alternative<std::uint64_t>(value->data) ||
                          std::holds_alternative<std::int64_t>(value->data);
  if (!is_integer) return wrong_type(key, *value, "an integer");
  const std::optional<std::int64_t> number = as_integer(*value);
  if (!number || *number < low || *number > high) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': {} found, {} to {} expected", file_,
                      printable(key, 100), to_text(*value), low, high);
  }
  return number;
}

Result<std::int64_t> Metadata::required_integer(std::string_view key, std::int64_t low,
                                                std::int64_t high) const {
  HANGAR_TRY(const std::optional<std::int64_t> value, integer(key, low, high));
  if (!value) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}' is missing, an integer expected",
                      file_, printable(key, 100));
  }
  return *value;
}

Result<std::optional<float>> Metadata::number(std::string_view key, float low, float high) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  double x = 0;
  if (const auto* d = std::get_if<double>(&value->data)) {
    x = *d;
  } else if (const std::optional<std::int64_t> i = as_integer(*value)) {
    x = static_cast<double>(*i);
  } else {
    return wrong_type(key, *value, "a number");
  }
  if (!(x >= static_cast<double>(low) && x <= static_cast<double>(high))) {  // a NaN fails too
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': {} found, {} to {} expected", file_,
                      printable(key, 100), to_text(*value), low, high);
  }
  return static_cast<float>(x);
}

Result<std::optional<bool>> Metadata::boolean(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  const bool* b = std::get_if<bool>(&value->data);
  if (b == nullptr) return wrong_type(key, *value, "a bool");
  return *b;
}

Result<std::optional<std::string_view>> Metadata::text(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto* s = std::get_if<std::string_view>(&value->data);
  if (s == nullptr) return wrong_type(key, *value, "a string");
  return *s;
}

Result<const Array*> Metadata::array(std::string_view key, ValueType element) const {
  const Value* value = find(key);
  if (value == nullptr) return nullptr;
  const auto* a = std::get_if<Array>(&value->data);
  if (a == nullptr) {
    return wrong_type(key, *value, fmt::format("an array of {}", value_type_name(element)));
  }
  // An empty array says nothing about its elements.
  if (a->element != element && a->count != 0) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': array of {} found, of {} expected",
                      file_, printable(key, 100), value_type_name(a->element),
                      value_type_name(element));
  }
  return a;
}

}  // namespace hangar::gguf
