#include "text/token_trie.h"

#include <algorithm>
#include <bit>

namespace hangar {
namespace {

constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kAhead = 16;  // memory is asked for so many steps before it is needed

// A token with its first bytes as numbers, which saves going to its text for nearly all of them.
struct Key {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  TokenId id = 0;
};

std::uint64_t big_endian(std::string_view text) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value = (value << 8U) | (i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0U);
  }
  return value;
}

class Keys {
 public:
  Keys(const TextList& tokens, std::span<const TokenId> ids) : tokens_(tokens) {
    keys_.reserve(ids.size());
    for (const TokenId id : ids) {
      const std::string_view text = text_of(id);
      if (text.empty()) continue;
      keys_.push_back({.first = big_endian(text),
                       .second = text.size() > 8 ? big_endian(text.substr(8)) : 0,
                       .id = id});
    }
    // By text, as bytes; of two with the same text the higher id first.
    std::sort(keys_.begin(), keys_.end(), [this](const Key& a, const Key& b) {
      if (a.first != b.first) return a.first < b.first;
      if (a.second != b.second) return a.second < b.second;
      const int order = text_of(a.id).compare(text_of(b.id));
      return order != 0 ? order < 0 : a.id > b.id;
    });
  }

  std::span<const Key> sorted() const { return keys_; }
  std::string_view text_of(TokenId id) const { return tokens_[static_cast<std::size_t>(id)]; }

  // How many bytes both texts begin with.
  std::size_t shared(const Key& a, const Key& b) const {
    if (const std::uint64_t differing = a.first ^ b.first; differing != 0) {
      return in_both(a, b, static_cast<std::size_t>(std::countl_zero(differing)) / 8);
    }
    if (const std::uint64_t differing = a.second ^ b.second; differing != 0) {
      return in_both(a, b, 8 + static_cast<std::size_t>(std::countl_zero(differing)) / 8);
    }
    const std::string_view text_a = text_of(a.id);
    const std::string_view text_b = text_of(b.id);
    const std::size_t most = std::min(text_a.size(), text_b.size());
    std::size_t shared = std::min(most, kKeyBytes);
    while (shared < most && text_a[shared] == text_b[shared]) ++shared;
    return shared;
  }

 private:
  // Past a text's end its key goes on with zeros.
  std::size_t in_both(const Key& a, const Key& b, std::size_t bytes) const {
    return std::min({bytes, text_of(a.id).size(), text_of(b.id).size()});
  }

  const TextList& tokens_;
  std::vector<Key> keys_;
};

}  // namespace

Result<TokenTrie> TokenTrie::build(const TextList& tokens, std::span<const TokenId> ids) {
  if (tokens.size() >= kNone) {
    return make_error(ErrorCode::kUnsupported, "tokenizer: {} tokens are more than can be indexed",
                      tokens.size());
  }
  const Keys keys(tokens, ids);
  const auto root = static_cast<Node>(tokens.size());
  TokenTrie trie(root);
  Node next_node = root + 1;         // the next one that is no token
  std::vector<Node> path = {root};   // by depth, of the token before
  std::vector<std::uint64_t> edges;  // as slots
  const Key* before = nullptr;
  for (std::size_t i = 0; i < keys.sorted().size(); ++i) {
    // Texts lie in the order of ids: they are asked for ahead.
    if (i + kAhead < keys.sorted().size()) {
      __builtin_prefetch(keys.text_of(keys.sorted()[i + kAhead].id).data());
    }
    const Key& key = keys.sorted()[i];
    const std::string_view text = keys.text_of(key.id);
    const std::size_t shared = before == nullptr ? 0 : keys.shared(*before, key);
    if (shared == text.size()) continue;  // the same text again
    path.resize(shared + 1);
    for (std::size_t depth = shared; depth < text.size(); ++depth) {
      // A token comes after all that it begins with, so that no node turns out to be one later.
      const bool last = depth + 1 == text.size();
      if (!last && next_node == kNone) {
        return make_error(ErrorCode::kUnsupported,
                          "tokenizer: the vocabulary's texts are longer than can be indexed");
      }
      const Node child = last ? static_cast<Node>(key.id) : next_node++;
      if (depth == 0) {
        trie.first_[static_cast<std::uint8_t>(text[0])] = child;
      } else {
        edges.push_back((edge_of(path.back(), text[depth]) << kNodeBits) | child);
      }
      path.push_back(child);
    }
    before = &key;
  }
  trie.place(edges);
  return trie;
}

void TokenTrie::place(std::span<const std::uint64_t> edges) {
  slots_.assign(std::bit_ceil(2 * edges.size() + 2), kFree);
  shift_ = 64U - static_cast<unsigned>(std::countr_zero(slots_.size()));
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (i + kAhead < edges.size()) {
      __builtin_prefetch(&slots_[home_of(edges[i + kAhead] >> kNodeBits)], 1);
    }
    std::size_t at = home_of(edges[i] >> kNodeBits);
    while (slots_[at] != kFree) at = (at + 1) & mask;
    slots_[at] = edges[i];
  }
}

}  // namespace hangar
