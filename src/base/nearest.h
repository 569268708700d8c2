// The name someone most likely meant: for mistyped commands, flags and keys.
//
// Promise: nearest_name gives the candidate with the fewest edits (insert, delete, replace, swap of
//   neighbours) if these are at most a third of the name's length, rounded up; else nothing.
//   Letter case, '-' and '_' make no difference.
// Errors: none.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hangar {

// Edits between two names as they stand (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

std::optional<std::string> nearest_name(std::string_view name,
                                        std::span<const std::string> candidates);

}  // namespace hangar
