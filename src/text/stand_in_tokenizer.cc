#include "text/stand_in_tokenizer.h"

#include <algorithm>
#include <string>

#include "text/byte_spelling.h"

namespace hangar {
namespace {

constexpr std::int32_t kBytes = 256;
constexpr std::int32_t kFirstPrintable = 0x20;
constexpr std::int32_t kPrintable = 95;
constexpr std::int32_t kLetters = 26;

// The bytes from the space on, then those below it.
char nth_byte(std::int32_t n) {
  const std::int32_t rest = n < kPrintable ? n + kFirstPrintable : n - kPrintable;
  if (n < kPrintable || rest < kFirstPrintable) return static_cast<char>(rest);
  return static_cast<char>(n);  // 127 and on stand at their own places
}

// "a" .. "z", "aa" ..: each word's beginning is a word before it.
std::string nth_word(std::int32_t n) {
  std::string word;
  for (std::int32_t rest = n + 1; rest > 0; rest = (rest - 1) / kLetters) {
    word += static_cast<char>('a' + (rest - 1) % kLetters);
  }
  std::reverse(word.begin(), word.end());
  return word;
}

}  // namespace

TokenizerSpec make_stand_in_tokenizer(std::int32_t vocabulary) {
  TokenizerSpec spec;
  spec.model = TokenizerModel::kBpe;
  spec.model_name = kStandInName;
  for (std::int32_t id = 0; id < std::min(vocabulary, kBytes); ++id) {
    const char byte = nth_byte(id);
    spec.tokens.push_back(spell_bytes({&byte, 1}));
  }
  for (std::int32_t id = kBytes; id < vocabulary; ++id) {
    const std::string word = spell_bytes(" " + nth_word(id - kBytes));
    spec.tokens.push_back(word);
    spec.merges.add(std::string_view(word).substr(0, word.size() - 1),
                    std::string_view(word).substr(word.size() - 1));
  }
  PreTokenizerSpec words;
  words.kind = PreTokenizerKind::kByteLevel;
  words.add_prefix_space = true;
  spec.pre_tokenizers.push_back(words);
  spec.decoders.push_back({.kind = DecoderKind::kByteLevel});
  return spec;
}

}  // namespace hangar
