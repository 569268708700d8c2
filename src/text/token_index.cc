#include "text/token_index.h"

#include <bit>

namespace hangar {

static_assert(std::endian::native == std::endian::little);  // a text's first byte is the lowest

TokenIndex::TokenIndex(const TextList& tokens)
    : tokens_(&tokens), slots_(2 * tokens.size() + tokens.size() / 2 + 2, kNone) {
  constexpr std::size_t kAhead = 16;  // memory is asked for so many steps before it is needed
  const std::size_t count = tokens.size();
  keys_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) keys_.push_back(key_of(tokens[i], tokens.bytes_end()));
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) __builtin_prefetch(&slots_[home_of(keys_[i + kAhead])], 1);
    if (keys_[i] != 0) add(static_cast<TokenId>(i));
  }
}

void TokenIndex::add(TokenId id) {
  const Key key = this->key(id);
  std::size_t at = home_of(key);
  for (; slots_[at] != kNone; at = after(at)) {
    if (!is(slots_[at], text_of(id), key)) continue;
    if (!twice_) twice_ = {slots_[at], id};
    keys_[static_cast<std::size_t>(id)] = 0;
    return;
  }
  slots_[at] = id;
}

}  // namespace hangar
