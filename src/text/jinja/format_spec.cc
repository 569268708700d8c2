#include "text/jinja/format_spec.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/heap.h"
#include "text/jinja/text_form.h"
#include "text/jinja/text_tools.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja {
namespace {

constexpr int kMaxPrecision = 4096;
constexpr std::size_t kMaxWidth = 1U << 24U;

bool is_align(std::string_view piece) {
  return piece.size() == 1 && piece.find_first_of("<>^=") == 0;
}

std::optional<std::size_t> take_number(std::string_view& text) {
  std::size_t value = 0;
  std::size_t used = 0;
  while (used < text.size() && text[used] >= '0' && text[used] <= '9') {
    value = value * 10 + static_cast<std::size_t>(text[used] - '0');
    if (value > kMaxWidth) {
      fail(ErrorCode::kResourceExhausted, "a format asks for more than {} characters", kMaxWidth);
    }
    ++used;
  }
  text.remove_prefix(used);
  return used == 0 ? std::nullopt : std::optional(value);
}

bool take_char(std::string_view& text, std::string_view wanted, char& out) {
  if (text.empty() || wanted.find(text[0]) == std::string_view::npos) return false;
  out = text[0];
  text.remove_prefix(1);
  return true;
}

std::string group_digits(std::string_view digits, char separator, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % size == 0) out += separator;
    out += digits[i];
  }
  return out;
}

std::string align_text(Heap& heap, std::string_view text, const FormatSpec& spec, char align) {
  const std::size_t size = count_code_points(text);
  const std::size_t space = spec.width > size ? spec.width - size : 0;
  std::size_t left = 0;
  if (align == '>' || align == '=') left = space;
  if (align == '^') left = space / 2;
  return pad(heap, text, spec.fill, left, space - left);
}

// `prefix` is the sign and 0x; `rest` is what follows the whole digits.
std::string assemble(Heap& heap, std::string_view prefix, std::string digits, std::string_view rest,
                     const FormatSpec& spec) {
  const bool hex = spec.type == 'x' || spec.type == 'X' || spec.type == 'o' || spec.type == 'b';
  const char align = spec.align == 0 ? '>' : spec.align;
  if (spec.grouping != 0) digits = group_digits(digits, spec.grouping, hex ? 4 : 3);
  if (align == '=') {
    FormatSpec inner = spec;
    inner.width = spec.width > prefix.size() ? spec.width - prefix.size() : 0;
    return std::string(prefix) + align_text(heap, digits + std::string(rest), inner, '>');
  }
  return align_text(heap, std::string(prefix) + digits + std::string(rest), spec, align);
}

std::string sign_text(bool negative, char sign) {
  if (negative) return "-";
  return sign == '-' ? "" : std::string(1, sign);
}

std::string real_digits(double value, const FormatSpec& spec) {
  const int precision = spec.precision.value_or(6);
  switch (spec.type) {
    case 'e':
      return fmt::format("{:.{}e}", value, precision);
    case 'E':
      return fmt::format("{:.{}E}", value, precision);
    case 'f':
    case 'F':
      return fmt::format("{:.{}f}", value, precision);
    case '%':
      return fmt::format("{:.{}f}%", value * 100, precision);
    case 'g':
    case 'n':
      return spec.alternate ? fmt::format("{:#.{}g}", value, std::max(precision, 1))
                            : fmt::format("{:.{}g}", value, std::max(precision, 1));
    case 'G':
      return fmt::format("{:.{}G}", value, std::max(precision, 1));
    default:
      break;
  }
  if (!spec.precision) return float_repr(value);
  std::string out = fmt::format("{:.{}g}", value, std::max(precision, 1));
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

}  // namespace

FormatSpec parse_format_spec(std::string_view text) {
  FormatSpec spec;
  const std::string_view whole = text;
  std::size_t first = 0;
  if (!text.empty()) next_code_point(text, first);
  if (first < text.size() && is_align(text.substr(first, 1))) {
    spec.fill = std::string(text.substr(0, first));
    spec.align = text[first];
    text.remove_prefix(first + 1);
  } else {
    take_char(text, "<>^=", spec.align);
  }
  take_char(text, "+- ", spec.sign);
  char ignored = 0;
  spec.alternate = take_char(text, "#", ignored);
  if (take_char(text, "0", ignored) && spec.align == 0) {
    spec.align = '=';
    spec.fill = "0";
  }
  spec.width = take_number(text).value_or(0);
  take_char(text, ",_", spec.grouping);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const auto precision = take_number(text);
    if (!precision) fail_type("Format specifier missing precision");
    if (*precision > static_cast<std::size_t>(kMaxPrecision)) {
      fail(ErrorCode::kResourceExhausted, "a format asks for more than {} digits", kMaxPrecision);
    }
    spec.precision = static_cast<int>(*precision);
  }
  take_char(text, "bcdeEfFgGnosxX%", spec.type);
  if (!text.empty()) fail_type("Invalid format specifier '{}'", start_of(whole, 100));
  return spec;
}

