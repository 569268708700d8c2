#include "text/jinja/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <utility>

#include "text/jinja/special_case.h"

namespace hangar::jinja {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr char32_t kCapitalSigma = 0x03A3;

utf8proc_int32_t as_utf8proc(char32_t code_point) {
  return static_cast<utf8proc_int32_t>(code_point);
}

void append_upper(std::string& out, char32_t code_point) {
  if (const SpecialCase* special = find_special_case(code_point)) {
    out += special->upper;
    return;
  }
  append_code_point(out, static_cast<char32_t>(utf8proc_toupper(as_utf8proc(code_point))));
}

void append_title(std::string& out, char32_t code_point) {
  if (const SpecialCase* special = find_special_case(code_point)) {
    out += special->title;
    return;
  }
  append_code_point(out, static_cast<char32_t>(utf8proc_totitle(as_utf8proc(code_point))));
}

bool is_cased(char32_t code_point) {
  return is_upper_case(code_point) || is_lower_case(code_point) ||
         utf8proc_category(as_utf8proc(code_point)) == UTF8PROC_CATEGORY_LT;
}

// Greek sigma at the end of a word has its own small letter.
bool is_final_sigma(std::string_view text, std::size_t begin, std::size_t end) {
  std::size_t before = begin;
  while (before > 0) {
    --before;
    if ((static_cast<unsigned char>(text[before]) & 0xC0U) != 0x80U) break;
  }
  if (before == begin) return false;
  std::size_t offset = before;
  if (!is_cased(next_code_point(text, offset))) return false;
  if (end >= text.size()) return true;
  offset = end;
  return !is_cased(next_code_point(text, offset));
}

void append_lower(std::string& out, std::string_view text, std::size_t begin, std::size_t end) {
  std::size_t offset = begin;
  const char32_t code_point = next_code_point(text, offset);
  if (code_point == kReplacement) {
    out += text.substr(begin, end - begin);
  } else if (code_point == 0x0130) {
    out += "i\u0307";
  } else if (code_point == kCapitalSigma && is_final_sigma(text, begin, end)) {
    append_code_point(out, 0x03C2);
  } else {
    append_code_point(out, static_cast<char32_t>(utf8proc_tolower(as_utf8proc(code_point))));
  }
}

// Calls visit(code_point, begin, end) for each code point.
template <typename Visit>
void for_each(std::string_view text, Visit visit) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t begin = offset;
    const char32_t code_point = next_code_point(text, offset);
    visit(code_point, begin, offset);
  }
}

bool is_line_end(char32_t code_point) {
  return (code_point >= 0x0A && code_point <= 0x0D) || (code_point >= 0x1C && code_point <= 0x1E) ||
         code_point == 0x85 || code_point == 0x2028 || code_point == 0x2029;
}

bool should_strip(char32_t code_point, std::string_view piece, std::string_view chars,
                  bool white_space) {
  if (white_space) return is_space(code_point);
  bool found = false;
  for_each(chars, [&](char32_t, std::size_t begin, std::size_t end) {
    found = found || chars.substr(begin, end - begin) == piece;
  });
  return found;
}

}  // namespace

char32_t next_code_point(std::string_view text, std::size_t& offset) {
  const auto lead = static_cast<unsigned char>(text[offset]);
  if (lead < 0x80) {
    ++offset;
    return lead;
  }
  utf8proc_int32_t code_point = 0;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + offset;
  const auto length = static_cast<utf8proc_ssize_t>(std::min<std::size_t>(text.size() - offset, 4));
  const utf8proc_ssize_t used = utf8proc_iterate(bytes, length, &code_point);
  if (used <= 0) {
    ++offset;
    return kReplacement;
  }
  offset += static_cast<std::size_t>(used);
  return static_cast<char32_t>(code_point);
}

void append_code_point(std::string& out, char32_t code_point) {
  std::array<utf8proc_uint8_t, 4> bytes = {};
  const utf8proc_ssize_t used = utf8proc_encode_char(as_utf8proc(code_point), bytes.data());
  out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(used));
}

bool is_valid_utf8(std::string_view text) {
  bool valid = true;
  for_each(text, [&](char32_t code_point, std::size_t begin, std::size_t end) {
    if (code_point == kReplacement && end - begin == 1) valid = false;
  });
  return valid;
}

