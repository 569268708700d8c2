// Value: one metadata value of a GGUF file, of any of its 13 types.
//
// Promise: read_value reads a value whose bytes all lie in the file. Strings and arrays of numbers
//   are views on the file; memory taken is a small multiple of the bytes read.
// Errors: kCorrupt (an unknown type number, a count past the end, a bool that is neither 0 nor 1,
//   arrays nested deeper than kMaxArrayDepth).
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "formats/gguf/cursor.h"

namespace hangar::gguf {

// The numbers are those in the file.
enum class ValueType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

inline constexpr int kMaxArrayDepth = 4;

std::string_view value_type_name(ValueType type);  // "uint32"
// Bytes of a number or bool; 0 for strings and arrays.
std::size_t value_type_bytes(ValueType type);

struct Value;

struct Array {
  ValueType element = ValueType::kUint8;
  std::uint64_t count = 0;
  std::span<const std::byte> scalars;     // numbers and bools, as they lie in the file
  std::vector<std::string_view> strings;  // where element is kString
  std::vector<Value> arrays;              // where element is kArray
};

struct Value {
  ValueType type = ValueType::kUint8;
  // Unsigned and signed integers, both kinds of float, bool, string, array.
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, Array> data;
};

// `key` names the value in errors.
Result<Value> read_value(Cursor& cursor, ValueType type, std::string_view key, int depth = 0);
// The type number, checked.
Result<ValueType> read_value_type(Cursor& cursor, std::string_view key);

// Element i of an array of numbers or bools.
Value scalar_at(const Array& array, std::uint64_t i);

// One line for people; of an array only the first few elements and its size.
std::string to_text(const Value& value);

}  // namespace hangar::gguf
