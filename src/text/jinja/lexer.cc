#include "text/jinja/lexer.h"

#include <algorithm>
#include <array>

#include "text/jinja/error.h"
#include "text/jinja/string_literal.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja {
namespace {

// Longer ones first, so that "**" is not read as "*" twice.
constexpr std::array<std::string_view, 26> kOperators = {
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
    "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

// Newlines of any kind become \n; one at the very end is dropped.
std::string normalize(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

std::string_view strip_end(std::string_view text) {
  return strip_right(text, {}, true);
}

bool is_ascii_digit(char c) {
  return c >= '0' && c <= '9';
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (place_ < source_.size()) lex_text();
    tokens_.push_back({TokenType::kEnd, line_});
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return source_.substr(place_); }

  void advance(std::size_t bytes) {
    const std::string_view passed = source_.substr(place_, bytes);
    line_ += static_cast<int>(std::count(passed.begin(), passed.end(), '\n'));
    if (!passed.empty()) line_starting_ = passed.back() == '\n';
    place_ += bytes;
  }

  void skip_space() { advance(rest().size() - strip_left(rest(), {}, true).size()); }

  void push(TokenType type, std::string text = {}) {
    tokens_.push_back({type, line_, std::move(text)});
  }

  // Text up to the next tag, then the tag.
  void lex_text() {
    std::size_t tag = place_;
    while (true) {
      tag = source_.find('{', tag);
      if (tag == std::string_view::npos || tag + 1 >= source_.size()) {
        push_text(rest());
        advance(rest().size());
        return;
      }
      const char next = source_[tag + 1];
      if (next == '{' || next == '%' || next == '#') break;
      ++tag;
    }
    const char kind = source_[tag + 1];
    const char mark = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    push_text(strip_before_tag(source_.substr(place_, tag - place_), mark, kind == '{'));
    advance(tag - place_);
    const int begin_line = line_;
    advance(mark == '-' || mark == '+' ? 3 : 2);
    if (kind == '#') {
      skip_comment(begin_line);
    } else if (kind == '{') {
      tokens_.push_back({TokenType::kPrintBegin, begin_line});
      lex_code(false, begin_line);
    } else if (!try_raw(begin_line)) {
      tokens_.push_back({TokenType::kBlockBegin, begin_line});
      lex_code(true, begin_line);
    }
  }

  void push_text(std::string_view text) {
    if (!text.empty()) push(TokenType::kText, std::string(text));
  }

  // What a tag's own marker, or lstrip_blocks, leaves of the text in front of it.
  std::string_view strip_before_tag(std::string_view text, char mark, bool is_print) const {
    if (mark == '-') return strip_end(text);
    if (mark == '+' || is_print) return text;
    const std::size_t newline = text.rfind('\n');
    const std::size_t line_begin = newline == std::string_view::npos ? 0 : newline + 1;
    if (line_begin == 0 && !line_starting_) return text;
    const bool blank = strip_end(text.substr(line_begin)).empty();
    return blank ? text.substr(0, line_begin) : text;
  }

  // The end of a block, raw section or comment: `-` eats the white space behind it, and without a
  // mark one newline goes (trim_blocks).
  bool try_end(std::string_view end) {
    const std::string_view text = rest();
    if (text.starts_with(end)) {
      advance(end.size());
      if (rest().starts_with('\n')) advance(1);
      return true;
    }
    if (text.empty() || !text.substr(1).starts_with(end)) return false;
    if (text[0] == '+') {
      advance(1 + end.size());
      return true;
    }
    if (text[0] != '-') return false;
    advance(1 + end.size());
    skip_space();
    return true;
  }

  void skip_comment(int begin_line) {
    const std::size_t end = source_.find("#}", place_);
    if (end == std::string_view::npos) {
      fail_at(begin_line, ErrorCode::kCorrupt, "missing end of comment tag");
    }
    const bool marked = end > place_ && (source_[end - 1] == '-' || source_[end - 1] == '+');
    advance(end - place_ - (marked ? 1 : 0));
    try_end("#}");
  }

  // Behind "{%": is it "raw %}"? Then all up to endraw is text.
  bool try_raw(int begin_line) {
    std::string_view text = strip_left(rest(), {}, true);
    if (!text.starts_with("raw")) return false;
    text = strip_left(text.substr(3), {}, true);
    const bool strips = text.starts_with("-%}");
    if (!strips && !text.starts_with("%}")) return false;
    advance(rest().size() - text.size() + (strips ? 3 : 2));
    if (strips) skip_space();
    for (std::size_t tag = source_.find("{%", place_); tag != std::string_view::npos;
         tag = source_.find("{%", tag + 1)) {
      std::string_view behind = source_.substr(tag + 2);
      const char mark = behind.empty() ? '\0' : behind[0];
      if (mark == '-' || mark == '+') behind.remove_prefix(1);
      behind = strip_left(behind, {}, true);
      if (!behind.starts_with("endraw")) continue;
      behind = strip_left(behind.substr(6), {}, true);
      const bool ends =
          behind.starts_with("%}") || behind.starts_with("-%}") || behind.starts_with("+%}");
      if (!ends) continue;
      push_text(strip_before_tag(source_.substr(place_, tag - place_), mark, false));
      advance(rest().size() - behind.size());
      try_end("%}");
      return true;
    }
    fail_at(begin_line, ErrorCode::kCorrupt, "missing end of raw directive");
  }

  void lex_code(bool is_block, int begin_line) {
    brackets_.clear();
    while (true) {
      if (brackets_.empty() && try_code_end(is_block)) return;
      if (place_ >= source_.size()) {
        fail_at(begin_line, ErrorCode::kCorrupt, "the tag is not closed");
      }
      lex_token();
    }
  }

  bool try_code_end(bool is_block) {
    const int line = line_;
    if (is_block) {
      if (!try_end("%}")) return false;
      tokens_.push_back({TokenType::kBlockEnd, line});
      return true;
    }
    const bool strips = rest().starts_with("-}}");
    if (!strips && !rest().starts_with("}}")) return false;
    advance(strips ? 3 : 2);
    if (strips) skip_space();
    tokens_.push_back({TokenType::kPrintEnd, line});
    return true;
  }

  void lex_token() {
    std::size_t offset = place_;
    const char32_t c = next_code_point(source_, offset);
    if (is_space(c)) {
      skip_space();
    } else if (c < 0x80 && is_ascii_digit(static_cast<char>(c))) {
      lex_number();
    } else if (is_name_part(c)) {
      lex_name();
    } else if (c == '\'' || c == '"') {
      lex_string(static_cast<char>(c));
    } else {
      lex_operator();
    }
  }

  // How many bytes of digits with single underscores start at `offset`.
  std::size_t digits_at(std::size_t offset) const {
    std::size_t end = offset;
    while (end < source_.size() &&
           (is_ascii_digit(source_[end]) ||
            (source_[end] == '_' && end > offset && source_[end - 1] != '_'))) {
      ++end;
    }
    while (end > offset && source_[end - 1] == '_') --end;
    return end - offset;
  }

  // The size of the float at the place we are; 0: none there.
  std::size_t float_size() const {
    if (place_ > 0 && source_[place_ - 1] == '.') return 0;
    std::size_t end = place_ + digits_at(place_);
    bool is_float = false;
    if (end < source_.size() && source_[end] == '.') {
      const std::size_t fraction = digits_at(end + 1);
      if (fraction > 0) {
        end += 1 + fraction;
        is_float = true;
      }
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      std::size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) {
        ++exponent;
      }
      const std::size_t digits = digits_at(exponent);
      if (digits > 0) return exponent + digits - place_;
    }
    return is_float ? end - place_ : 0;
  }

  std::size_t integer_size() const {
    const std::string_view text = rest();
    if (text[0] != '0') return digits_at(place_);
    constexpr std::array<std::pair<char, std::string_view>, 3> kBases = {
        {{'b', "01"}, {'o', "01234567"}, {'x', "0123456789abcdefABCDEF"}}};
    for (const auto& [letter, digits] : kBases) {
      if (text.size() < 3 || (text[1] | 0x20) != letter) continue;
      std::size_t end = 2;
      while (end < text.size() && (digits.find(text[end]) != std::string_view::npos ||
                                   (text[end] == '_' && end + 1 < text.size() &&
                                    digits.find(text[end + 1]) != std::string_view::npos))) {
        ++end;
      }
      if (end > 2) return end;
    }
    std::size_t end = 1;
    while (end < text.size() && (text[end] == '0' || (text[end] == '_' && end + 1 < text.size() &&
                                                      text[end + 1] == '0'))) {
      ++end;
    }
    return end;
  }

  void lex_number() {
    Token token{TokenType::kFloat, line_};
    std::size_t size = float_size();
    if (size > 0) {
      token.real = parse_float(rest().substr(0, size)).value_or(0.0);
    } else {
      size = integer_size();
      token.type = TokenType::kInteger;
      std::string digits(rest().substr(0, size));
      std::erase(digits, '_');
      try {
        token.integer = parse_int(digits, 0).value_or(0);
      } catch (const TemplateFailure& failure) {
        throw TemplateFailure(Error{ErrorCode::kUnsupported, failure.error().message}, line_);
      }
    }
    token.text = rest().substr(0, size);
    advance(size);
    tokens_.push_back(std::move(token));
  }

  void lex_name() {
    std::size_t end = place_;
    while (end < source_.size()) {
      std::size_t next = end;
      if (!is_name_part(next_code_point(source_, next))) break;
      end = next;
    }
    push(TokenType::kName, std::string(source_.substr(place_, end - place_)));
    advance(end - place_);
  }

  void lex_string(char quote) {
    std::size_t end = place_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail_at(line_, ErrorCode::kCorrupt, "the string is not closed");
    push(TokenType::kString, unescape_literal(source_.substr(place_ + 1, end - place_ - 1), line_));
    advance(end + 1 - place_);
  }

  void lex_operator() {
    for (const std::string_view symbol : kOperators) {
      if (!rest().starts_with(symbol)) continue;
      track_brackets(symbol[0]);
      push(TokenType::kOperator, std::string(symbol));
      advance(symbol.size());
      return;
    }
    std::size_t end = place_;
    next_code_point(source_, end);
    fail_at(line_, ErrorCode::kCorrupt, "unexpected character {}",
            string_repr(source_.substr(place_, end - place_)));
  }

  void track_brackets(char c) {
    if (c == '(') brackets_ += ')';
    if (c == '[') brackets_ += ']';
    if (c == '{') brackets_ += '}';
    if (c != ')' && c != ']' && c != '}') return;
    if (brackets_.empty()) fail_at(line_, ErrorCode::kCorrupt, "unexpected '{}'", c);
    if (brackets_.back() != c) {
      fail_at(line_, ErrorCode::kCorrupt, "unexpected '{}', expected '{}'", c, brackets_.back());
    }
    brackets_.pop_back();
  }

  std::string_view source_;
  std::size_t place_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::string brackets_;  // the closing ones that are awaited
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  if (!is_valid_utf8(source)) fail_at(1, ErrorCode::kCorrupt, "the template is not valid UTF-8");
  const std::string normalized = normalize(source);
  return Lexer(normalized).run();
}

}  // namespace hangar::jinja
