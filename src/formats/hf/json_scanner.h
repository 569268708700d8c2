// JsonScanner: pulls one value after the other out of a JSON text, for files of many megabytes.
//
// Promise: strict JSON (RFC 8259) and UTF-8; strings without escapes are views into the text, so a
//   vocabulary is read without a copy or a tree. No more than kMaxDepth levels.
// Errors: the first one sticks: every call after it does nothing and returns false; status() tells
//   it with the line and the column. kCorrupt always.
// Use: `while (scanner.next_key(key)) ...`: each key's value must be read or skipped.
// Threads: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hangar::hf {

class JsonScanner {
 public:
  enum class Kind : std::uint8_t { kObject, kArray, kString, kNumber, kBool, kNull, kNone };
  static constexpr unsigned kMaxDepth = 32;

  // `text` and `what` (the file's name, for messages) outlive the scanner.
  JsonScanner(std::string_view text, std::string_view what);

  Kind peek();  // of the next value; kNone: none is there
  bool enter_object();
  bool next_key(std::string_view& key);  // false: the object has ended, or an error
  bool enter_array();
  bool next_element();                        // false: the array has ended, or an error
  bool read_string(std::string_view& value);  // good until the next call
  bool read_integer(std::int64_t& value);     // a whole number without fraction or exponent
  bool read_number(double& value);
  bool read_bool(bool& value);
  bool read_null();
  // Checks the value through, duplicate keys too; `value` is its text.
  bool skip_value(std::string_view& value);
  bool finish();  // only white space is left

  bool fail(std::string message);  // false, so that a caller may return it
  bool ok() const { return !error_.has_value(); }
  Status status() const;
  std::size_t remaining_bytes() const { return static_cast<std::size_t>(end_ - at_); }

 private:
  void skip_space() {
    if (at_ == end_ || static_cast<unsigned char>(*at_) <= ' ') skip_spaces();
  }
  void skip_spaces();
  bool enter(char bracket, const char* expected);
  bool next(char bracket);  // past a comma; false: at the closing bracket, which is taken
  bool read_word(std::string_view word);
  bool unescape(const char* begin, const char* special);
  bool read_escape(const char*& p);
  bool read_unit(const char*& p, std::uint32_t& unit);  // four hexadecimal digits
  std::string_view number_text();
  bool check_value();

  const char* begin_;
  const char* at_;
  const char* end_;
  std::string_view what_;
  unsigned depth_ = 0;
  bool first_ = false;  // nothing of the innermost object or array has been read
  std::string scratch_;
  std::optional<Error> error_;
};

}  // namespace hangar::hf
