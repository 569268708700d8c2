#include "text/jinja/text_form.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "text/jinja/heap.h"
#include "text/jinja/reps.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja {
namespace {

void append_items(Heap& heap, std::string& out, const std::vector<Value>& items,
                  std::uint32_t depth) {
  bool first = true;
  for (const Value& item : items) {
    if (!first) heap.append(out, ", ");
    first = false;
    append_repr(heap, out, item, depth);
  }
}

void append_list(Heap& heap, std::string& out, const ListRep& list, std::uint32_t depth) {
  switch (list.flavor) {
    case ListFlavor::kRange:
      heap.append(out, list.repr);
      return;
    case ListFlavor::kGenerator:
      heap.append(out, "<generator object>");
      return;
    case ListFlavor::kTuple:
    case ListFlavor::kGroup:
      heap.append(out, "(");
      append_items(heap, out, list.items, depth);
      heap.append(out, list.items.size() == 1 ? ",)" : ")");
      return;
    case ListFlavor::kList:
      heap.append(out, "[");
      append_items(heap, out, list.items, depth);
      heap.append(out, "]");
      return;
    case ListFlavor::kKeys:
    case ListFlavor::kValues:
    case ListFlavor::kItems:
      heap.append(out, list.flavor == ListFlavor::kKeys     ? "dict_keys(["
                       : list.flavor == ListFlavor::kValues ? "dict_values(["
                                                            : "dict_items([");
      append_items(heap, out, list.items, depth);
      heap.append(out, "])");
      return;
  }
}

void append_dict(Heap& heap, std::string& out, const DictRep& dict, std::uint32_t depth) {
  heap.append(out, "{");
  bool first = true;
  for (const auto& [key, value] : dict.entries()) {
    if (!first) heap.append(out, ", ");
    first = false;
    append_repr(heap, out, key, depth);
    heap.append(out, ": ");
    append_repr(heap, out, value, depth);
  }
  heap.append(out, "}");
}

std::string_view trim_space(std::string_view text) {
  return strip_right(strip_left(text, {}, true), {}, true);
}

// Digits with single underscores between them; nullopt where they stand anywhere else.
std::optional<std::string> drop_underscores(std::string_view text) {
  std::string out;
  char last = '_';
  for (const char c : text) {
    if (c == '_' && last == '_') return std::nullopt;
    if (c != '_') out += c;
    last = c;
  }
  if (last == '_') return std::nullopt;
  return out;
}

int prefix_base(std::string_view text) {
  if (text.size() < 2 || text[0] != '0') return 0;
  switch (text[1]) {
    case 'x':
    case 'X':
      return 16;
    case 'o':
    case 'O':
      return 8;
    case 'b':
    case 'B':
      return 2;
    default:
      return 0;
  }
}

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string out = fmt::format("{}", value);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

std::string string_repr(std::string_view text) {
  const bool double_quoted =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = double_quoted ? '"' : '\'';
  std::string out(1, quote);
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t begin = offset;
    const char32_t c = next_code_point(text, offset);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_printable(c)) {
      out += text.substr(begin, offset - begin);
    } else if (c <= 0xFF) {
      out += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(c));
    } else if (c <= 0xFFFF) {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
    } else {
      out += fmt::format("\\U{:08x}", static_cast<std::uint32_t>(c));
    }
  }
  out += quote;
  return out;
}

void append_repr(Heap& heap, std::string& out, const Value& value, std::uint32_t depth) {
  if (depth > heap.meter().limits().depth) {
    fail(ErrorCode::kResourceExhausted, "a value nests deeper than {} and can't be printed",
         heap.meter().limits().depth);
  }
  switch (value.kind()) {
    case Kind::kNone:
      heap.append(out, "None");
      return;
    case Kind::kUndefined:
      heap.append(out, "Undefined");
      return;
    case Kind::kBool:
      heap.append(out, value.as_bool() ? "True" : "False");
      return;
    case Kind::kInt:
      heap.append(out, fmt::format("{}", value.as_int()));
      return;
    case Kind::kDouble:
      heap.append(out, float_repr(value.as_double()));
      return;
    case Kind::kString:
      heap.meter().check_room(out.size() + value.as_text().size());
      heap.append(out, value.is_markup() ? fmt::format("Markup({})", string_repr(value.as_text()))
                                         : string_repr(value.as_text()));
      return;
    case Kind::kList:
      append_list(heap, out, value.as_list(), depth + 1);
      return;
    case Kind::kDict:
      append_dict(heap, out, value.as_dict(), depth + 1);
      return;
    case Kind::kObject:
      heap.append(out, value.as_object()->repr(heap, depth + 1));
      return;
  }
}

void append_text(Heap& heap, std::string& out, const Value& value) {
  if (value.is_string()) {
    heap.append(out, value.as_text());
  } else if (!value.is_undefined()) {
    append_repr(heap, out, value);
  }
}

std::string to_text(Heap& heap, const Value& value) {
  std::string out;
  append_text(heap, out, value);
  return out;
}

std::optional<std::int64_t> parse_int(std::string_view text, int base) {
  text = trim_space(text);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const int prefix = prefix_base(text);
  if (prefix != 0 && (base == prefix || base == 0)) {
    base = prefix;
    text.remove_prefix(2);
    if (text.starts_with('_')) text.remove_prefix(1);
  }
  if (base == 0) base = 10;
  if (base < 2 || base > 36) return std::nullopt;
  const std::optional<std::string> digits = drop_underscores(text);
  if (!digits || digits->empty() || (*digits)[0] == '-') return std::nullopt;
  const std::string signed_digits = (negative ? "-" : "") + *digits;
  std::int64_t result = 0;
  const char* end = signed_digits.data() + signed_digits.size();
  const auto [stop, error] = std::from_chars(signed_digits.data(), end, result, base);
  if (error == std::errc::result_out_of_range && stop == end) {
    fail(ErrorCode::kInvalidArgument, "integer {} does not fit in 64 bits", start_of(text, 40));
  }
  if (error != std::errc() || stop != end) return std::nullopt;
  return result;
}

std::optional<double> parse_float(std::string_view text) {
  text = trim_space(text);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const std::optional<std::string> digits = drop_underscores(text);
  if (!digits || digits->empty() || (*digits)[0] == '-') return std::nullopt;
  const std::string lower = to_lower(*digits);
  double result = 0.0;
  if (lower == "inf" || lower == "infinity") {
    result = std::numeric_limits<double>::infinity();
  } else if (lower == "nan") {
    result = std::numeric_limits<double>::quiet_NaN();
  } else {
    if (lower.find_first_not_of("0123456789.e+-") != std::string::npos) return std::nullopt;
    const char* end = lower.data() + lower.size();
    const auto [stop, error] = std::from_chars(lower.data(), end, result);
    if (stop != end || error == std::errc::invalid_argument) return std::nullopt;
    if (error == std::errc::result_out_of_range) {
      // Too large or too small for a double: infinity or zero, as Python has it.
      const std::size_t exponent = lower.find("e-");
      result = exponent == std::string::npos ? std::numeric_limits<double>::infinity() : 0.0;
    }
  }
  return negative ? -result : result;
}

}  // namespace hangar::jinja
