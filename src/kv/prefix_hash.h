// PrefixHash: names what a block of keys and values was computed from: all tokens up to its end and
// everything else that changes them.
//
// Promise: a chain: a block's hash follows from the hash of the block before it and its own tokens;
//   the first follows from a root, which stands for model, adapter and KV type. 128 bits, keyed
//   with a secret of the process, so that no client can make two prefixes collide; BlockPool
//   compares the tokens too before it believes one.
// Threads: values.
#pragma once

#include <cstdint>
#include <span>

namespace hangar {

struct PrefixHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const PrefixHash&) const = default;
};

PrefixHash prefix_root(std::uint64_t secret, std::uint64_t salt);
PrefixHash extend_prefix(PrefixHash before, std::span<const std::int32_t> block_tokens);

}  // namespace hangar
