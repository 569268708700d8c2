// TokenTrie: which tokens a text begins with, found byte by byte.
//
// Promise: from root(), next(node, byte) leads along the bytes of a text for as long as some token
//   begins so. A node that is_token is the token's own id. Of two tokens with the same text the
//   higher id is found (as in Hugging Face's tokenizers, where the later one takes the place).
//   Building sorts the tokens; 8 bytes a slot, at most half of them taken.
// Errors: build: kUnsupported: more than 2^28 nodes.
// Threads: const and thread-safe after build.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/text_list.h"
#include "text/tokenizer_spec.h"

namespace hangar {

class TokenTrie {
 public:
  using Node = std::uint32_t;
  static constexpr Node kNone = (Node{1} << 28U) - 1;

  // The tokens of `ids`, which index `tokens`. Empty texts are left out.
  static Result<TokenTrie> build(const TextList& tokens, std::span<const TokenId> ids);

  Node root() const { return root_; }
  // kNone where no token goes on so. `node` is not kNone.
  Node next(Node node, char byte) const {
    if (node == root_) return first_[static_cast<std::uint8_t>(byte)];
    const std::uint64_t edge = edge_of(node, byte);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = home_of(edge);; at = (at + 1) & mask) {
      const std::uint64_t slot = slots_[at];
      if ((slot >> kNodeBits) == edge) return static_cast<Node>(slot & kNone);
      if (slot == kFree) return kNone;
    }
  }
  bool is_token(Node node) const { return node < root_; }
  // The token whose text is `text`; -1.
  TokenId find(std::string_view text) const {
    const Node node = walk(root_, text);
    return is_token(node) ? static_cast<TokenId>(node) : -1;
  }
  // The node that `text` leads to from `node`; kNone.
  Node walk(Node node, std::string_view text) const {
    for (const char byte : text) {
      node = next(node, byte);
      if (node == kNone) break;
    }
    return node;
  }

 private:
  static constexpr unsigned kNodeBits = 28;
  static constexpr std::uint64_t kFree = UINT64_MAX;

  explicit TokenTrie(Node root) : root_(root) { first_.fill(kNone); }
  static std::uint64_t edge_of(Node node, char byte) {
    return (static_cast<std::uint64_t>(node) << 8U) | static_cast<std::uint8_t>(byte);
  }
  std::size_t home_of(std::uint64_t edge) const {
    return static_cast<std::size_t>((edge * 0x9E3779B97F4A7C15U) >> shift_);
  }
  void place(std::span<const std::uint64_t> edges);

  Node root_;                         // also the number of tokens: nodes below are tokens
  std::array<Node, 256> first_{};     // from the root
  std::vector<std::uint64_t> slots_;  // edge << 28 | node; a power of two
  unsigned shift_ = 0;                // 64 - log2 of the slots
};

}  // namespace hangar
