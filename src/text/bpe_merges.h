// BpeMerges: the merge table of byte-pair encoding, and its loop.
//
// Promise: merge(symbols) joins, again and again, the neighbouring pair of best rank (of those with
//   the same rank the leftmost), until no pair is in the table. Time is O(n^2) for short rows, with
//   a small constant, and O(n log n) for long ones.
// Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units"
//   (2016).
// Threads: const and thread-safe once all merges are added; a Scratch belongs to one thread.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include "text/tokenizer_spec.h"

namespace hangar {

class BpeMerges {
 public:
  using Rank = std::uint32_t;
  static constexpr Rank kNoMerge = UINT32_MAX;

  // Memory that a merge works in, kept from one call to the next.
  struct Scratch {
    std::vector<Rank> ranks;
    std::vector<std::uint32_t> next;
    std::vector<std::uint32_t> previous;
  };

  void reserve(std::size_t merges);
  // Adds the next best merge. A pair that is there already keeps its better rank.
  void add(TokenId left, TokenId right, TokenId joined);

  // Merges in place; symbols is shorter afterwards. At most 2^31 symbols.
  void merge(std::vector<TokenId>& symbols, Scratch& scratch) const;

 private:
  Rank rank_of(TokenId left, TokenId right) const;
  void merge_short(std::vector<TokenId>& symbols, Scratch& scratch) const;
  void merge_long(std::vector<TokenId>& symbols, Scratch& scratch) const;

  boost::unordered_flat_map<std::uint64_t, Rank> ranks_;  // by left << 32 | right
  std::vector<TokenId> joined_;                           // by rank
};

}  // namespace hangar
