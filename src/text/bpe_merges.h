// BpeMerges: the merge table of byte-pair encoding, and its loop.
//
// Promise: merge(symbols) joins, again and again, the neighbouring pair of best rank (of those with
//   the same rank the leftmost), until no pair is in the table. Time is O(n^2) for short rows, with
//   a small constant, and O(n log n) for long ones.
// Limits: kMaxMerges, and ids below kMaxTokens: a merge is 8 bytes in the table, 4 beside it.
// Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units"
//   (2016).
// Threads: const and thread-safe once all merges are added; a Scratch belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "text/tokenizer_spec.h"

namespace hangar {

class BpeMerges {
 public:
  static constexpr unsigned kRankBits = 22;
  static constexpr unsigned kIdBits = 21;
  static constexpr std::size_t kMaxMerges = std::size_t{1} << kRankBits;
  static constexpr std::size_t kMaxTokens = (std::size_t{1} << kIdBits) - 1;

  using Rank = std::uint32_t;  // the better is the smaller

  // Memory that a merge works in, kept from one call to the next unless a row was very long.
  struct Scratch {
    std::vector<Rank> ranks;
    std::vector<std::uint32_t> next;
    std::vector<std::uint32_t> previous;
  };

  BpeMerges() : slots_(2, kFree) {}
  void reserve(std::size_t merges);
  // Adds the next best merge, one of at most kMaxMerges. A pair that is there already takes this
  // rank and token (as Hugging Face's tokenizers has it).
  void add(TokenId left, TokenId right, TokenId joined);
  std::size_t size() const { return joined_.size(); }
  // A hint that the pair will be added soon; inlined by force, as g++ drops calls of mere hints.
  [[gnu::always_inline]] void prefetch(TokenId left, TokenId right) const {
    __builtin_prefetch(&slots_[home_of(pair_of(left, right))], 1);
  }

  // Calls visit(left, right) for each pair, in no order.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const std::uint64_t slot : slots_) {
      if (slot == kFree) continue;
      const std::uint64_t pair = slot >> kRankBits;
      visit(static_cast<TokenId>(pair >> kIdBits), static_cast<TokenId>(pair & kMaxTokens));
    }
  }

  // Merges in place; symbols is shorter afterwards. At most 2^31 symbols.
  void merge(std::vector<TokenId>& symbols, Scratch& scratch) const;

 private:
  static constexpr std::uint64_t kFree = UINT64_MAX;  // no id is kMaxTokens
  static constexpr Rank kNoMerge = UINT32_MAX;

  static std::uint64_t pair_of(TokenId left, TokenId right) {
    return (static_cast<std::uint64_t>(left) << kIdBits) | static_cast<std::uint64_t>(right);
  }
  std::size_t home_of(std::uint64_t pair) const {
    pair *= 0x9E3779B97F4A7C15U;
    return static_cast<std::size_t>((pair ^ (pair >> 32U)) * 0xD6E8FEB86659FD93U >> shift_);
  }
  std::size_t place_of(std::uint64_t pair) const;  // where it is, or would go
  void grow(std::size_t slots);
  Rank find(TokenId left, TokenId right) const {
    const std::uint64_t pair = pair_of(left, right);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = home_of(pair);; at = (at + 1) & mask) {
      const std::uint64_t slot = slots_[at];
      if ((slot >> kRankBits) == pair) return static_cast<Rank>(slot & (kMaxMerges - 1));
      if (slot == kFree) return kNoMerge;
    }
  }
  bool is_in_some_pair(TokenId id) const {
    const auto index = static_cast<std::size_t>(id);
    return index < in_some_pair_.size() && in_some_pair_[index] != 0;
  }
  void note_in_pair(TokenId id);
  // Each merges a row in place and says how many symbols are left.
  std::size_t merge_row(std::span<TokenId> row, Scratch& scratch) const;
  std::size_t merge_short(std::span<TokenId> row, Scratch& scratch) const;
  std::size_t merge_long(std::span<TokenId> row, Scratch& scratch) const;

  std::vector<std::uint64_t> slots_;  // pair and rank; a power of two, at most two thirds full
  unsigned shift_ = 63;               // 64 - log2 of the slots
  std::size_t taken_ = 0;
  std::vector<TokenId> joined_;             // by rank
  std::vector<std::uint8_t> in_some_pair_;  // by id
};

}  // namespace hangar
