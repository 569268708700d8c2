// Tokenizer: text to token ids and back.
//
// Promise: ids equal those of the Hugging Face `tokenizers` package for the same spec, and so does
//   decode (where that has U+FFFD for bytes that are not UTF-8, byte-level vocabularies give the
//   bytes). decode(encode(t)) == t for all bytes t where the vocabulary has a token for each of the
//   256 bytes and nothing normalizes (qwen2 brings text to NFC first, as its authors do). Time is
//   near linear in the text, whatever it is.
// Broken bytes: text that is not UTF-8 is never refused and never a crash. Byte-level vocabularies
//   take each broken byte as a pre-token (one that has no token gives none); all others see U+FFFD
//   in its place.
// Added tokens: special ones are found where parse_special asks for it, others in any text
//   (text/added_tokens.h).
// Duplicates: of two tokens with the same text the first is meant.
// Errors: make_tokenizer: kCorrupt (a merge that names no token, ids past the vocabulary),
//   kUnsupported (an expression that PCRE2 has no equal for).
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

// The ids of a text, or of two with their special tokens, and which text each belongs to as the
// model was trained to see it ("token type ids", "segment ids").
struct Encoding {
  std::vector<TokenId> ids;
  std::vector<std::int32_t> type_ids;  // one an id
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  struct EncodeOptions {
    bool add_special = true;    // bos, eos, [CLS]: as the spec's template asks for
    bool parse_special = true;  // "<|im_end|>" in the text becomes the special token
  };
  virtual std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const = 0;
  virtual Encoding encode_pair(std::string_view first, std::string_view second,
                               EncodeOptions options) const = 0;

  // The bytes a token stands for inside a text; may be part of a UTF-8 character. A space mark is a
  // space, "<0x0A>" a new line, a WordPiece that begins a word has a space in front. Special tokens
  // give their text. Empty for ids outside the vocabulary.
  virtual std::string_view token_bytes(TokenId id) const = 0;
  // The text of all tokens from its beginning (some vocabularies' first token loses its space),
  // special ones left out unless keep_special. Not necessarily whole UTF-8.
  virtual std::string decode(std::span<const TokenId> ids, bool keep_special = false) const;

  virtual bool is_special(TokenId id) const = 0;  // not shown to users: control, unknown
  virtual bool ends_generation(TokenId id) const = 0;
  // The file's eos and end_of_generation, and the special tokens by whose text models end a turn
  // (text/end_of_generation.h), ascending.
  virtual std::vector<TokenId> end_of_generation() const = 0;
  virtual std::optional<TokenId> find(std::string_view token_text) const = 0;
  virtual std::int32_t vocabulary() const = 0;
  virtual const TokenizerSpec& spec() const = 0;  // without its merges
};

Result<std::unique_ptr<const Tokenizer>> make_tokenizer(TokenizerSpec spec);

}  // namespace hangar
