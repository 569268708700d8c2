// Special cases: characters whose upper or title case is more than one character.
//
// Promise: find_special_case(c) gives both spellings in UTF-8, or nullptr where c maps to one
//   character (utf8proc knows those).
// Source: the Unicode Character Database, SpecialCasing.
// Threads: constant data.
#pragma once

#include <string_view>

namespace hangar::jinja {

struct SpecialCase {
  char32_t code_point;
  std::string_view upper;
  std::string_view title;
};

const SpecialCase* find_special_case(char32_t code_point);

}  // namespace hangar::jinja
