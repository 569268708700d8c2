// BlockPool: which KV blocks are free. Only numbers: the memory is the backend's.
//
// Promise: take() gives each block to one holder at a time; give() takes it back. free() + used()
// ==
//   total() always.
// Errors: take: nullopt when none is free. Giving back a block that is not out is a bug: it aborts.
// Threads: one (the step thread). No clock, no backend.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace hangar {

using BlockId = std::int32_t;

class BlockPool {
 public:
  explicit BlockPool(std::int32_t blocks);

  std::optional<BlockId> take();
  void give(BlockId block);

  std::int32_t total() const { return static_cast<std::int32_t>(out_.size()); }
  std::int32_t free() const { return static_cast<std::int32_t>(free_.size()); }
  std::int32_t used() const { return total() - free(); }

 private:
  std::vector<BlockId> free_;  // a stack: the block given back last is warm in the caches
  std::vector<bool> out_;
};

}  // namespace hangar
