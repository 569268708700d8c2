// BlockTable: the blocks that hold one sequence's keys and values, in the order of its positions.
//
// Promise: after reserve(tokens) succeeded, positions [0, tokens) have a place. The destructor and
//   clear() give every block back.
// Errors: reserve: false when the pool runs dry; what the table held before stays.
// Threads: one (the step thread). The pool must outlive the table.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kv/block_pool.h"

namespace hangar {

class BlockTable {
 public:
  BlockTable(BlockPool& pool, std::int32_t block_tokens)
      : pool_(&pool), block_tokens_(block_tokens) {}
  ~BlockTable() { clear(); }
  BlockTable(const BlockTable&) = delete;
  BlockTable& operator=(const BlockTable&) = delete;

  bool reserve(std::int32_t tokens);
  void clear();
  std::span<const BlockId> blocks() const { return blocks_; }

 private:
  BlockPool* pool_;
  std::int32_t block_tokens_;
  std::vector<BlockId> blocks_;
};

}  // namespace hangar
