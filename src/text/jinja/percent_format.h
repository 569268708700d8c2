// "%s and %(name)s" % value: Python's printf-like formatting.
//
// Promise: Python's text for a tuple, one value or a dict of names.
// Errors: too few or too many values, or a value of the wrong type: kInvalidArgument, thrown.
// Threads: the caller's render.
#pragma once

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

Value percent_format(Heap& heap, const Value& format, const Value& arguments);

}  // namespace hangar::jinja
