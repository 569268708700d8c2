// JSON files of a model folder: one object, read strictly.
//
// Promise: parse_object gives the object only if no object in it has the same key twice (readers
//   would otherwise differ in which one they take), nesting is at most 32 deep and nothing follows.
// Errors: kCorrupt with `file`, and the line and column or the key.
// Threads: a pure function.
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "base/result.h"

namespace hangar::hf {

Result<boost::json::object> parse_object(std::string_view text, std::string_view file);

// A value on one line for people: long arrays and strings are shortened.
std::string brief(const boost::json::value& value);

}  // namespace hangar::hf
