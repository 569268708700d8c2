// A value as text: Python's str() and repr(), and an integer or float read from text.
//
// Promise: the same bytes as Python: True, None, ['a', 1.0], shortest floats that read back equal.
// Errors: limits pass as kResourceExhausted, thrown.
// Threads: the caller's render.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

std::string float_repr(double value);
std::string string_repr(std::string_view text);
// str(value). Undefined is empty.
std::string to_text(Heap& heap, const Value& value);
void append_text(Heap& heap, std::string& out, const Value& value);
// repr(value); depth is how deep the caller already is.
void append_repr(Heap& heap, std::string& out, const Value& value, std::uint32_t depth = 0);

// int(text, base) and float(text): nullopt where Python raises ValueError.
std::optional<std::int64_t> parse_int(std::string_view text, int base);
std::optional<double> parse_float(std::string_view text);

}  // namespace hangar::jinja
