// "{} and {name!r:>8}".format(...): Python's str.format.
//
// Promise: Python's text; attributes and elements in a field go through the sandbox's rules.
// Errors: a field without a value, or a broken format: kInvalidArgument, thrown.
// Threads: the caller's render.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

std::string brace_format(Heap& heap, std::string_view format, const Args& args);

}  // namespace hangar::jinja
