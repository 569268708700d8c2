#include "kv/block_table.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace hangar {

BlockTable::BlockTable(BlockPool& pool) : pool_(&pool) {}

BlockTable::~BlockTable() {
  clear();
}

BlockTable::BlockTable(BlockTable&& other) noexcept
    : pool_(other.pool_),
      blocks_(std::exchange(other.blocks_, {})),
      hashes_(std::exchange(other.hashes_, {})),
      remembered_(std::exchange(other.remembered_, 0)) {}

std::size_t BlockTable::block_count(std::int32_t tokens) const {
  return static_cast<std::size_t>((tokens + pool_->block_tokens() - 1) / pool_->block_tokens());
}

std::int32_t BlockTable::missing(std::int32_t computed, std::int32_t tokens) const {
  const std::size_t wanted = block_count(tokens);
  std::size_t missing = wanted > blocks_.size() ? wanted - blocks_.size() : 0;
  const auto first = static_cast<std::size_t>(computed / pool_->block_tokens());
  for (std::size_t i = first; i < std::min(wanted, blocks_.size()); ++i) {
    if (!pool_->writable(blocks_[i])) ++missing;
  }
  return static_cast<std::int32_t>(missing);
}

bool BlockTable::prepare(std::int32_t computed, std::int32_t tokens,
                         std::vector<BlockCopy>& copies) {
  if (missing(computed, tokens) > pool_->available()) return false;
  const std::size_t wanted = block_count(tokens);
  const auto first = static_cast<std::size_t>(computed / pool_->block_tokens());
  for (std::size_t i = first; i < std::min(wanted, blocks_.size()); ++i) {
    if (pool_->writable(blocks_[i])) continue;
    const BlockId own = *pool_->take();
    // Only the block that `computed` lies in has something worth copying.
    if (i == first && computed % pool_->block_tokens() != 0) copies.push_back({blocks_[i], own});
    pool_->give(std::exchange(blocks_[i], own));
  }
  remembered_ = std::min(remembered_, first);
  while (blocks_.size() < wanted) blocks_.push_back(*pool_->take());
  return true;
}

void BlockTable::clear() {
  for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) pool_->give(*block);
  blocks_.clear();
  remembered_ = 0;
}

PrefixHash BlockTable::hash_before(PrefixHash root, std::size_t block) const {
  return block == 0 ? root : hashes_[block - 1];
}

std::size_t BlockTable::hash_blocks(PrefixHash root, std::span<const std::int32_t> tokens) {
  const auto size = static_cast<std::size_t>(pool_->block_tokens());
  const std::size_t whole = tokens.size() / size;
  while (hashes_.size() < whole) {
    hashes_.push_back(extend_prefix(hash_before(root, hashes_.size()),
                                    tokens.subspan(hashes_.size() * size, size)));
  }
  return whole;
}

std::int32_t BlockTable::known_prefix(PrefixHash root, std::span<const std::int32_t> tokens) {
  const auto size = static_cast<std::size_t>(pool_->block_tokens());
  const std::size_t whole = hash_blocks(root, tokens);
  std::size_t known = 0;
  while (known < whole && pool_->peek(hashes_[known], hash_before(root, known),
                                      tokens.subspan(known * size, size))) {
    ++known;
  }
  return static_cast<std::int32_t>(known * size);
}

std::int32_t BlockTable::find_prefix(PrefixHash root, std::span<const std::int32_t> tokens) {
  if (!blocks_.empty()) std::abort();
  const auto size = static_cast<std::size_t>(pool_->block_tokens());
  const std::size_t whole = hash_blocks(root, tokens);
  while (blocks_.size() < whole) {
    const std::size_t i = blocks_.size();
    const auto found =
        pool_->find(hashes_[i], hash_before(root, i), tokens.subspan(i * size, size));
    if (!found) break;
    blocks_.push_back(*found);
  }
  remembered_ = blocks_.size();
  return static_cast<std::int32_t>(blocks_.size() * size);
}

void BlockTable::remember(PrefixHash root, std::span<const std::int32_t> tokens) {
  const auto size = static_cast<std::size_t>(pool_->block_tokens());
  const std::size_t whole = std::min(hash_blocks(root, tokens), blocks_.size());
  for (; remembered_ < whole; ++remembered_) {
    const std::size_t i = remembered_;
    pool_->remember(blocks_[i], hashes_[i], hash_before(root, i), tokens.subspan(i * size, size));
  }
}

void BlockTable::fork(const BlockTable& other, std::int32_t tokens) {
  if (!blocks_.empty()) std::abort();
  const std::size_t shared = std::min(block_count(tokens), other.blocks_.size());
  blocks_.assign(other.blocks_.begin(),
                 other.blocks_.begin() + static_cast<std::ptrdiff_t>(shared));
  for (const BlockId block : blocks_) pool_->share(block);
}

}  // namespace hangar
