// PieceCache: the ids of short pieces of text that were met lately.
//
// Promise: find gives what store was given for the same piece and variant, or nothing. One cache
//   line an entry; it begins small and grows with use, to about 2 MB.
// Threads: one thread at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer_spec.h"

namespace hangar {

class PieceCache {
 public:
  static constexpr std::size_t kMaxPieceBytes = 32;
  static constexpr std::size_t kMaxIds = 7;

  // A piece's bytes, whole, in a form that is quick to compare.
  struct Key {
    std::array<std::uint64_t, 4> words{};
    std::uint32_t tag = 0;  // length and variant; 0 is no key
    bool operator==(const Key& other) const {
      std::uint64_t differing = tag ^ other.tag;
      for (std::size_t i = 0; i < words.size(); ++i) differing |= words[i] ^ other.words[i];
      return differing == 0;
    }
  };
  // The piece has 1 to kMaxPieceBytes bytes. What is stored for one variant is not found by
  // another.
  static Key key_of(std::string_view piece, bool variant) {
    const char* bytes = piece.data();
    const std::size_t count = piece.size();
    Key key;
    // Words that overlap hold all bytes, and with the length no other piece has the same.
    if (count >= 16) {
      key.words = {word_at<std::uint64_t>(bytes), word_at<std::uint64_t>(bytes + 8),
                   word_at<std::uint64_t>(bytes + count - 16),
                   word_at<std::uint64_t>(bytes + count - 8)};
    } else if (count >= 8) {
      key.words[0] = word_at<std::uint64_t>(bytes);
      key.words[1] = word_at<std::uint64_t>(bytes + count - 8);
    } else if (count >= 4) {
      key.words[0] = word_at<std::uint32_t>(bytes);
      key.words[1] = word_at<std::uint32_t>(bytes + count - 4);
    } else {
      key.words[0] = word_at<std::uint8_t>(bytes);
      key.words[1] = word_at<std::uint8_t>(bytes + count / 2);
      key.words[2] = word_at<std::uint8_t>(bytes + count - 1);
    }
    key.tag = static_cast<std::uint32_t>(2 * count + (variant ? 1 : 0));
    return key;
  }

  // Appends the ids to `ids` where the key is known.
  bool find(const Key& key, std::vector<TokenId>& ids) const {
    if (entries_.empty()) return false;
    const std::size_t home = home_of(key);
    for (const std::size_t at : {home, home ^ 1U}) {
      const Entry& entry = entries_[at];
      if (entry.key == key) {
        ids.insert(ids.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
        return true;
      }
    }
    return false;
  }
  // More than kMaxIds are not kept. The key is not in the cache.
  void store(const Key& key, std::span<const TokenId> ids) {
    if (ids.size() > kMaxIds) return;
    if (2 * ++stored_ > entries_.size() && entries_.size() < kMaxEntries) grow();
    Entry entry{.key = key, .count = static_cast<std::uint8_t>(ids.size())};
    std::copy(ids.begin(), ids.end(), entry.ids.begin());
    place(entry);
  }

 private:
  static constexpr std::size_t kMinEntries = std::size_t{1} << 9U;
  static constexpr std::size_t kMaxEntries = std::size_t{1} << 15U;

  struct alignas(64) Entry {
    Key key;
    std::uint8_t count = 0;
    std::array<TokenId, kMaxIds> ids{};
  };

  template <typename T>
  static std::uint64_t word_at(const char* bytes) {
    T word;
    std::memcpy(&word, bytes, sizeof word);
    return word;
  }
  std::size_t home_of(const Key& key) const {
    std::uint64_t mixed = key.words[0] * 0x9E3779B97F4A7C15U + key.words[1] * 0xC2B2AE3D27D4EB4FU +
                          key.words[2] * 0x165667B19E3779F9U + key.words[3] * 0xD6E8FEB86659FD93U +
                          key.tag;
    mixed = (mixed ^ (mixed >> 32U)) * 0x9FB21C651E98DF25U;
    return static_cast<std::size_t>(mixed >> 32U) & (entries_.size() - 1);
  }
  void place(const Entry& entry) {
    const std::size_t home = home_of(entry.key);
    if (entries_[home].key.tag != 0) entries_[home ^ 1U] = entries_[home];
    entries_[home] = entry;
  }
  void grow() {
    const std::vector<Entry> old = std::exchange(
        entries_, std::vector<Entry>(entries_.empty() ? kMinEntries : 4 * entries_.size()));
    for (const Entry& entry : old) {
      if (entry.key.tag != 0) place(entry);
    }
  }

  std::vector<Entry> entries_;  // a power of two
  std::size_t stored_ = 0;
};

}  // namespace hangar
