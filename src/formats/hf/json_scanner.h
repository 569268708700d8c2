// JsonScanner: pulls one value after the other out of a JSON text, for files of many megabytes.
//
// Promise: strict JSON (RFC 8259) and UTF-8; strings without escapes are views into the text, so a
//   vocabulary is read without a copy or a tree. No more than kMaxDepth levels.
// Errors: the first one sticks: every call after it does nothing and returns false; status() tells
//   it with the line and the column. kCorrupt always.
// Use: `while (scanner.next_key(key)) ...`: each key's value must be read or skipped.
// Threads: one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
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
  // ["a", "b"]; both are good until the next call.
  bool read_string_pair(std::string_view& first, std::string_view& second);
  bool read_integer(std::int64_t& value);  // a whole number without fraction or exponent
  bool read_number(double& value);
  bool read_bool(bool& value);
  bool read_null();
  // Checks the value through, duplicate keys too; `value` is its text.
  bool skip_value(std::string_view& value);
  bool finish();  // only white space is left

  bool fail(std::string message);  // false, so that a caller may return it
  bool ok() const { return !error_.has_value(); }
  Status status() const;
  // As far as memory may be read past a string that was read.
  const char* readable_end(std::string_view value) const {
    const bool in_text = !std::less<>()(value.data(), begin_) && std::less<>()(value.data(), end_);
    return in_text ? end_ : value.data() + value.size();
  }
  std::size_t remaining_bytes() const { return static_cast<std::size_t>(end_ - at_); }

 private:
  // The white space that stood last at a place of the grammar. Files repeat themselves: where the
  // same comes again, it is known where the next value begins before what lies between is looked
  // at.
  struct Gap {
    std::uint64_t first = 0, first_mask = 0;  // up to 16 bytes
    std::uint64_t second = 0, second_mask = 0;
    std::size_t bytes = 0;
  };
  struct Gaps {
    Gap after_value, after_comma, after_colon;
  };

  void skip_space() {
    if (at_ == end_ || static_cast<unsigned char>(*at_) <= ' ') skip_spaces();
  }
  void skip_spaces();
  void skip(Gap& gap);
  void skip_other(Gap& gap);
  bool enter(char bracket, const char* expected);
  bool next(char bracket);  // past a comma; false: at the closing bracket, which is taken
  bool read_word(std::string_view word);
  bool read_string(std::string_view& value, std::string& unescaped);
  bool unescape(const char* begin, const char* special, std::string& unescaped);
  bool read_escape(const char*& p, std::string& unescaped);
  bool read_unit(const char*& p, std::uint32_t& unit);  // four hexadecimal digits
  std::string_view number_text();
  bool check_value();

  const char* begin_;
  const char* at_;
  const char* end_;
  std::string_view what_;
  unsigned depth_ = 0;
  std::array<Gaps, kMaxDepth + 1> gaps_;  // by depth
  bool first_ = false;                    // nothing of the innermost object or array has been read
  std::string scratch_;
  std::string second_scratch_;
  std::optional<Error> error_;
};

}  // namespace hangar::hf
