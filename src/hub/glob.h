// Globs over paths inside a repository, as the hub's own tools read them.
//
// Promise: '*' is any number of any characters ('/' too), '?' one, "[a-z]" and "[!a-z]" one of or
// not
//   of a set; all else is itself; letter case matters. Time is bounded by pattern times text.
// Errors: none; a '[' without its ']' is itself.
// Threads: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hangar::hub {

bool glob_matches(std::string_view pattern, std::string_view text);
bool any_glob_matches(std::span<const std::string> patterns, std::string_view text);

}  // namespace hangar::hub
