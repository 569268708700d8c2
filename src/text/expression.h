// Expression: a regular expression as tokenizers' files write it, and its matches in a text.
//
// Promise: for_each_match visits the matches from left to right, as Oniguruma's search one after
//   the other gives them; an empty match is visited unless it stands where the last one ended. Time
//   is linear in the text for the expressions of real tokenizers, also where it is all white space
//   or all one letter.
// Errors: compile: kUnsupported where PCRE2 does not take the expression.
// Threads: const and thread-safe; a Cursor belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"

namespace hangar {

class Expression {
 public:
  // What a search writes to; made once for many searches.
  class Cursor {
   public:
    explicit Cursor(const Expression& expression);
    ~Cursor();
    Cursor(Cursor&& other) noexcept;
    Cursor& operator=(Cursor&&) = delete;

   private:
    friend class Expression;
    void* match_data_;
  };

  // `expression` is in Oniguruma's syntax (text/portable_expression.h).
  static Result<Expression> compile(std::string_view expression);

  // text: valid UTF-8. Calls visit(begin, end).
  template <typename Visit>
  void for_each_match(std::string_view text, Cursor& cursor, Visit visit) const {
    std::size_t at = 0;
    std::size_t last_end = kNone;
    std::size_t begin = 0;
    std::size_t end = 0;
    while (at <= text.size() && find(text, at, cursor, begin, end)) {
      if (begin == end && end == last_end) {
        at += at < text.size() ? character_bytes(text[at]) : 1;
        continue;
      }
      at = last_end = end;
      visit(begin, end);
    }
  }

 private:
  struct Code;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  explicit Expression(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
  static std::size_t character_bytes(char lead);
  bool find(std::string_view text, std::size_t at, Cursor& cursor, std::size_t& begin,
            std::size_t& end) const;

  std::shared_ptr<const Code> code_;
};

}  // namespace hangar
