// BpeSymbols: the tokens that single characters begin as, before any merge.
//
// Promise: as Hugging Face's tokenizers. A character inside a word wears spec.subword_prefix, the
//   last one spec.word_suffix. One that the vocabulary lacks becomes the byte tokens "<0x00>" ..
//   "<0xFF>" of its bytes, where byte_fallback is set and all of them are there; else the unknown
//   token (one for all of a row, with fuse_unknown); else nothing.
// Threads: const and thread-safe after construction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/token_index.h"
#include "text/tokenizer_spec.h"

namespace hangar {

class BpeSymbols {
 public:
  // Both outlive this.
  BpeSymbols(const TokenizerSpec& spec, const TokenIndex& index);

  // Appends the symbols of a whole piece. A broken byte of it is a character that no vocabulary
  // has.
  void append(std::string_view piece, std::vector<TokenId>& symbols) const;

  // The token of a character that stands between others (spec has no prefix or suffix); kNone.
  TokenId find(char32_t character) const { return plain_.find(character); }
  std::vector<TokenId> byte_and_unknown_ids() const;

 private:
  // A table in pages of 256, most of which are the same empty one.
  class IdOfCharacter {
   public:
    IdOfCharacter();
    TokenId find(char32_t character) const {
      return ids_[pages_[character >> 8U] * std::size_t{256} + (character & 0xFFU)];
    }
    void add(char32_t character, TokenId id);  // the first one added stays

   private:
    std::vector<std::uint16_t> pages_;
    std::vector<TokenId> ids_;
  };

  void add_dressed(std::string_view text, TokenId id);
  void append_missing(std::string_view character, bool first, bool last,
                      std::optional<TokenId>& unknown, std::vector<TokenId>& symbols) const;

  const TokenizerSpec& spec_;
  IdOfCharacter plain_;
  // With prefix, with suffix, with both: used where the spec has them.
  std::array<IdOfCharacter, 4> dressed_;  // by 1 * has prefix + 2 * has suffix
  bool dresses_ = false;
  std::array<TokenId, 256> byte_ids_{};
};

}  // namespace hangar
