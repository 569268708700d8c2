// Filters on single values: defaults, numbers, JSON.
#include <algorithm>
#include <cmath>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/filters.h"
#include "text/jinja/heap.h"
#include "text/jinja/json_form.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_form.h"
#include "text/jinja/text_tools.h"

namespace hangar::jinja::filters {
namespace {

std::int64_t truncate_real(double value) {
  if (std::isnan(value)) fail_type("cannot convert float NaN to integer");
  const double whole = std::trunc(value);
  if (whole < -9223372036854775808.0 || whole >= 9223372036854775808.0) {
    fail_type("cannot convert float {} to a 64-bit integer", float_repr(value));
  }
  return static_cast<std::int64_t>(whole);
}

double power_of_ten(std::int64_t exponent) {
  return std::pow(10.0, static_cast<double>(std::clamp<std::int64_t>(exponent, -400, 400)));
}

// round(value, digits): half to even, from the number's exact decimal form.
double round_real(double value, std::int64_t digits) {
  constexpr std::int64_t kMostDigits = 323;
  if (!std::isfinite(value) || digits > kMostDigits) return value;
  if (digits < -308) return std::copysign(0.0, value);
  if (digits >= 0) {
    return parse_float(fmt::format("{:.{}f}", value, static_cast<int>(digits))).value_or(value);
  }
  const double unit = power_of_ten(-digits);
  return std::nearbyint(value / unit) * unit;
}

Value round_integer(std::int64_t value, std::int64_t digits) {
  if (digits >= 0) return Value::integer(value);
  if (digits < -18) return Value::integer(0);
  std::int64_t unit = 1;
  for (std::int64_t i = digits; i < 0; ++i) unit *= 10;
  std::int64_t rest = value % unit;
  if (rest < 0) rest += unit;
  std::int64_t result = 0;
  if (__builtin_sub_overflow(value, rest, &result)) fail_type("the rounded integer is too large");
  const bool odd = (result / unit) % 2 != 0;
  const bool up = rest > unit - rest || (rest == unit - rest && odd);
  if (up && __builtin_add_overflow(result, unit, &result)) {
    fail_type("the rounded integer is too large");
  }
  return Value::integer(result);
}

}  // namespace

Value default_value(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "default", {"default_value", "boolean"});
  const bool replaced = input.is_undefined() || (given.truth_or(1, false) && !is_true(input));
  if (!replaced) return input;
  return given.has(0) ? given.at(0) : heap.string("");
}

Value attr(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "attr", {"name"}, 1);
  const std::string_view name = given.text(0);
  if (input.is_dict() && !name.starts_with('_') && find_method(input, name) == nullptr &&
      !is_mutating_method(input, name)) {
    return heap.undefined(fmt::format("'dict object' has no attribute '{}'", name));
  }
  return get_attribute(heap, input, name);
}

Value tojson(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "tojson", {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonOptions options;
  options.ensure_ascii = given.truth_or(0, false);
  options.sort_keys = given.truth_or(3, false);
  if (given.given(1)) {
    if (given.at(1).is_string()) {
      options.indent = std::string(given.text(1));
    } else {
      const std::int64_t width = std::max<std::int64_t>(given.integer(1), 0);
      options.indent = pad(heap, "", " ", static_cast<std::size_t>(width), 0);
    }
    options.item_separator = ",";
  }
  if (given.given(2)) {
    const auto pair = iterate(heap, given.at(2));
    if (pair->items.size() != 2 || !pair->items[0].is_string() || !pair->items[1].is_string()) {
      fail_type("tojson(): separators must be two strings");
    }
    options.item_separator = pair->items[0].as_text();
    options.key_separator = pair->items[1].as_text();
  }
  return heap.string(to_json(heap, input, options));
}

Value from_json_text(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "from_json", {});
  if (input.is_undefined()) fail_type("{}", input.undefined_message());
  if (!input.is_string()) fail_type("from_json takes a string, not {}", type_name(input));
  const std::string_view text = input.as_text();
  heap.meter().scan(text.size());
  heap.meter().check_room(text.size() * 32);
  boost::json::error_code error;
  const boost::json::value json = boost::json::parse({text.data(), text.size()}, error);
  if (error) fail_type("from_json: {}", error.message());
  return from_json(heap, json);
}

Value to_int(Heap& /*heap*/, const Value& input, const Args& args) {
  const Arguments given(args, "int", {"default", "base"});
  if (input.is_undefined()) fail_type("{}", input.undefined_message());
  if (input.is_integral()) return Value::integer(input.as_int());
  if (input.is(Kind::kDouble)) return Value::integer(truncate_real(input.as_double()));
  if (input.is_string()) {
    const std::int64_t base = given.integer_or(1, 10);
    if (const auto whole =
            parse_int(input.as_text(), static_cast<int>(std::clamp<std::int64_t>(base, -1, 100)))) {
      return Value::integer(*whole);
    }
    const auto real = parse_float(input.as_text());
    if (real && std::isfinite(*real)) return Value::integer(truncate_real(*real));
  }
  return given.value_or(0, Value::integer(0));
}

Value to_float(Heap& /*heap*/, const Value& input, const Args& args) {
  const Arguments given(args, "float", {"default"});
  if (input.is_undefined()) fail_type("{}", input.undefined_message());
  if (input.is_number()) return Value::real(input.as_double());
  if (input.is_string()) {
    if (const auto real = parse_float(input.as_text())) return Value::real(*real);
  }
  return given.value_or(0, Value::real(0.0));
}

Value absolute(Heap& /*heap*/, const Value& input, const Args& args) {
  Arguments(args, "abs", {});
  if (input.is_undefined()) fail_type("{}", input.undefined_message());
  if (input.is(Kind::kDouble)) return Value::real(std::abs(input.as_double()));
  if (!input.is_integral()) fail_type("bad operand type for abs(): '{}'", type_name(input));
  return input.as_int() < 0 ? negate(input) : Value::integer(input.as_int());
}

Value round(Heap& /*heap*/, const Value& input, const Args& args) {
  const Arguments given(args, "round", {"precision", "method"});
  const std::int64_t digits = given.integer_or(0, 0);
  const std::string_view method = given.has(1) ? given.text(1) : std::string_view("common");
  if (method != "common" && method != "ceil" && method != "floor") {
    fail_type("method must be common, ceil or floor");
  }
  if (input.is_undefined()) fail_type("{}", input.undefined_message());
  if (!input.is_number()) fail_type("type {} doesn't define __round__ method", type_name(input));
  if (method == "common") {
    if (input.is_integral()) return round_integer(input.as_int(), digits);
    return Value::real(round_real(input.as_double(), digits));
  }
  const double unit = power_of_ten(digits);
  const double scaled = input.as_double() * unit;
  return Value::real((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit);
}

}  // namespace hangar::jinja::filters
