// Python's format mini-language: what follows the colon in "{:>8.2f}", and what % flags stand for.
//
// Promise: text and numbers in Python's form: alignment, sign, #, 0, width, grouping, precision,
// type. Errors: a spec that Python refuses, or one that does not fit the value: kInvalidArgument,
// thrown. Threads: the caller's render.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

struct FormatSpec {
  std::string fill = " ";
  char align = 0;  // one of < > ^ =, or 0: the type's own
  char sign = '-';
  bool alternate = false;
  char grouping = 0;  // , or _
  std::size_t width = 0;
  std::optional<int> precision;
  char type = 0;
};

FormatSpec parse_format_spec(std::string_view text);
// format(value, spec)
std::string format_value(Heap& heap, const Value& value, std::string_view spec);
std::string format_text(Heap& heap, std::string_view text, const FormatSpec& spec);
std::string format_integer(Heap& heap, std::int64_t value, const FormatSpec& spec);
std::string format_real(Heap& heap, double value, const FormatSpec& spec);

}  // namespace hangar::jinja
