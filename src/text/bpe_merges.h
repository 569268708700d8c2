// BpeMerges: the merge table of byte-pair encoding, and its loop.
//
// Promise: merge(symbols) joins, again and again, the neighbouring pair of best rank (of those with
//   the same rank the leftmost), until no pair is in the table. Time is O(n^2) for short rows, with
//   a small constant, and O(n log n) for long ones.
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
  // What a pair becomes: its rank in the upper half, so that the better is the smaller, and the
  // joined token in the lower one.
  using Merge = std::uint64_t;

  // Memory that a merge works in, kept from one call to the next unless a row was very long.
  struct Scratch {
    std::vector<Merge> merges;
    std::vector<std::uint32_t> next;
    std::vector<std::uint32_t> previous;
  };

  BpeMerges() : slots_(2) {}
  void reserve(std::size_t merges);
  // Adds the next best merge; at most 2^32 - 1 of them. A pair that is there already takes this
  // rank and token (as Hugging Face's tokenizers has it).
  void add(TokenId left, TokenId right, TokenId joined);
  std::size_t size() const { return added_; }
  // A hint that the pair will be added soon; inlined by force, as g++ drops calls of mere hints.
  [[gnu::always_inline]] void prefetch(TokenId left, TokenId right) const {
    __builtin_prefetch(&slots_[home_of(left, right)], 1);
  }

  // Calls visit(left, right) for each pair, in no order.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.left >= 0) visit(slot.left, slot.right);
    }
  }

  // Merges in place; symbols is shorter afterwards. At most 2^31 symbols.
  void merge(std::vector<TokenId>& symbols, Scratch& scratch) const;

 private:
  struct Slot {
    TokenId left = -1;  // -1: free
    TokenId right = -1;
    Merge merge = 0;
  };

  std::size_t home_of(TokenId left, TokenId right) const {
    const std::uint64_t mixed = static_cast<std::uint32_t>(left) * 0x9E3779B97F4A7C15U +
                                static_cast<std::uint32_t>(right) * 0xC2B2AE3D27D4EB4FU;
    return static_cast<std::size_t>((mixed ^ (mixed >> 32U)) * 0xD6E8FEB86659FD93U >> shift_);
  }
  Slot& slot_of(TokenId left, TokenId right);  // its slot, or the free one where it would go
  void grow(std::size_t slots);
  Merge find(TokenId left, TokenId right) const;
  bool is_in_some_pair(TokenId id) const {
    const auto index = static_cast<std::size_t>(id);
    return index < in_some_pair_.size() && in_some_pair_[index] != 0;
  }
  void note_in_pair(TokenId id);
  // Each merges a row in place and says how many symbols are left.
  std::size_t merge_row(std::span<TokenId> row, Scratch& scratch) const;
  std::size_t merge_short(std::span<TokenId> row, Scratch& scratch) const;
  std::size_t merge_long(std::span<TokenId> row, Scratch& scratch) const;

  std::vector<Slot> slots_;  // a power of two, at most two thirds full
  unsigned shift_ = 63;      // 64 - log2 of the slots
  std::size_t taken_ = 0;
  std::size_t added_ = 0;
  std::vector<std::uint8_t> in_some_pair_;  // by id
};

}  // namespace hangar
