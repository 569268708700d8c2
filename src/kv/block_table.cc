#include "kv/block_table.h"

#include <optional>

namespace hangar {

bool BlockTable::reserve(std::int32_t tokens) {
  const std::int32_t wanted = (tokens + block_tokens_ - 1) / block_tokens_;
  const std::int32_t missing = wanted - static_cast<std::int32_t>(blocks_.size());
  if (missing > pool_->free()) return false;
  for (std::int32_t i = 0; i < missing; ++i) blocks_.push_back(*pool_->take());
  return true;
}

void BlockTable::clear() {
  for (const BlockId block : blocks_) pool_->give(block);
  blocks_.clear();
}

}  // namespace hangar
