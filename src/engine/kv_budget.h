// KvBudget: how long a context may be and how many KV blocks there are, by arithmetic at start.
//
// Promise: the context is what was asked for, else the model's own, cut (with a line in the log) to
//   what half of the free memory can hold. The blocks are those of kv_bytes where it is given, else
//   of 1 GiB or of one context, whichever is more, within half of the free memory, and never more
//   than all running sequences could fill. One context always fits. On a device nothing else wants
//   the free memory: all of it is for keys and values, and what running sequences do not fill keeps
//   prefixes.
// Units: tokens, blocks, bytes.
// Errors: kInvalidArgument (more context than the model has, or than the memory asked for holds),
//   kResourceExhausted; with the sums.
// Threads: pure function.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace hangar {

struct KvBudgetInput {
  std::int32_t trained_context = 0;
  std::int32_t asked_context = 0;  // 0: none
  std::uint64_t asked_bytes = 0;   // 0: none
  std::uint64_t block_bytes = 0;
  std::int32_t block_tokens = 16;
  std::int32_t max_sequences = 1;
  std::uint64_t free_bytes = 0;  // without what weights will take; 0: not known
  bool device = false;           // free_bytes are a device's
};

struct KvBudget {
  std::int32_t context_tokens = 0;
  std::int32_t blocks = 0;
};

Result<KvBudget> plan_kv(const KvBudgetInput& input);

// Bytes the kernel says can be had without swapping; 0 where it does not say.
std::uint64_t available_memory_bytes();

}  // namespace hangar
