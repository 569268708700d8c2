// Value: one metadata value of a GGUF file, of any of its 13 types.
//
// Promise: read_value reads a value whose bytes all lie in the file. Strings and arrays of them
//   or of numbers are views on the file; memory taken is a small multiple of the bytes read.
// Errors: kCorrupt (an unknown type number, a count past the end, a bool that is neither 0 nor 1,
//   arrays nested deeper than kMaxArrayDepth).
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
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

// Strings one after the other, each a 64-bit length and its bytes, as they lie in the file; they
// have been checked.
class StringArray {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    Iterator() = default;
    explicit Iterator(const std::byte* at) : at_(at) {}
    std::string_view operator*() const {
      return {reinterpret_cast<const char*>(at_ + kLengthBytes), length_at(at_)};
    }
    Iterator& operator++() {
      at_ += kLengthBytes + length_at(at_);
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const std::byte* at_ = nullptr;
  };
  static constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);

  StringArray() = default;
  // Takes `count` strings.
  static Result<StringArray> read(Cursor& cursor, std::uint64_t count, std::string_view what);
  Iterator begin() const { return Iterator(bytes_.data()); }
  Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }
  std::size_t text_bytes() const { return text_bytes_; }  // of all
  // As far as memory may be read past any of them.
  const char* readable_end() const {
    return reinterpret_cast<const char*>(bytes_.data() + bytes_.size());
  }

 private:
  static std::size_t length_at(const std::byte* p) {
    std::uint64_t length;
    std::memcpy(&length, p, sizeof length);
    return static_cast<std::size_t>(length);
  }

  std::span<const std::byte> bytes_;
  std::size_t text_bytes_ = 0;
};

struct Array {
  ValueType element = ValueType::kUint8;
  std::uint64_t count = 0;
  std::span<const std::byte> scalars;  // numbers and bools, as they lie in the file
  StringArray strings;                 // where element is kString
  std::vector<Value> arrays;           // where element is kArray
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
