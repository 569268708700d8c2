// PrecompiledCharsmap: the normalization rules that a SentencePiece model carries.
//
// Promise: normalize gives what the Precompiled normalizer of Hugging Face's tokenizers gives for
//   valid UTF-8, and valid UTF-8 again; broken bytes are kept. Time is linear in the text. A rule
//   that the map points out of its own bounds is no rule.
// Format: a 32-bit little-endian size in bytes, a double-array trie of so many bytes (darts-clone's
//   32-bit units: Yata, Oono, Morita, Fuketa, Sumitomo and Aoe, "A compact static double-array",
//   2007), and the replacements, each ended by a zero byte; a trie's value is where in them one
//   begins.
// Errors: parse: kCorrupt: cut short, or replacements that are not UTF-8.
// Threads: const and thread-safe after parse.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hangar {

class PrecompiledCharsmap {
 public:
  static Result<PrecompiledCharsmap> parse(std::string_view bytes);
  std::string normalize(std::string_view text) const;

 private:
  // Where in replacements_ the rule's text lies.
  struct Replacement {
    std::uint32_t begin = 0;
    std::uint32_t bytes = 0;
  };

  PrecompiledCharsmap() = default;
  // By the shortest key that `text` begins with.
  std::optional<Replacement> replacement_of(std::string_view text) const;
  std::optional<Replacement> replacement_at(std::uint32_t begin) const;
  void append_cluster(std::string_view cluster, std::string& out) const;
  void append(const Replacement& replacement, std::string& out) const {
    out.append(replacements_, replacement.begin, replacement.bytes);
  }

  std::vector<std::uint32_t> units_;
  std::string replacements_;
  std::array<std::optional<Replacement>, 128> ascii_;  // of single characters
};

}  // namespace hangar
