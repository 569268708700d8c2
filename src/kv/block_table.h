// BlockTable: the blocks that hold one sequence's keys and values, in the order of its positions.
//
// Promise: after prepare(computed, tokens) succeeded, positions [0, tokens) have a place and
//   positions from `computed` on may be written: a block that is shared or remembered is replaced
//   by a copy first (copy-on-write; the copy to make is appended). The destructor and clear() let
//   every block go. A table serves one sequence: the tokens given to it may grow, never change, so
//   that each is hashed once.
// Errors: prepare: false when the pool runs dry; what the table held before stays.
// Threads: one (whoever plans). The pool outlives the table.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/block_copy.h"
#include "kv/block_pool.h"
#include "kv/prefix_hash.h"

namespace hangar {

class BlockTable {
 public:
  explicit BlockTable(BlockPool& pool);
  ~BlockTable();
  BlockTable(BlockTable&&) noexcept;
  BlockTable& operator=(BlockTable&&) = delete;
  BlockTable(const BlockTable&) = delete;
  BlockTable& operator=(const BlockTable&) = delete;

  bool prepare(std::int32_t computed, std::int32_t tokens, std::vector<BlockCopy>& copies);
  // Blocks that prepare would take from the pool.
  std::int32_t missing(std::int32_t computed, std::int32_t tokens) const;
  void clear();

  // An empty table takes the longest known prefix of `tokens` in whole blocks; returns its tokens.
  std::int32_t find_prefix(PrefixHash root, std::span<const std::int32_t> tokens);
  // How much find_prefix would find, in tokens; takes nothing.
  std::int32_t known_prefix(PrefixHash root, std::span<const std::int32_t> tokens);
  // Lets the pool remember the whole blocks of the first `tokens.size()` positions.
  void remember(PrefixHash root, std::span<const std::int32_t> tokens);
  // An empty table shares the blocks of `other`'s first `tokens` positions, the last perhaps
  // partly.
  void fork(const BlockTable& other, std::int32_t tokens);

  std::span<const BlockId> blocks() const { return blocks_; }

 private:
  // The hash chain, at least as far as `tokens` fill whole blocks; returns those blocks.
  std::size_t hash_blocks(PrefixHash root, std::span<const std::int32_t> tokens);
  PrefixHash hash_before(PrefixHash root, std::size_t block) const;
  std::size_t block_count(std::int32_t tokens) const;  // blocks that so many tokens touch

  BlockPool* pool_;
  std::vector<BlockId> blocks_;
  std::vector<PrefixHash> hashes_;  // of the sequence's first whole blocks, as far as asked for
  std::size_t remembered_ = 0;      // so many of the first blocks are known to the pool
};

}  // namespace hangar
