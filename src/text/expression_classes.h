// What the character classes of Oniguruma's expressions stand for, inside PCRE2's brackets.
//
// Promise: as Oniguruma with Unicode 16 has them; asked of it one code point after the other.
// Threads: constant data.
#pragma once

#include <string_view>

namespace hangar {

// Of \p{name}; empty: PCRE2's own will do.
std::string_view property_members(std::string_view name);
std::string_view space_members();  // \s
std::string_view word_members();   // \w

}  // namespace hangar
