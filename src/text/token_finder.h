// TokenFinder: finds tokens that stand in a text as they are ("<|im_end|>").
//
// Promise: the leftmost token, and of those that begin there the longest. A byte that begins no
//   token costs one table look-up; the time is O(text * longest token) at worst, whatever the
//   number of tokens.
// Threads: const and thread-safe after construction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "text/tokenizer_spec.h"

namespace hangar {

class TokenFinder {
 public:
  struct Token {
    std::string_view text;  // outlives the finder; not empty
    TokenId id = 0;
  };
  struct Match {
    std::size_t begin = 0;
    std::size_t bytes = 0;
    TokenId id = 0;
  };

  // Of two with the same text the one of lower id is found.
  explicit TokenFinder(std::vector<Token> tokens);
  std::optional<Match> find(std::string_view text, std::size_t from) const;

 private:
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::optional<Match> longest_at(std::string_view text, std::size_t at) const;

  std::vector<Token> tokens_;               // sorted by text
  std::array<Range, 256> by_first_byte_{};  // in tokens_
};

}  // namespace hangar
