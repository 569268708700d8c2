#include "kv/block_pool.h"

#include <cstdlib>

namespace hangar {

BlockPool::BlockPool(std::int32_t blocks) : out_(static_cast<std::size_t>(blocks), false) {
  free_.reserve(out_.size());
  for (BlockId block = blocks - 1; block >= 0; --block) free_.push_back(block);
}

std::optional<BlockId> BlockPool::take() {
  if (free_.empty()) return std::nullopt;
  const BlockId block = free_.back();
  free_.pop_back();
  out_[static_cast<std::size_t>(block)] = true;
  return block;
}

void BlockPool::give(BlockId block) {
  if (block < 0 || block >= total() || !out_[static_cast<std::size_t>(block)]) std::abort();
  out_[static_cast<std::size_t>(block)] = false;
  free_.push_back(block);
}

}  // namespace hangar
