// Text from a file as a message may carry it.
//
// Promise: whole UTF-8, not long, no control characters.
// Threads: a pure function.
#pragma once

#include <string>
#include <string_view>

namespace hangar {

std::string shown(std::string_view text);

}  // namespace hangar
