// UTF-8 walking: one unit at a time, valid or broken, for code that must accept any bytes.
//
// Promise: the units of a text, in order, cover it without gap. A broken unit is a maximal subpart
//   (Unicode, chapter 3, "U+FFFD substitution of maximal subparts"): the longest start of a
//   well-formed character, or one byte where there is none.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hangar {

struct Utf8Unit {
  std::size_t bytes = 0;
  bool valid = false;
  bool incomplete = false;  // not valid yet: the text ends where more could make it so
  char32_t code_point = 0;  // meaningful where valid
};

// The unit `text` begins with; text is not empty.
Utf8Unit next_utf8(std::string_view text);

// How many bytes from the start of `text` are well-formed UTF-8.
std::size_t valid_utf8_prefix(std::string_view text);

// Appends `code_point`, which is a Unicode scalar value.
void append_utf8(char32_t code_point, std::string& out);

}  // namespace hangar
