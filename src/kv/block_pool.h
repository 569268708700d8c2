// BlockPool: which KV blocks are free, who holds them, and what the others still remember.
//
// Promise: a block is free, held (by one holder or several: shared prefixes, forks) or kept: nobody
//   holds it, but its contents are known by a prefix hash and may be found again. take() gives a
//   free block, else the kept block that was let go longest ago, which is then forgotten. find()
//   makes the caller one more holder. free() + kept() + held() == total() always.
// Errors: take: nullopt when all are held. Letting go of a block that is not held is a bug: it
//   aborts.
// Threads: one (whoever plans). No clock, no backend: only numbers; the memory is the backend's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "kv/prefix_hash.h"

namespace hangar {

using BlockId = std::int32_t;

class BlockPool {
 public:
  BlockPool(std::int32_t blocks, std::int32_t block_tokens);

  std::optional<BlockId> take();
  void share(BlockId block);
  // Whoever lets a sequence go gives its last block first, so that ends are forgotten before
  // beginnings.
  void give(BlockId block);
  std::int32_t holders(BlockId block) const;
  // Held once and remembered by nobody: its contents may change.
  bool writable(BlockId block) const;

  // A full block that the caller holds now has these contents. Where another block is known by the
  // same hash already, that one stays the one that is found.
  void remember(BlockId block, PrefixHash hash, PrefixHash before,
                std::span<const std::int32_t> tokens);
  std::optional<BlockId> find(PrefixHash hash, PrefixHash before,
                              std::span<const std::int32_t> tokens);
  // Which block find would give; nobody holds it the more.
  std::optional<BlockId> peek(PrefixHash hash, PrefixHash before,
                              std::span<const std::int32_t> tokens) const;
  void forget_all();  // kept blocks become free; held ones are found no more

  std::int32_t total() const;
  std::int32_t free() const;
  std::int32_t kept() const;
  std::int32_t held() const;
  std::int32_t available() const { return free() + kept(); }  // take() succeeds so many times
  std::int32_t block_tokens() const { return block_tokens_; }

 private:
  static constexpr BlockId kNone = -1;
  struct Entry {
    std::int32_t holders = 0;
    bool remembered = false;
    PrefixHash hash;
    PrefixHash before;
    BlockId older = kNone;  // neighbours among those kept
    BlockId newer = kNone;
  };
  struct HashOf {
    std::size_t operator()(const PrefixHash& hash) const {
      return static_cast<std::size_t>(hash.low);
    }
  };

  Entry& held_entry(BlockId block);  // aborts where nobody holds it
  const Entry& entry(BlockId block) const { return entries_[static_cast<std::size_t>(block)]; }
  Entry& entry(BlockId block) { return entries_[static_cast<std::size_t>(block)]; }
  std::span<std::int32_t> tokens_of(BlockId block);
  void keep(BlockId block);    // nobody holds it any more; its contents are remembered
  void unkeep(BlockId block);  // takes it out of the list of those kept
  void forget(BlockId block);

  std::int32_t block_tokens_;
  std::vector<Entry> entries_;
  std::vector<std::int32_t> tokens_;  // {blocks, block_tokens}, of those remembered
  std::vector<BlockId> free_;
  std::unordered_map<PrefixHash, BlockId, HashOf> known_;
  BlockId oldest_ = kNone;  // of those kept
  BlockId newest_ = kNone;
  std::int32_t kept_ = 0;
};

}  // namespace hangar
