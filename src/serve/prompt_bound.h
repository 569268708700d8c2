// PromptBound: how few tokens a text can have, known without the tokenizer.
//
// Promise: encode(text).size() is never below least_tokens(text): a token stands for no more bytes
//   than the longest one of the vocabulary, and every byte that has a token is in one. Where that
//   does not hold (a normalizer that drops text, unknown tokens of any length), it is 0.
// Cost: one look at the vocabulary when it is made; at most a count of the text's bytes after that.
// Threads: const after construction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text/tokenizer.h"

namespace hangar {

class PromptBound {
 public:
  explicit PromptBound(const Tokenizer& tokenizer);

  std::int64_t least_tokens(std::string_view text) const;

 private:
  std::array<bool, 256> has_token_{};  // bytes that are never left out
  bool has_all_ = false;               // of those that UTF-8 has
  std::size_t most_bytes_ = 0;         // of the text that one token can stand for; 0: any number
};

}  // namespace hangar
