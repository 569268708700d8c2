// A text's tokens as perplexity counts them, for each of the two ways.
//
// Promise: tokens_for_windows: control tokens' names in the text are plain text; the one special
//   token that the model puts before a text (BOS), if any, stands before the text and is
//   first_token, which goes in place of every window's first token; what the model would put after
//   a text is left out. A newline at the text's end is left out, as llama.cpp's tools do of a file.
//   tokens_for_strides: what the tokenizer makes of the text with all that it adds, as
//   transformers.
// Errors: none; bytes that are not UTF-8 are the tokenizer's affair.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace hangar {

struct EvalText {
  std::vector<TokenId> tokens;
  std::optional<TokenId> first_token;
};

EvalText tokens_for_windows(const Tokenizer& tokenizer, std::string_view text);
EvalText tokens_for_strides(const Tokenizer& tokenizer, std::string_view text);

}  // namespace hangar
