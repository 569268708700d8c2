// TextMatcher: a TextPattern made ready for searching: a string as it is, or an expression.
//
// Promise: for_each_match visits the matches from left to right without overlap. A string is found
//   by comparing bytes, without an expression's cost.
// Errors: build: kUnsupported (an expression that is not).
// Threads: const and thread-safe; a Cursor belongs to one thread at a time.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "text/expression.h"
#include "text/tokenizer_spec.h"

namespace hangar {

class TextMatcher {
 public:
  using Cursor = std::optional<Expression::Cursor>;

  static Result<TextMatcher> build(const TextPattern& pattern);

  // Nothing where the pattern is a string.
  Cursor make_cursor() const;
  bool is_string() const { return !expression_; }
  const std::string& string() const { return string_; }

  // text: valid UTF-8. Calls visit(begin, end).
  template <typename Visit>
  void for_each_match(std::string_view text, Cursor& cursor, Visit visit) const {
    if (expression_) {
      expression_->for_each_match(text, *cursor, visit);
      return;
    }
    if (string_.empty()) return for_each_gap(text, visit);
    for (std::size_t at = text.find(string_); at != std::string_view::npos;
         at = text.find(string_, at + string_.size())) {
      visit(at, at + string_.size());
    }
  }

 private:
  // The empty string stands before and after each character.
  template <typename Visit>
  static void for_each_gap(std::string_view text, Visit visit) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      if ((static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80) visit(at, at);
    }
    visit(text.size(), text.size());
  }

  std::string string_;
  std::optional<Expression> expression_;
};

}  // namespace hangar
