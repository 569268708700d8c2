// PreTokenSplitter: cuts text into pre-tokens by one expression.
//
// Promise: the pieces, joined in order, are the text; each is a match of the expression or the
//   stretch between two matches. Time is linear in the text for the expressions of
//   pre_tokenizers.h, also where it is all white space or all one letter.
// Errors: compile: kInternal where PCRE2 refuses the expression.
// Threads: const and thread-safe; a Cursor belongs to one thread at a time.
#pragma once

#include <memory>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"

namespace hangar {

class PreTokenSplitter {
 public:
  // What a search writes to; made once for many calls of split.
  class Cursor {
   public:
    explicit Cursor(const PreTokenSplitter& splitter);
    ~Cursor();
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;

   private:
    friend class PreTokenSplitter;
    void* match_data_;
  };

  // `expression` as in PreTokenizer.
  static Result<PreTokenSplitter> compile(std::string_view expression);

  // text: valid UTF-8. Pieces are never empty.
  void split(std::string_view text, Cursor& cursor,
             FunctionRef<void(std::string_view)> on_piece) const;

 private:
  struct Code;
  explicit PreTokenSplitter(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

  std::shared_ptr<const Code> code_;
};

}  // namespace hangar
