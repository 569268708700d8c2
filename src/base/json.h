// JSON in and out, as Hangar writes it.
//
// Promise: write_json gives numbers in their shortest form that reads back to the same value (1.5,
//   not 1.5E0) and keys in the object's order; what is not finite becomes null. indent > 0: one
//   member a line, that many spaces a level; 0: all on one line.
// Errors: parse_json: kInvalidArgument with `what`, the line and the column.
// Threads: pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hangar {

std::string write_json(const boost::json::value& value, int indent = 0);
Result<boost::json::value> parse_json(std::string_view text, std::string_view what);
// A member that is text; empty where there is none, or another.
std::string text_of(const boost::json::object& object, std::string_view key);

}  // namespace hangar
