#include "formats/gguf/value.h"

#include <algorithm>
#include <array>

namespace hangar::gguf {
namespace {

struct TypeInfo {
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array<TypeInfo, 13> kTypes = {{
    {"uint8", 1},
    {"int8", 1},
    {"uint16", 2},
    {"int16", 2},
    {"uint32", 4},
    {"int32", 4},
    {"float32", 4},
    {"bool", 1},
    {"string", 0},
    {"array", 0},
    {"uint64", 8},
    {"int64", 8},
    {"float64", 8},
}};

constexpr std::uint64_t kShownElements = 8;
constexpr std::size_t kShownStringBytes = 60;

template <typename T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// p holds value_type_bytes(type) bytes.
Value scalar_value(ValueType type, const std::byte* p) {
  switch (type) {
    case ValueType::kUint8:
      return {type, std::uint64_t{load<std::uint8_t>(p)}};
    case ValueType::kInt8:
      return {type, std::int64_t{load<std::int8_t>(p)}};
    case ValueType::kUint16:
      return {type, std::uint64_t{load<std::uint16_t>(p)}};
    case ValueType::kInt16:
      return {type, std::int64_t{load<std::int16_t>(p)}};
    case ValueType::kUint32:
      return {type, std::uint64_t{load<std::uint32_t>(p)}};
    case ValueType::kInt32:
      return {type, std::int64_t{load<std::int32_t>(p)}};
    case ValueType::kFloat32:
      return {type, double{load<float>(p)}};
    case ValueType::kBool:
      return {type, load<std::uint8_t>(p) != 0};
    case ValueType::kUint64:
      return {type, load<std::uint64_t>(p)};
    case ValueType::kInt64:
      return {type, load<std::int64_t>(p)};
    case ValueType::kFloat64:
      return {type, load<double>(p)};
    case ValueType::kString:
    case ValueType::kArray:
      break;  // no scalars
  }
  return {};
}

Status check_bools(std::span<const std::byte> bytes, const Cursor& cursor, std::string_view key) {
  for (const std::byte b : bytes) {
    if (b > std::byte{1}) {
      return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': bool is {}, 0 or 1 expected",
                        cursor.file(), printable(key, 100), std::to_integer<int>(b));
    }
  }
  return {};
}

Result<Value> read_array(Cursor& cursor, std::string_view key, int depth) {
  if (depth >= kMaxArrayDepth) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}': arrays are nested deeper than the {} levels expected",
                      cursor.file(), printable(key, 100), kMaxArrayDepth);
  }
  Array array;
  HANGAR_TRY(array.element, read_value_type(cursor, key));
  const std::size_t scalar_bytes = value_type_bytes(array.element);
  // A string is at least its 8 bytes of length; an array its type and its count.
  const std::uint64_t min_bytes = scalar_bytes != 0                     ? scalar_bytes
                                  : array.element == ValueType::kString ? 8
                                                                        : 12;
  const std::string what = fmt::format("metadata '{}', array of {}", printable(key, 100),
                                       value_type_name(array.element));
  HANGAR_TRY(array.count, cursor.read_count(what, min_bytes));
  if (scalar_bytes != 0) {
    HANGAR_TRY(array.scalars, cursor.take(array.count * scalar_bytes, what));
    if (array.element == ValueType::kBool) HANGAR_CHECK_OK(check_bools(array.scalars, cursor, key));
  } else if (array.element == ValueType::kString) {
    HANGAR_TRY(array.strings, StringArray::read(cursor, array.count, what));
  } else {
    for (std::uint64_t i = 0; i < array.count; ++i) {
      HANGAR_TRY(Value inner, read_value(cursor, ValueType::kArray, key, depth + 1));
      array.arrays.push_back(std::move(inner));
    }
  }
  return Value{ValueType::kArray, std::move(array)};
}

std::string array_text(const Array& array) {
  std::string out = fmt::format("{}[{}] [", value_type_name(array.element), array.count);
  const std::uint64_t shown = std::min(array.count, kShownElements);
  StringArray::Iterator string = array.strings.begin();
  for (std::uint64_t i = 0; i < shown; ++i) {
    if (i != 0) out += ", ";
    if (array.element == ValueType::kString) {
      out += fmt::format("\"{}\"", printable(*string++, kShownStringBytes));
    } else if (array.element == ValueType::kArray) {
      out += to_text(array.arrays[i]);
    } else {
      out += to_text(scalar_at(array, i));
    }
  }
  out += shown < array.count ? ", ...]" : "]";
  return out;
}

}  // namespace

Result<StringArray> StringArray::read(Cursor& cursor, std::uint64_t count, std::string_view what) {
  const std::span<const std::byte> rest = cursor.rest();
  StringArray array;
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t left = rest.size() - at;
    if (left < kLengthBytes || length_at(rest.data() + at) > left - kLengthBytes) {
      // The cursor says it, as of any string.
      HANGAR_CHECK_OK(cursor.take(at, what));
      HANGAR_CHECK_OK(cursor.read_string(what));
    }
    const std::size_t length = length_at(rest.data() + at);
    array.text_bytes_ += length;
    at += kLengthBytes + length;
  }
  HANGAR_TRY(array.bytes_, cursor.take(at, what));
  return array;
}

std::string_view value_type_name(ValueType type) {
  return kTypes[static_cast<std::size_t>(type)].name;
}

std::size_t value_type_bytes(ValueType type) {
  return kTypes[static_cast<std::size_t>(type)].bytes;
}

Result<ValueType> read_value_type(Cursor& cursor, std::string_view key) {
  const std::size_t start = cursor.offset();
  const std::string what = fmt::format("type of metadata '{}'", printable(key, 100));
  HANGAR_TRY(const std::uint32_t number, cursor.read<std::uint32_t>(what));
  if (number >= kTypes.size()) {
    return make_error(ErrorCode::kCorrupt, "{}: {} at byte {}: {}, 0 to {} expected", cursor.file(),
                      what, start, number, kTypes.size() - 1);
  }
  return static_cast<ValueType>(number);
}

Result<Value> read_value(Cursor& cursor, ValueType type, std::string_view key, int depth) {
  if (type == ValueType::kArray) return read_array(cursor, key, depth);
  const std::string what = fmt::format("metadata '{}'", printable(key, 100));
  if (type == ValueType::kString) {
    HANGAR_TRY(const std::string_view text, cursor.read_string(what));
    return Value{type, text};
  }
  HANGAR_TRY(const std::span<const std::byte> raw, cursor.take(value_type_bytes(type), what));
  if (type == ValueType::kBool) HANGAR_CHECK_OK(check_bools(raw, cursor, key));
  return scalar_value(type, raw.data());
}

Value scalar_at(const Array& array, std::uint64_t i) {
  return scalar_value(array.element, array.scalars.data() + i * value_type_bytes(array.element));
}

std::string to_text(const Value& value) {
  struct Writer {
    ValueType type;
    std::string operator()(std::uint64_t x) const { return fmt::format("{}", x); }
    std::string operator()(std::int64_t x) const { return fmt::format("{}", x); }
    std::string operator()(double x) const {
      // A float32 is written with the digits it has, not with those of the double it became.
      return type == ValueType::kFloat32 ? fmt::format("{}", static_cast<float>(x))
                                         : fmt::format("{}", x);
    }
    std::string operator()(bool x) const { return x ? "true" : "false"; }
    std::string operator()(std::string_view x) const { return printable(x); }
    std::string operator()(const Array& x) const { return array_text(x); }
  };
  return std::visit(Writer{value.type}, value.data);
}

}  // namespace hangar::gguf
