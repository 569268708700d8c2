// Files that are not read here, told by their first bytes or by their name, each with the reason
// and the way out.
//
// Promise: nothing of such a file is run or unpacked. stranger_by_content knows a format by its
//   first bytes; stranger_by_name by the ending, for formats without any.
// Errors: the Error returned is what to tell the user; nullopt: not known as a stranger.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>

#include "base/result.h"

namespace hangar {

std::optional<Error> stranger_by_content(std::span<const std::byte> bytes,
                                         const std::filesystem::path& path);
std::optional<Error> stranger_by_name(const std::filesystem::path& path);

}  // namespace hangar
