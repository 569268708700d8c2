#include "formats/hf/text_ids.h"

#include <xxhash.h>

#include <bit>

namespace hangar::hf {
namespace {

constexpr std::uint64_t kHashBits = 0xFFFFFFFF00000000ULL;

}  // namespace

std::uint64_t TextIds::hash(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

Result<TextIds> TextIds::build(const std::vector<std::string>& tokens) {
  TextIds index(tokens);
  index.slots_.resize(std::bit_ceil(tokens.size() * 2 + 1));
  const std::size_t mask = index.slots_.size() - 1;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) continue;
    const std::uint64_t hashed = hash(tokens[id]);
    std::size_t at = hashed & mask;
    for (; index.slots_[at] != 0; at = (at + 1) & mask) {
      if (((index.slots_[at] ^ hashed) & kHashBits) != 0) continue;
      const std::size_t other = (index.slots_[at] & ~kHashBits) - 1;
      if (tokens[other] == tokens[id]) {
        return make_error(ErrorCode::kCorrupt, "token '{}' is there twice, as {} and as {}",
                          tokens[id].substr(0, 100), other, id);
      }
    }
    index.slots_[at] = (hashed & kHashBits) | (id + 1);
  }
  return index;
}

std::optional<TokenId> TextIds::find(std::string_view text) const {
  if (text.empty()) return std::nullopt;
  const std::size_t mask = slots_.size() - 1;
  const std::uint64_t hashed = hash(text);
  for (std::size_t at = hashed & mask; slots_[at] != 0; at = (at + 1) & mask) {
    if (((slots_[at] ^ hashed) & kHashBits) != 0) continue;
    const std::size_t id = (slots_[at] & ~kHashBits) - 1;
    if ((*tokens_)[id] == text) return static_cast<TokenId>(id);
  }
  return std::nullopt;
}

}  // namespace hangar::hf
