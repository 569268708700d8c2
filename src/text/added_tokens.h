// Added tokens: those that are cut out of a text before, or right after, it is normalized.
//
// Promise: as Hugging Face's tokenizers has it: the leftmost token is found, of those that begin
//   there the longest. Where special tokens are not parsed, one that is found stays text (and hides
//   what it overlaps); other added tokens are always found. A single_word token is left as text
//   inside a word; lstrip and rstrip take the white space beside a token with it.
// Threads: const and thread-safe after construction.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "text/token_finder.h"
#include "text/tokenizer_spec.h"

namespace hangar {

// As a vocabulary with kinds (GGUF) means them: its control tokens (special) and its user-defined
// ones, each found as it is written.
std::vector<AddedToken> added_tokens_of_kinds(const TokenizerSpec& spec);

class AddedTokens {
 public:
  struct Entry {
    std::string pattern;  // what is looked for: the content, or what normalizing makes of it
    TokenId id = 0;
    bool special = false;
    bool lstrip = false;
    bool rstrip = false;
    bool single_word = false;
  };
  // A stretch of text (id < 0, never empty), or a token.
  using OnPart = FunctionRef<void(std::size_t begin, std::size_t end, TokenId id)>;

  explicit AddedTokens(std::vector<Entry> entries);
  bool empty() const { return entries_->empty(); }
  // text: any bytes. The parts cover it in order.
  void cut(std::string_view text, bool parse_special, OnPart on_part) const;

 private:
  std::unique_ptr<const std::vector<Entry>> entries_;  // the finder points into them
  TokenFinder finder_;                                 // its ids are indices of entries
};

}  // namespace hangar
