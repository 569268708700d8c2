// README.md's front matter: the license a model's authors state.
//
// Promise: license_of gives the value of `license` (or `license_name`, where that says "other")
//   between the first two lines of '---'; "" where there is none. Only the plain scalars that hubs
//   ask for are read, not YAML at large.
// Errors: none.
// Threads: a pure function.
#pragma once

#include <string>
#include <string_view>

namespace hangar::hf {

std::string license_of(std::string_view readme);

}  // namespace hangar::hf
