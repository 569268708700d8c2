// Tokenizer: text to token ids and back.
//
// Promise: ids equal those of the Hugging Face `tokenizers` package for the same vocabulary.
//   decode(encode(t)) == t for all bytes t where the vocabulary has a token for each of the 256
//   bytes and its pre-tokenizer does not normalise (qwen2 brings text to NFC first, as its authors
//   do). A byte that has no token gives none, as there. Bytes that are not UTF-8 are taken as they
//   come (one pre-token each), never refused and never a crash. Time is near linear in the text,
//   whatever it is.
// Special tokens: user-defined tokens are found in any text, control tokens where parse_special
// asks
//   for it: the leftmost, and of those that begin there the longest.
// Duplicates: of two tokens with the same text the first is meant, of two equal merges the better.
// Errors: make_tokenizer: kCorrupt (a merge that names no token, ids past the vocabulary),
//   kUnsupported (a pre-tokenizer name it does not know, said with those it does).
// Threads: const and thread-safe after construction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  struct EncodeOptions {
    bool add_special = true;    // bos/eos as the model's file asks for
    bool parse_special = true;  // "<|im_end|>" in the text becomes the control token
  };
  virtual std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const = 0;

  // The bytes a token stands for; may be part of a UTF-8 character. Control tokens give their text.
  // Empty for ids outside the vocabulary.
  virtual std::string_view token_bytes(TokenId id) const = 0;
  // All bytes, control tokens left out unless keep_special. Not necessarily whole UTF-8.
  std::string decode(std::span<const TokenId> ids, bool keep_special = false) const;

  virtual bool is_special(TokenId id) const = 0;  // control or unknown: not shown to users
  virtual bool ends_generation(TokenId id) const = 0;
  // The file's eos and end_of_generation, and the control tokens by whose text models end a turn
  // (text/end_of_generation.h), ascending.
  virtual std::vector<TokenId> end_of_generation() const = 0;
  virtual std::optional<TokenId> find(std::string_view token_text) const = 0;
  virtual std::int32_t vocabulary() const = 0;
  virtual const TokenizerSpec& spec() const = 0;
};

Result<std::unique_ptr<const Tokenizer>> make_tokenizer(TokenizerSpec spec);

}  // namespace hangar
