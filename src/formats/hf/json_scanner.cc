#include "formats/hf/json_scanner.h"

#include <algorithm>
#include <bit>
#include <boost/unordered/unordered_flat_set.hpp>
#include <charconv>
#include <cstring>

#include "text/utf8.h"

namespace hangar::hf {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
constexpr std::uint64_t kHighs = 0x8080808080808080ULL;
static_assert(std::endian::native == std::endian::little);  // the first byte is the lowest

// The high bit of each zero byte; bytes above a zero byte may be marked wrongly.
constexpr std::uint64_t zero_bytes(std::uint64_t word) {
  return (word - kOnes) & ~word & kHighs;
}

// The same for bytes that end a run of plain characters in a string: '"', '\', control characters.
constexpr std::uint64_t special_bytes(std::uint64_t word) {
  return zero_bytes(word ^ (kOnes * '"')) | zero_bytes(word ^ (kOnes * '\\')) |
         ((word - kOnes * 0x20) & ~word & kHighs);
}

// The high bits of its bytes, if `word` begins with U+0120: the space of byte-level vocabularies,
// and often the only letter of a token that is no ASCII.
constexpr std::uint64_t space_letter(std::uint64_t word) {
  return (word & 0xFFFFU) == 0xA0C4U ? 0x8080U : 0;
}

std::uint64_t load(const char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Characters of one and two bytes, which are most, are looked at here.
bool is_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      ++at;
    } else if (byte >= 0xC2 && byte < 0xE0 && at + 1 < text.size() &&
               (static_cast<unsigned char>(text[at + 1]) & 0xC0U) == 0x80) {
      at += 2;
    } else {
      const Utf8Unit unit = next_utf8(text.substr(at));
      if (!unit.valid) return false;
      at += unit.bytes;
    }
  }
  return true;
}

bool is_special(char c) {
  return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

}  // namespace

JsonScanner::JsonScanner(std::string_view text, std::string_view what)
    : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), what_(what) {}

bool JsonScanner::fail(std::string message) {
  if (error_) return false;
  const std::string_view before(begin_, static_cast<std::size_t>(at_ - begin_));
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  error_ = Error{ErrorCode::kCorrupt, fmt::format("{}: line {}, column {}: {}", what_, lines + 1,
                                                  before.size() - line_begin + 1, message)};
  return false;
}

Status JsonScanner::status() const {
  if (error_) return tl::unexpected<Error>(*error_);
  return {};
}

void JsonScanner::skip_spaces() {
  const char* p = at_;
  while (end_ - p >= 8) {
    std::uint64_t other = load(p) ^ (kOnes * ' ');
    if (*p == '\n') other &= ~0xFFULL;  // mostly with some spaces after it
    if (other == 0) {
      p += 8;
      continue;
    }
    p += std::countr_zero(other) / 8;
    if (!is_space(*p)) {
      at_ = p;
      return;
    }
    if (*p != '\n') ++p;
  }
  while (p != end_ && is_space(*p)) ++p;
  at_ = p;
}

inline void JsonScanner::skip(Gap& gap) {
  constexpr std::ptrdiff_t kLooked = 17;  // two words, and the byte after them
  if (end_ - at_ >= kLooked) {
    const std::uint64_t other = ((load(at_) ^ gap.first) & gap.first_mask) |
                                ((load(at_ + 8) ^ gap.second) & gap.second_mask);
    if (other == 0 && static_cast<unsigned char>(at_[gap.bytes]) > ' ') {
      at_ += gap.bytes;
      return;
    }
  }
  skip_other(gap);
}

void JsonScanner::skip_other(Gap& gap) {
  const char* const begin = at_;
  skip_space();
  const auto bytes = static_cast<std::size_t>(at_ - begin);
  if (bytes > 16 || end_ - begin < 16) return;
  const auto mask_of = [](std::size_t count) {  // of the first bytes of a word
    return count >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * count)) - 1;
  };
  gap = {.first = load(begin),
         .first_mask = mask_of(bytes),
         .second = load(begin + 8),
         .second_mask = mask_of(bytes < 8 ? 0 : bytes - 8),
         .bytes = bytes};
}

JsonScanner::Kind JsonScanner::peek() {
  if (error_) return Kind::kNone;
  skip_space();
  if (at_ == end_) return Kind::kNone;
  switch (*at_) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
    case 'f':
      return Kind::kBool;
    case 'n':
      return Kind::kNull;
    default:
      return *at_ == '-' || is_digit(*at_) ? Kind::kNumber : Kind::kNone;
  }
}

