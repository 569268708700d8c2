// The program's version, as `hangar --version` and the `Server` header say it.
//
// Promise: equals CMake's project version (version_test.cc holds them together).
// Errors: none.
// Threads: a constant.
#pragma once

#include <string_view>

namespace hangar {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace hangar
