#include "text/token_index.h"

#include <bit>

namespace hangar {

TokenIndex::TokenIndex(std::span<const std::string> tokens)
    : tokens_(tokens), slots_(std::bit_ceil(2 * tokens.size() + 2)) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view text = tokens[id];
    if (text.empty()) continue;
    const Hash hash = mixed(hash_of(text));
    const auto tag = static_cast<std::uint32_t>(hash >> 32U);
    std::size_t at = hash & mask;
    while (slots_[at].id != kNone && (slots_[at].tag != tag || text_of(slots_[at].id) != text)) {
      at = (at + 1) & mask;
    }
    if (slots_[at].id == kNone) slots_[at] = {.tag = tag, .id = static_cast<TokenId>(id)};
  }
}

TokenId TokenIndex::find(std::string_view text, Hash hash) const {
  hash = mixed(hash);
  const std::size_t mask = slots_.size() - 1;
  const auto tag = static_cast<std::uint32_t>(hash >> 32U);
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id == kNone) return kNone;
    if (slot.tag == tag && text_of(slot.id) == text) return slot.id;
  }
}

}  // namespace hangar