inline bool JsonScanner::enter(char bracket, const char* expected) {
  if (error_) return false;
  skip_space();
  if (at_ == end_ || *at_ != bracket) return fail(fmt::format("{} expected", expected));
  if (depth_ == kMaxDepth) return fail(fmt::format("nested deeper than {} levels", kMaxDepth));
  ++at_;
  ++depth_;
  first_ = true;
  return true;
}

bool JsonScanner::enter_object() {
  return enter('{', "an object");
}
bool JsonScanner::enter_array() {
  return enter('[', "an array");
}

inline bool JsonScanner::next(char bracket) {
  if (error_) return false;
  Gaps& gaps = gaps_[depth_];
  skip(first_ ? gaps.after_comma : gaps.after_value);  // a list begins as it goes on
  if (at_ != end_ && *at_ == bracket) {
    ++at_;
    --depth_;
    first_ = false;  // what is around has had this value
    return false;
  }
  if (!first_) {
    if (at_ == end_ || *at_ != ',') return fail(fmt::format("',' or '{}' expected", bracket));
    ++at_;
    skip(gaps.after_comma);
  }
  first_ = false;
  if (at_ == end_) return fail("the text ends too early");
  return true;
}

inline bool JsonScanner::read_string(std::string_view& value, std::string& unescaped) {
  if (error_) return false;
  skip_space();
  if (at_ == end_ || *at_ != '"') return fail("a string expected");
  const char* const begin = at_ + 1;
  const char* p = begin;
  std::uint64_t high = 0;  // the high bits of the bytes inside, a first space letter's aside
  bool found = false;      // what ends the run of plain bytes
  while (!found && end_ - p >= 8) {
    const std::uint64_t word = load(p);
    const std::uint64_t special = special_bytes(word);
    const std::uint64_t inside = (special & (0 - special)) - 1;  // all, where none is special
    high |= word & inside & ~(p == begin ? space_letter(word) : 0);
    found = special != 0;
    p += found ? std::countr_zero(special) / 8 : 8;
  }
  while (!found && p != end_ && !is_special(*p)) high |= static_cast<unsigned char>(*p++);
  if (p == end_) return fail("a string does not end");
  value = std::string_view(begin, static_cast<std::size_t>(p - begin));
  if (*p != '"') {
    if (!unescape(begin, p, unescaped)) return false;
    value = unescaped;
    high = kHighs;
  } else {
    at_ = p + 1;
  }
  if ((high & kHighs) != 0 && !is_utf8(value)) return fail("a string is not valid UTF-8");
  return true;
}

bool JsonScanner::next_key(std::string_view& key) {
  if (!next('}') || !read_string(key)) return false;
  skip_space();
  if (at_ == end_ || *at_ != ':') return fail("':' expected");
  ++at_;
  skip(gaps_[depth_].after_colon);
  return true;
}

bool JsonScanner::next_element() {
  return next(']');
}

bool JsonScanner::read_string(std::string_view& value) {
  return read_string(value, scratch_);
}

bool JsonScanner::read_string_pair(std::string_view& first, std::string_view& second) {
  if (!enter_array() || !next_element() || !read_string(first, scratch_) || !next_element() ||
      !read_string(second, second_scratch_)) {
    return fail("[left, right] expected");
  }
  if (next_element()) return fail("[left, right] expected");
  return ok();
}

// The string from `begin` on is plain as far as `special`; what it stands for goes to `unescaped`.
bool JsonScanner::unescape(const char* begin, const char* special, std::string& unescaped) {
  unescaped.assign(begin, special);
  const char* p = special;
  while (p != end_ && *p != '"') {
    if (static_cast<unsigned char>(*p) < 0x20) {
      at_ = p;
      return fail("a control character in a string");
    }
    if (*p == '\\') {
      if (!read_escape(p, unescaped)) return false;
      continue;
    }
    const char* const run = p;
    while (p != end_ && !is_special(*p)) ++p;
    unescaped.append(run, p);
  }
  if (p == end_) return fail("a string does not end");
  at_ = p + 1;
  return true;
}

bool JsonScanner::read_escape(const char*& p, std::string& unescaped) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  at_ = p;
  if (end_ - p < 2) return fail("a string does not end");
  const char letter = p[1];
  p += 2;
  if (const std::size_t index = kLetters.find(letter); index != std::string_view::npos) {
    unescaped += kMeanings[index];
    return true;
  }
  if (letter != 'u') return fail("an unknown escape in a string");
  std::uint32_t unit = 0;
  if (!read_unit(p, unit)) return false;
  if (unit >= 0xDC00 && unit < 0xE000) return fail("half a surrogate pair in a string");
  if (unit >= 0xD800 && unit < 0xDC00) {
    std::uint32_t low = 0;
    if (end_ - p < 2 || p[0] != '\\' || p[1] != 'u') {
      return fail("half a surrogate pair in a string");
    }
    p += 2;
    if (!read_unit(p, low)) return false;
    if (low < 0xDC00 || low >= 0xE000) return fail("half a surrogate pair in a string");
    unit = 0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00);
  }
  append_utf8(static_cast<char32_t>(unit), unescaped);
  return true;
}

