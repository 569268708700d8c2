#include "kv/block_pool.h"

#include <algorithm>
#include <cstdlib>

namespace hangar {

BlockPool::BlockPool(std::int32_t blocks, std::int32_t block_tokens)
    : block_tokens_(block_tokens),
      entries_(static_cast<std::size_t>(blocks)),
      tokens_(static_cast<std::size_t>(blocks) * static_cast<std::size_t>(block_tokens)) {
  free_.reserve(entries_.size());
  for (BlockId block = blocks - 1; block >= 0; --block) free_.push_back(block);
}

std::int32_t BlockPool::total() const {
  return static_cast<std::int32_t>(entries_.size());
}
std::int32_t BlockPool::free() const {
  return static_cast<std::int32_t>(free_.size());
}
std::int32_t BlockPool::kept() const {
  return kept_;
}
std::int32_t BlockPool::held() const {
  return total() - free() - kept();
}

std::optional<BlockId> BlockPool::take() {
  if (free_.empty()) {
    if (oldest_ == kNone) return std::nullopt;
    const BlockId block = oldest_;
    unkeep(block);
    forget(block);
    free_.push_back(block);
  }
  const BlockId block = free_.back();
  free_.pop_back();
  entry(block).holders = 1;
  return block;
}

void BlockPool::share(BlockId block) {
  ++held_entry(block).holders;
}

void BlockPool::give(BlockId block) {
  Entry& given = held_entry(block);
  if (--given.holders > 0) return;
  if (given.remembered) {
    keep(block);
  } else {
    free_.push_back(block);
  }
}

std::int32_t BlockPool::holders(BlockId block) const {
  return entry(block).holders;
}

bool BlockPool::writable(BlockId block) const {
  return entry(block).holders == 1 && !entry(block).remembered;
}

void BlockPool::remember(BlockId block, PrefixHash hash, PrefixHash before,
                         std::span<const std::int32_t> tokens) {
  Entry& full = held_entry(block);
  if (full.remembered && full.hash == hash) return;
  if (!known_.emplace(hash, block).second) return;
  if (full.remembered) known_.erase(full.hash);
  full.remembered = true;
  full.hash = hash;
  full.before = before;
  std::copy(tokens.begin(), tokens.end(), tokens_of(block).begin());
}

std::optional<BlockId> BlockPool::find(PrefixHash hash, PrefixHash before,
                                       std::span<const std::int32_t> tokens) {
  const std::optional<BlockId> block = peek(hash, before, tokens);
  if (!block) return std::nullopt;
  if (entry(*block).holders++ == 0) unkeep(*block);
  return block;
}

std::optional<BlockId> BlockPool::peek(PrefixHash hash, PrefixHash before,
                                       std::span<const std::int32_t> tokens) const {
  const auto known = known_.find(hash);
  if (known == known_.end()) return std::nullopt;
  const BlockId block = known->second;
  if (entry(block).before != before) return std::nullopt;
  const auto own = tokens_.begin() + static_cast<std::ptrdiff_t>(block) * block_tokens_;
  if (!std::equal(tokens.begin(), tokens.end(), own)) return std::nullopt;
  return block;
}

void BlockPool::forget_all() {
  while (oldest_ != kNone) {
    const BlockId block = oldest_;
    unkeep(block);
    forget(block);
    free_.push_back(block);
  }
  for (Entry& each : entries_) each.remembered = false;
  known_.clear();
}

BlockPool::Entry& BlockPool::held_entry(BlockId block) {
  if (block < 0 || block >= total() || entry(block).holders == 0) std::abort();
  return entry(block);
}

std::span<std::int32_t> BlockPool::tokens_of(BlockId block) {
  const auto size = static_cast<std::size_t>(block_tokens_);
  return std::span(tokens_).subspan(static_cast<std::size_t>(block) * size, size);
}

void BlockPool::keep(BlockId block) {
  Entry& kept = entry(block);
  kept.older = newest_;
  kept.newer = kNone;
  (newest_ == kNone ? oldest_ : entry(newest_).newer) = block;
  newest_ = block;
  ++kept_;
}

void BlockPool::unkeep(BlockId block) {
  const Entry& kept = entry(block);
  (kept.older == kNone ? oldest_ : entry(kept.older).newer) = kept.newer;
  (kept.newer == kNone ? newest_ : entry(kept.newer).older) = kept.older;
  --kept_;
}

void BlockPool::forget(BlockId block) {
  known_.erase(entry(block).hash);
  entry(block).remembered = false;
}

}  // namespace hangar
