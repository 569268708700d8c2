// The tests: what may follow `is`.
//
// Promise: Jinja2's own tests; the table is the whole list.
// Errors: thrown, as the operators they use.
// Threads: the table is a constant.
#pragma once

#include <string_view>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

using TestFunction = bool (*)(Heap& heap, const Value& value, const Args& args);

TestFunction find_test(std::string_view name);  // nullptr: there is none of that name

}  // namespace hangar::jinja
