#include "kv/prefix_hash.h"

#include <xxhash.h>

#include <array>
#include <cstring>
#include <vector>

namespace hangar {
namespace {

PrefixHash hash_of(const void* data, std::size_t bytes, std::uint64_t seed) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(data, bytes, seed);
  return {hash.low64, hash.high64};
}

}  // namespace

PrefixHash prefix_root(std::uint64_t secret, std::uint64_t salt) {
  return hash_of(&salt, sizeof(salt), secret);
}

PrefixHash extend_prefix(PrefixHash before, std::span<const std::int32_t> block_tokens) {
  // One half of the chain seeds the hash and the other goes in front of the tokens: without the
  // secret, which is in both, nobody can tell which blocks would meet.
  constexpr std::size_t kOnStack = 1024;
  const std::size_t bytes = sizeof(before.low) + block_tokens.size_bytes();
  std::array<std::byte, kOnStack> small;
  std::vector<std::byte> large;
  std::byte* data = small.data();
  if (bytes > small.size()) {
    large.resize(bytes);
    data = large.data();
  }
  std::memcpy(data, &before.low, sizeof(before.low));
  if (!block_tokens.empty()) {
    std::memcpy(data + sizeof(before.low), block_tokens.data(), block_tokens.size_bytes());
  }
  return hash_of(data, bytes, before.high);
}

}  // namespace hangar