std::string format_text(Heap& heap, std::string_view text, const FormatSpec& spec) {
  if (spec.precision) {
    text = text.substr(0, offset_of_code_point(text, static_cast<std::size_t>(*spec.precision)));
  }
  return align_text(heap, text, spec, spec.align == 0 || spec.align == '=' ? '<' : spec.align);
}

std::string format_integer(Heap& heap, std::int64_t value, const FormatSpec& spec) {
  const bool negative = value < 0;
  const std::uint64_t magnitude =
      negative ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  std::string prefix = sign_text(negative, spec.sign);
  std::string digits;
  switch (spec.type) {
    case 'b':
      digits = fmt::format("{:b}", magnitude);
      if (spec.alternate) prefix += "0b";
      break;
    case 'o':
      digits = fmt::format("{:o}", magnitude);
      if (spec.alternate) prefix += "0o";
      break;
    case 'x':
      digits = fmt::format("{:x}", magnitude);
      if (spec.alternate) prefix += "0x";
      break;
    case 'X':
      digits = fmt::format("{:X}", magnitude);
      if (spec.alternate) prefix += "0X";
      break;
    case 'c': {
      if (value < 0 || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        fail_type("%c arg not in range(0x110000)");
      }
      std::string text;
      append_code_point(text, static_cast<char32_t>(value));
      FormatSpec plain = spec;
      plain.precision.reset();
      return format_text(heap, text, plain);
    }
    default:
      digits = fmt::format("{}", magnitude);
  }
  // % formats allow a precision: that many digits at least.
  if (spec.precision && digits.size() < static_cast<std::size_t>(*spec.precision)) {
    digits.insert(0, static_cast<std::size_t>(*spec.precision) - digits.size(), '0');
  }
  return assemble(heap, prefix, std::move(digits), {}, spec);
}

std::string format_real(Heap& heap, double value, const FormatSpec& spec) {
  const bool negative = std::signbit(value) && !std::isnan(value);
  const std::string prefix = sign_text(negative, spec.sign);
  if (!std::isfinite(value)) {
    std::string text = std::isnan(value) ? "nan" : "inf";
    if (spec.type == 'E' || spec.type == 'F' || spec.type == 'G') text = to_upper(text);
    FormatSpec plain = spec;
    plain.grouping = 0;
    return assemble(heap, prefix, std::move(text), spec.type == '%' ? "%" : "", plain);
  }
  std::string text = real_digits(std::abs(value), spec);
  const std::size_t whole = text.find_first_not_of("0123456789");
  const std::string rest = whole == std::string::npos ? "" : text.substr(whole);
  if (whole != std::string::npos) text.resize(whole);
  return assemble(heap, prefix, std::move(text), rest, spec);
}

std::string format_value(Heap& heap, const Value& value, std::string_view spec_text) {
  if (value.is_undefined() && !spec_text.empty()) fail_type("{}", value.undefined_message());
  if (spec_text.empty()) return to_text(heap, value);
  const FormatSpec spec = parse_format_spec(spec_text);
  const std::string_view type(&spec.type, spec.type == 0 ? 0 : 1);
  const auto refuse = [&] {
    fail_type("Unknown format code '{}' for object of type '{}'", type, type_name(value));
  };
  switch (value.kind()) {
    case Kind::kString:
      if (!type.empty() && type != "s") refuse();
      if (spec.align == '=' && spec.fill != "0") {
        fail_type("'=' alignment not allowed in string format specifier");
      }
      return format_text(heap, value.as_text(), spec);
    case Kind::kBool:
    case Kind::kInt:
      if (std::string_view("eEfFgG%").find(type) != std::string_view::npos && !type.empty()) {
        return format_real(heap, value.as_double(), spec);
      }
      if (type == "s") refuse();
      if (spec.precision) fail_type("Precision not allowed in integer format specifier");
      return format_integer(heap, value.as_int(), spec);
    case Kind::kDouble:
      if (std::string_view("eEfFgGn%").find(type) == std::string_view::npos) refuse();
      return format_real(heap, value.as_double(), spec);
    default:
      fail_type("unsupported format string passed to {}.__format__", type_name(value));
  }
}

}  // namespace hangar::jinja
