#include "text/jinja/string_literal.h"

#include <charconv>

#include "text/jinja/error.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja {
namespace {

char simple_escape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case '\\':
    case '\'':
    case '"':
      return c;
    default:
      return '\0';
  }
}

std::size_t hex_digits_of(char c) {
  if (c == 'x') return 2;
  if (c == 'u') return 4;
  return c == 'U' ? 8 : 0;
}

void append_number(std::string& out, std::string_view digits, int base, int line) {
  std::uint32_t code = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (!whole || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    fail_at(line, ErrorCode::kCorrupt, "the escape with digits '{}' names no character", digits);
  }
  append_code_point(out, static_cast<char32_t>(code));
}

}  // namespace

std::string unescape_literal(std::string_view text, int line) {
  std::string out;
  std::size_t i = 0;
  while (i < text.size()) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      out += text[i++];
      continue;
    }
    const char c = text[i + 1];
    const std::size_t hex_digits = hex_digits_of(c);
    if (c == '\n') {
      i += 2;  // a line that goes on
    } else if (const char simple = simple_escape(c); simple != '\0') {
      out += simple;
      i += 2;
    } else if (c >= '0' && c <= '7') {
      std::size_t end = i + 1;
      while (end < text.size() && end < i + 4 && text[end] >= '0' && text[end] <= '7') ++end;
      append_number(out, text.substr(i + 1, end - i - 1), 8, line);
      i = end;
    } else if (hex_digits != 0) {
      const std::string_view digits = text.substr(i + 2, hex_digits);
      if (digits.size() != hex_digits) {
        fail_at(line, ErrorCode::kCorrupt, "truncated \\{} escape", c);
      }
      append_number(out, digits, 16, line);
      i += 2 + hex_digits;
    } else if (c == 'N') {
      fail_at(line, ErrorCode::kUnsupported, "\\N escapes are not supported");
    } else {
      out += '\\';
      ++i;
    }
  }
  return out;
}

}  // namespace hangar::jinja
