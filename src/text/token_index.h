// TokenIndex: a token's text to its id, for the many look-ups of building a model.
//
// Promise: find gives the id of the token with that text; of two with the same text the lower id.
//   A text of up to kShortBytes is its own key, one of up to kPlainBytes has it without a loop;
//   look-ups compare keys, and texts only where a longer one has been found. About 20 bytes a
//   token.
// Parts: the key of any part of a text is had in a fixed time from hashes of the text's starts, so
//   that all splits of a token in two are looked up in time linear in the token.
// Threads: const and thread-safe after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "text/text_list.h"
#include "text/tokenizer_spec.h"

namespace hangar {

class TokenIndex {
 public:
  using Hash = std::uint64_t;
  using Key = std::uint64_t;
  static constexpr TokenId kNone = -1;
  static constexpr Hash kBase = 0x9FB21C651E98DF25U;  // odd
  static constexpr std::size_t kShortBytes = 7;
  static constexpr std::size_t kEndBytes = 8;  // of each end of a text that is longer
  static constexpr std::size_t kPlainBytes = 2 * kEndBytes;

  // `tokens` outlives the index and stays where it is; more texts may be put into it meanwhile,
  // which the index does not know. Empty texts are left out.
  explicit TokenIndex(const TextList& tokens);

  TokenId find(std::string_view text) const { return find(text, key_of(text)); }
  TokenId find(std::string_view text, Key key) const {  // key is key_of(text)
    for (std::size_t at = home_of(key);; at = after(at)) {
      const TokenId id = slots_[at];
      if (id == kNone || is(id, text, key)) return id;
    }
  }
  // Whether a token, which was there at construction, is the one with the text, which is not empty.
  bool is(TokenId id, std::string_view text, Key key) const {
    return this->key(id) == key && (is_short(key) || text_of(id) == text);
  }
  // Of a token that was there at construction; 0 for an empty one and for one whose text an earlier
  // one has.
  Key key(TokenId id) const { return keys_[static_cast<std::size_t>(id)]; }
  std::size_t size() const { return keys_.size(); }
  // Two tokens with the same text, the lower id first; nothing: there are none.
  std::optional<std::pair<TokenId, TokenId>> twice() const { return twice_; }

  // Hints, for many look-ups at once: where a key's slot lies, then, once that has come, the key of
  // the token that is there; and whether any token has the key. (Inlined by force: g++ drops calls
  // that do nothing but such hints.)
  [[gnu::always_inline]] void prefetch(Key key) const { __builtin_prefetch(&slots_[home_of(key)]); }
  [[gnu::always_inline]] void prefetch_found(Key key) const {
    const TokenId id = slots_[home_of(key)];
    if (id != kNone) __builtin_prefetch(&keys_[static_cast<std::size_t>(id)]);
  }
  bool may_hold(Key key) const {
    std::size_t at = home_of(key);
    while (slots_[at] != kNone && this->key(slots_[at]) != key) at = after(at);
    return slots_[at] != kNone;
  }

  static Key key_of(std::string_view text) {
    return text.size() <= kShortBytes ? short_key(text) : long_key(text);
  }
  // The same, and quicker where memory may be read past the text, up to `end`.
  [[gnu::always_inline]] static Key key_of(std::string_view text, const char* end) {
    if (end - text.data() < 8 || text.size() > kPlainBytes) return key_of(text);
    // No branch: lengths come in no order.
    const std::uint64_t first = word_at(text, 0);
    const std::uint64_t last = word_at(text, text.size() > 8 ? text.size() - 8 : 0);
    const Key as_short =
        length_bits(text.size()) | (first & ((std::uint64_t{1} << (8 * (text.size() & 7U))) - 1));
    const Key as_long = mixed(first, last, text.size());
    return text.size() <= kShortBytes ? as_short : as_long;
  }
  // The same from the hash of what lies between the text's ends, looked at where it is longer than
  // kPlainBytes.
  static Key key_of(std::string_view text, Hash between) {
    return text.size() <= kShortBytes ? short_key(text) : long_key(text, between);
  }

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
  static constexpr Key kLong = Key{1} << 63U;

  // The caller answers for the 8 bytes from there on.
  static std::uint64_t word_at(std::string_view text, std::size_t at) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof word);
    return word;
  }
  static Key length_bits(std::size_t size) { return static_cast<Key>(size) << 56U; }
  static bool is_short(Key key) { return (key & kLong) == 0; }

  // A short text's bytes, and their count in the highest one.
  static Key short_key(std::string_view text);
  static Key long_key(std::string_view text) {
    return long_key(text, text.size() > kPlainBytes
                              ? hash_of(text.substr(kEndBytes, text.size() - kPlainBytes))
                              : 0);
  }
  static Key long_key(std::string_view text, Hash between) {
    const std::uint64_t last = word_at(text, text.size() - kEndBytes);
    return mixed(word_at(text, 0), last,
                 text.size() + (text.size() > kPlainBytes ? between * kBase : 0));
  }
  static Key mixed(std::uint64_t first, std::uint64_t last, std::uint64_t rest) {
    std::uint64_t hash = (first ^ (rest * 0xC2B2AE3D27D4EB4FU)) * 0x9E3779B97F4A7C15U;
    hash = ((hash ^ (hash >> 32U)) + last) * 0x165667B19E3779F9U;
    return (hash ^ (hash >> 29U)) | kLong;
  }

  void add(TokenId id);
  std::size_t home_of(Key key) const {
    key = (key ^ (key >> 32U)) * 0x9E3779B97F4A7C15U;
    key = (key ^ (key >> 29U)) * 0xD6E8FEB86659FD93U;
    return static_cast<std::size_t>(((key >> 32U) * slots_.size()) >> 32U);
  }
  std::size_t after(std::size_t at) const { return at + 1 == slots_.size() ? 0 : at + 1; }
  std::string_view text_of(TokenId id) const { return (*tokens_)[static_cast<std::size_t>(id)]; }

  const TextList* tokens_;
  std::vector<Key> keys_;       // by id
  std::vector<TokenId> slots_;  // at most two fifths full
  std::optional<std::pair<TokenId, TokenId>> twice_;
};

inline TokenIndex::Key TokenIndex::short_key(std::string_view text) {
  const std::size_t size = text.size();
  const char* const bytes = text.data();
  const auto byte = [bytes](std::size_t at) {
    return static_cast<Key>(static_cast<std::uint8_t>(bytes[at])) << (8 * at);
  };
  Key key = length_bits(size);
  if (size >= 4) {  // two words that overlap
    std::uint32_t first;
    std::uint32_t last;
    std::memcpy(&first, bytes, sizeof first);
    std::memcpy(&last, bytes + size - sizeof last, sizeof last);
    key |= first | (static_cast<Key>(last) << (8 * (size - sizeof last)));
  } else if (size > 0) {
    key |= byte(0) | byte(size / 2) | byte(size - 1);
  }
  return key;
}

}  // namespace hangar
