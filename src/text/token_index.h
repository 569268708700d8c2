// TokenIndex: a token's text to its id, for the many look-ups of building a model.
//
// Promise: find gives the id of the token with that text; of two with the same text the lower id.
//   8 bytes a slot and one allocation, so that the index of a large vocabulary stays in the cache.
//   The hash of a text is had byte by byte, and that of each of its ends from those of its starts:
//   all splits of a token in two are looked up in time linear in the token.
// Threads: const and thread-safe after construction.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_spec.h"

namespace hangar {

class TokenIndex {
 public:
  using Hash = std::uint64_t;
  static constexpr TokenId kNone = -1;
  static constexpr Hash kBase = 0x9FB21C651E98DF25U;  // odd

  // `tokens` outlives the index. Empty texts are left out.
  explicit TokenIndex(std::span<const std::string> tokens);

  TokenId find(std::string_view text) const { return find(text, hash_of(text)); }
  TokenId find(std::string_view text, Hash hash) const;  // hash is hash_of(text)

  // Hints, for many look-ups at once: first where a text's slot lies, then, once that has come, the
  // text it names. may_hold is false where no token has the hash. (Inlined by force: g++ drops
  // calls that do nothing but such hints.)
  [[gnu::always_inline]] void prefetch_slot(Hash hash) const {
    __builtin_prefetch(&slots_[mixed(hash) & (slots_.size() - 1)]);
  }
  [[gnu::always_inline]] void prefetch_text(Hash hash) const {
    const TokenId id = likely(hash);
    if (id != kNone) __builtin_prefetch(&tokens_[static_cast<std::size_t>(id)]);
  }
  bool may_hold(Hash hash) const { return likely(hash) != kNone; }

  // The hash of a text and one more byte. A text's is the sum of its bytes (and one), each times
  // kBase to the number of bytes that follow.
  static Hash extended(Hash hash, char byte) {
    return hash * kBase + static_cast<std::uint8_t>(byte) + 1;
  }
  static Hash hash_of(std::string_view text) {
    Hash hash = 0;
    for (const char byte : text) hash = extended(hash, byte);
    return hash;
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    TokenId id = kNone;
  };
  static Hash mixed(Hash hash) {
    hash ^= hash >> 32U;
    hash *= 0xD6E8FEB86659FD93U;
    return hash ^ (hash >> 32U);
  }
  // The first token that has the hash's tag.
  TokenId likely(Hash hash) const {
    hash = mixed(hash);
    const std::size_t mask = slots_.size() - 1;
    const auto tag = static_cast<std::uint32_t>(hash >> 32U);
    std::size_t at = hash & mask;
    while (slots_[at].id != kNone && slots_[at].tag != tag) at = (at + 1) & mask;
    return slots_[at].id;
  }
  std::string_view text_of(TokenId id) const { return tokens_[static_cast<std::size_t>(id)]; }

  std::span<const std::string> tokens_;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace hangar