std::size_t count_code_points(std::string_view text) {
  std::size_t count = 0;
  for_each(text, [&](char32_t, std::size_t, std::size_t) { ++count; });
  return count;
}

std::string_view start_of(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U) --bytes;
  return text.substr(0, bytes);
}

std::size_t offset_of_code_point(std::string_view text, std::size_t index) {
  std::size_t offset = 0;
  while (index > 0 && offset < text.size()) {
    next_code_point(text, offset);
    --index;
  }
  return offset;
}

std::vector<std::string_view> split_code_points(std::string_view text) {
  std::vector<std::string_view> pieces;
  for_each(text, [&](char32_t, std::size_t begin, std::size_t end) {
    pieces.push_back(text.substr(begin, end - begin));
  });
  return pieces;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool is_printable(char32_t code_point) {
  if (code_point == ' ') return true;
  switch (utf8proc_category(as_utf8proc(code_point))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

bool is_letter(char32_t code_point) {
  const auto category = utf8proc_category(as_utf8proc(code_point));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_digit(char32_t code_point) {
  return utf8proc_category(as_utf8proc(code_point)) == UTF8PROC_CATEGORY_ND;
}

bool is_name_part(char32_t code_point) {
  const auto category = utf8proc_category(as_utf8proc(code_point));
  return code_point == '_' || is_letter(code_point) ||
         (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

bool is_upper_case(char32_t code_point) {
  return utf8proc_category(as_utf8proc(code_point)) == UTF8PROC_CATEGORY_LU;
}

bool is_lower_case(char32_t code_point) {
  return utf8proc_category(as_utf8proc(code_point)) == UTF8PROC_CATEGORY_LL;
}

std::string to_upper(std::string_view text) {
  std::string out;
  for_each(text, [&](char32_t code_point, std::size_t begin, std::size_t end) {
    if (code_point == kReplacement) {
      out += text.substr(begin, end - begin);
    } else {
      append_upper(out, code_point);
    }
  });
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  for_each(text, [&](char32_t, std::size_t begin, std::size_t end) {
    append_lower(out, text, begin, end);
  });
  return out;
}

std::string to_title_first(std::string_view text) {
  std::string out;
  for_each(text, [&](char32_t code_point, std::size_t begin, std::size_t end) {
    if (begin == 0 && code_point != kReplacement) {
      append_title(out, code_point);
    } else {
      append_lower(out, text, begin, end);
    }
  });
  return out;
}

std::string to_title_words(std::string_view text) {
  std::string out;
  bool in_word = false;
  for_each(text, [&](char32_t code_point, std::size_t begin, std::size_t end) {
    if (in_word || code_point == kReplacement) {
      append_lower(out, text, begin, end);
    } else {
      append_title(out, code_point);
    }
    in_word = is_cased(code_point);
  });
  return out;
}

std::string swap_case(std::string_view text) {
  std::string out;
  for_each(text, [&](char32_t code_point, std::size_t begin, std::size_t end) {
    if (is_lower_case(code_point)) {
      append_upper(out, code_point);
    } else {
      append_lower(out, text, begin, end);
    }
  });
  return out;
}

std::string_view strip_left(std::string_view text, std::string_view chars, bool white_space) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t begin = offset;
    const char32_t code_point = next_code_point(text, offset);
    if (!should_strip(code_point, text.substr(begin, offset - begin), chars, white_space)) {
      return text.substr(begin);
    }
  }
  return {};
}

std::string_view strip_right(std::string_view text, std::string_view chars, bool white_space) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t begin = end - 1;
    while (begin > 0 && end - begin < 4 &&
           (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) {
      --begin;
    }
    std::size_t offset = begin;
    char32_t code_point = next_code_point(text.substr(0, end), offset);
    if (offset != end) {  // bad bytes: take the last one alone
      begin = end - 1;
      code_point = kReplacement;
    }
    if (!should_strip(code_point, text.substr(begin, end - begin), chars, white_space)) break;
    end = begin;
  }
  return text.substr(0, end);
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t start = 0;
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t begin = offset;
    const char32_t code_point = next_code_point(text, offset);
    if (!is_line_end(code_point)) continue;
    if (code_point == '\r' && offset < text.size() && text[offset] == '\n') ++offset;
    lines.push_back(text.substr(start, (keep_ends ? offset : begin) - start));
    start = offset;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

}  // namespace hangar::jinja
