#include "text/bpe_merges.h"

#include "text/merge_queue.h"

namespace hangar {
namespace {

// Up to here looking at all pairs for each merge beats keeping a queue; nearly every piece is
// shorter.
constexpr std::size_t kShortSymbols = 64;
constexpr std::uint32_t kNone = UINT32_MAX;

std::uint64_t key_of(TokenId left, TokenId right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U) |
         static_cast<std::uint32_t>(right);
}

}  // namespace

void BpeMerges::reserve(std::size_t merges) {
  ranks_.reserve(merges);
  joined_.reserve(merges);
}

void BpeMerges::add(TokenId left, TokenId right, TokenId joined) {
  ranks_.try_emplace(key_of(left, right), static_cast<Rank>(joined_.size()));
  joined_.push_back(joined);
}

BpeMerges::Rank BpeMerges::rank_of(TokenId left, TokenId right) const {
  const auto found = ranks_.find(key_of(left, right));
  return found == ranks_.end() ? kNoMerge : found->second;
}

void BpeMerges::merge(std::vector<TokenId>& symbols, Scratch& scratch) const {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kShortSymbols) {
    merge_short(symbols, scratch);
  } else {
    merge_long(symbols, scratch);
  }
}

void BpeMerges::merge_short(std::vector<TokenId>& symbols, Scratch& scratch) const {
  std::vector<Rank>& ranks = scratch.ranks;  // ranks[i]: of symbols i and i + 1
  ranks.resize(symbols.size() - 1);
  for (std::size_t i = 0; i < ranks.size(); ++i) ranks[i] = rank_of(symbols[i], symbols[i + 1]);
  while (!ranks.empty()) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < ranks.size(); ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == kNoMerge) return;
    symbols[best] = joined_[ranks[best]];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    ranks.erase(ranks.begin() + static_cast<std::ptrdiff_t>(best));
    if (best < ranks.size()) ranks[best] = rank_of(symbols[best], symbols[best + 1]);
    if (best > 0) ranks[best - 1] = rank_of(symbols[best - 1], symbols[best]);
  }
}

void BpeMerges::merge_long(std::vector<TokenId>& symbols, Scratch& scratch) const {
  const auto count = static_cast<std::uint32_t>(symbols.size());
  std::vector<Rank>& ranks = scratch.ranks;  // of a symbol and the next; kNoMerge where it is gone
  std::vector<std::uint32_t>& next = scratch.next;
  std::vector<std::uint32_t>& previous = scratch.previous;
  ranks.resize(count);
  next.resize(count);
  previous.resize(count);

  MergeQueue queue;
  const auto look_at_pair = [&](std::uint32_t at) {
    ranks[at] = next[at] == kNone ? kNoMerge : rank_of(symbols[at], symbols[next[at]]);
    if (ranks[at] != kNoMerge) queue.push({.rank = ranks[at], .position = at});
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1 < count ? i + 1 : kNone;
    previous[i] = i > 0 ? i - 1 : kNone;
    look_at_pair(i);
  }
  while (const auto entry = queue.pop()) {
    const std::uint32_t at = entry->position;
    // A symbol only ever grows, so a pair that has changed has another rank than when it was
    // queued.
    if (ranks[at] != entry->rank) continue;
    const std::uint32_t gone = next[at];
    symbols[at] = joined_[entry->rank];
    ranks[gone] = kNoMerge;
    next[at] = next[gone];
    if (next[at] != kNone) previous[next[at]] = at;
    look_at_pair(at);
    if (previous[at] != kNone) look_at_pair(previous[at]);
  }
  std::size_t kept = 0;
  for (std::uint32_t at = 0; at != kNone; at = next[at]) symbols[kept++] = symbols[at];
  symbols.resize(kept);
}

}  // namespace hangar