bool JsonScanner::read_unit(const char*& p, std::uint32_t& unit) {
  const char* const last = p + std::min<std::ptrdiff_t>(4, end_ - p);
  const auto [stop, error] = std::from_chars(p, last, unit, 16);
  if (error != std::errc() || stop - p != 4 || *p == '-') {
    return fail("four hexadecimal digits expected after \\u");
  }
  p = stop;
  return true;
}

bool JsonScanner::read_integer(std::int64_t& value) {
  if (error_) return false;
  skip_space();
  const char* p = at_;
  std::int64_t digits = 0;
  while (end_ - p > 1 && p - at_ < 9 && is_digit(*p)) digits = digits * 10 + (*p++ - '0');
  if (p != at_ && (*p == ',' || *p == '}' || *p == '\n') && (*at_ != '0' || p - at_ == 1)) {
    value = digits;  // as ids are written
    at_ = p;
    return true;
  }
  const char* const first = at_ != end_ && *at_ == '-' ? at_ + 1 : at_;
  const auto [stop, error] = std::from_chars(at_, end_, value);
  const bool zero_led = first != end_ && *first == '0' && stop - first > 1;
  const bool goes_on = stop != end_ && (*stop == '.' || *stop == 'e' || *stop == 'E');
  if (error != std::errc() || zero_led || goes_on) return fail("a whole number expected");
  at_ = stop;
  return true;
}

// The number at at_, as JSON spells it; empty: none.
std::string_view JsonScanner::number_text() {
  const char* p = at_;
  const auto digits = [&] {
    const char* const run = p;
    while (p != end_ && is_digit(*p)) ++p;
    return p != run;
  };
  if (p != end_ && *p == '-') ++p;
  if (p != end_ && *p == '0') {
    ++p;
  } else if (!digits()) {
    return {};
  }
  if (p != end_ && *p == '.') {
    ++p;
    if (!digits()) return {};
  }
  if (p != end_ && (*p == 'e' || *p == 'E')) {
    ++p;
    if (p != end_ && (*p == '+' || *p == '-')) ++p;
    if (!digits()) return {};
  }
  return {at_, static_cast<std::size_t>(p - at_)};
}

bool JsonScanner::read_number(double& value) {
  if (error_) return false;
  skip_space();
  const std::string_view text = number_text();
  if (text.empty()) return fail("a number expected");
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return fail("a number is out of range");
  at_ = stop;
  return true;
}

bool JsonScanner::read_word(std::string_view word) {
  if (remaining_bytes() < word.size() || std::string_view(at_, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

bool JsonScanner::read_bool(bool& value) {
  if (error_) return false;
  skip_space();
  if (read_word("true")) {
    value = true;
    return true;
  }
  value = false;
  return read_word("false") || fail("true or false expected");
}

bool JsonScanner::read_null() {
  if (error_) return false;
  skip_space();
  return read_word("null") || fail("null expected");
}

bool JsonScanner::skip_value(std::string_view& value) {
  if (error_) return false;
  skip_space();
  const char* const begin = at_;
  if (!check_value()) return false;
  value = std::string_view(begin, static_cast<std::size_t>(at_ - begin));
  return true;
}

bool JsonScanner::check_value() {  // NOLINT(misc-no-recursion): kMaxDepth bounds it
  switch (peek()) {
    case Kind::kObject: {
      if (!enter_object()) return false;
      boost::unordered_flat_set<std::string> keys;
      for (std::string_view key; next_key(key);) {
        if (!keys.emplace(key).second) return fail(fmt::format("the key '{}' is there twice", key));
        if (!check_value()) return false;
      }
      return ok();
    }
    case Kind::kArray:
      if (!enter_array()) return false;
      while (next_element()) {
        if (!check_value()) return false;
      }
      return ok();
    case Kind::kString: {
      std::string_view text;
      return read_string(text);
    }
    case Kind::kNumber: {
      const std::string_view text = number_text();
      if (text.empty()) return fail("a number expected");
      at_ += text.size();
      return true;
    }
    case Kind::kBool: {
      bool flag = false;
      return read_bool(flag);
    }
    case Kind::kNull:
      return read_null();
    case Kind::kNone:
      return fail(at_ == end_ ? "the text ends too early" : "a value expected");
  }
  return false;
}

bool JsonScanner::finish() {
  if (error_) return false;
  skip_space();
  return at_ == end_ || fail("more text after the end of the JSON");
}

}  // namespace hangar::hf
