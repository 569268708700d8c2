// Character classes: whether a character is punctuation, a digit, part of a word.
//
// Promise: as Hugging Face's tokenizers has them (text/unicode_data.h). A look-up is one bit for
//   characters below U+10000 and a binary search for others.
// Threads: constant after construction; the functions may be called from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "text/unicode_data.h"

namespace hangar {

class CharacterClass {
 public:
  explicit CharacterClass(std::span<const CodePointRange> ranges);
  bool contains(char32_t character) const {
    if (character < kBits) return (bits_[character / 64] >> (character % 64) & 1U) != 0;
    return contains_high(character);
  }

  static const CharacterClass& punctuation();
  static const CharacterClass& numeric();
  static const CharacterClass& word();
  static const CharacterClass& combining_mark();
  static const CharacterClass& nonspacing_mark();
  static const CharacterClass& bert_removed();

 private:
  static constexpr char32_t kBits = 0x10000;
  bool contains_high(char32_t character) const;

  std::array<std::uint64_t, kBits / 64> bits_{};
  std::span<const CodePointRange> ranges_;
};

// Unicode's White_Space.
constexpr bool is_white_space(char32_t character) {
  return character == ' ' || (character >= '\t' && character <= '\r') || character == 0x85 ||
         character == 0xA0 || character == 0x1680 || (character >= 0x2000 && character <= 0x200A) ||
         character == 0x2028 || character == 0x2029 || character == 0x202F || character == 0x205F ||
         character == 0x3000;
}

// The ideographs that Bert sets spaces around.
constexpr bool is_bert_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
         (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x2F800 && c <= 0x2FA1F);
}

// 0: goes with any script. Kana and the long vowel mark count as Han.
std::int32_t joined_script_of(char32_t character);

// The lower case of one character; U+0130 gives two, "i" and U+0307.
char32_t lower_case(char32_t character);

}  // namespace hangar
