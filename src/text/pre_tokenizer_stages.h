// The stages that cut a text into pre-tokens, one kind each.
//
// Promise: make_pre_tokenizer_stage(spec) cuts as Hugging Face's tokenizers does. Pieces come in
//   order and are never empty; what a stage takes away (white space) is in none. Time is linear in
//   the text, for expressions as text/expression.h says.
// Errors: kUnsupported (an expression), kCorrupt (a delimiter that is not one character).
// Threads: const and thread-safe; a Memory belongs to one thread, and to one text at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"
#include "text/text_matcher.h"
#include "text/tokenizer_spec.h"

namespace hangar {

class PreTokenizerStage {
 public:
  struct Memory {
    TextMatcher::Cursor cursor;
    std::string text;  // where a stage rewrites what it cuts
    std::string piece;
  };
  // at_start: the piece begins where the text does that the caller gave.
  using Emit = FunctionRef<void(std::string_view piece, bool at_start)>;

  virtual ~PreTokenizerStage() = default;
  virtual TextMatcher::Cursor make_cursor() const { return std::nullopt; }
  // text: valid UTF-8, not empty. Pieces live in `text` or `memory`, up to the next call.
  virtual void cut(std::string_view text, bool at_start, Memory& memory, Emit emit) const = 0;
};

// spell_bytes: whether ByteLevel turns bytes into visible characters, or leaves that to the caller.
Result<std::unique_ptr<const PreTokenizerStage>> make_pre_tokenizer_stage(
    const PreTokenizerSpec& spec, bool spell_bytes);

}  // namespace hangar
