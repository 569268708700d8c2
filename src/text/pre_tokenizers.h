// Pre-tokenizers: the list of ways to cut text into the pieces that BPE then works on.
//
// Promise: find_pre_tokenizer(name) knows GGUF's names ("smollm", "llama-bpe"); each entry cuts as
//   the model's own Hugging Face tokenizer does. A new one is one entry in the .cc file and one
//   golden (tools/make_tokenizer_corpus.py).
// Threads: constant data.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hangar {

struct PreTokenizer {
  std::span<const std::string_view> names;  // GGUF's names for it; the first is the usual one
  // The authors' expression: each match is a piece, and so is what lies between two matches. \s, \S
  // and \p{..} mean what they do in portable_expression().
  std::string_view expression;
  bool ignore_merges = false;  // a piece that is a token is taken whole, whatever the merges say
  bool normalize_nfc = false;  // text is brought to Unicode's form NFC first
};

// nullptr: not known.
const PreTokenizer* find_pre_tokenizer(std::string_view name);
// "gpt-2, llama-bpe, ...", for error messages.
std::string known_pre_tokenizers();

// `expression` with \s, \S and \p{..} written out so that every PCRE2 (10.34 and later) gives the
// classes of Unicode 16, as the library behind Hugging Face's tokenizers has them.
std::string portable_expression(std::string_view expression);

}  // namespace hangar
