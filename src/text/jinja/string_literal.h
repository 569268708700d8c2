// A string literal's escapes, as Python reads them.
//
// Promise: \n, \x41, \u00e9, \U0001f600, \101 and the rest become their characters; an unknown
// escape
//   stays as it is written.
// Errors: a broken or impossible escape: kCorrupt with the line, thrown.
// Threads: pure.
#pragma once

#include <string>
#include <string_view>

namespace hangar::jinja {

std::string unescape_literal(std::string_view text, int line);

}  // namespace hangar::jinja
