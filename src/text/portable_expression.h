// Portable expressions: what tokenizers' authors wrote for Oniguruma, written for PCRE2.
//
// Promise: the classes (\s, \w, \d, \h, \b, \p{..}) are written out so that every PCRE2 (10.34 and
//   later) gives those of Oniguruma with Unicode 16, as the library behind Hugging Face's
//   tokenizers has them. Sets inside sets and their intersections ("[a-z&&[^aeiou]]") become what
//   PCRE2 has; {n,m}+ is a repeated repetition, as in Ruby, not a possessive one. All else is the
//   same in both.
// Errors: kUnsupported: what has no equal in PCRE2 (an absent operator, a set that does not end).
// Threads: a pure function.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hangar {

Result<std::string> portable_expression(std::string_view expression);

}  // namespace hangar
