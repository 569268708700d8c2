// JSON in and out: the context becomes values, and `tojson` writes them as json.dumps does.
//
// Promise: from_json keeps the order of keys; to_json gives json.dumps's bytes for the same options
//   (transformers' default: not ASCII only, separators ", " and ": ").
// Errors: an unsigned number over 2^63 - 1, or a value that JSON has no form for: kInvalidArgument.
// Threads: the caller's render.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

struct JsonOptions {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // nullopt: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};

Value from_json(Heap& heap, const boost::json::value& json, std::uint32_t depth = 0);
std::string to_json(Heap& heap, const Value& value, const JsonOptions& options);

}  // namespace hangar::jinja
