#include "text/bpe_merges.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "text/merge_queue.h"

namespace hangar {
namespace {

// Up to here looking at all pairs for each merge beats keeping a queue; nearly every piece is
// shorter.
constexpr std::size_t kShortSymbols = 64;
constexpr std::size_t kKeptSymbols = std::size_t{1} << 16U;  // a Scratch keeps room for so many
constexpr std::uint32_t kNoSymbol = UINT32_MAX;

}  // namespace

void BpeMerges::reserve(std::size_t merges) {
  const std::size_t slots = std::bit_ceil(merges + merges / 2 + 2);
  if (slots > slots_.size()) grow(slots);
  joined_.reserve(merges);
}

void BpeMerges::grow(std::size_t slots) {
  const std::vector<std::uint64_t> old =
      std::exchange(slots_, std::vector<std::uint64_t>(slots, kFree));
  shift_ = 64U - static_cast<unsigned>(std::countr_zero(slots));
  for (const std::uint64_t slot : old) {
    if (slot != kFree) slots_[place_of(slot >> kRankBits)] = slot;
  }
}

std::size_t BpeMerges::place_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home_of(pair);
  while (slots_[at] != kFree && (slots_[at] >> kRankBits) != pair) at = (at + 1) & mask;
  return at;
}

void BpeMerges::add(TokenId left, TokenId right, TokenId joined) {
  if (3 * (taken_ + 1) > 2 * slots_.size()) grow(2 * slots_.size());
  const std::uint64_t pair = pair_of(left, right);
  std::uint64_t& slot = slots_[place_of(pair)];
  if (slot == kFree) ++taken_;
  note_in_pair(left);
  note_in_pair(right);
  slot = (pair << kRankBits) | joined_.size();
  joined_.push_back(joined);
}

void BpeMerges::note_in_pair(TokenId id) {
  const auto index = static_cast<std::size_t>(id);
  if (index >= in_some_pair_.size()) in_some_pair_.resize(std::max(index + 1, 2 * index));
  in_some_pair_[index] = 1;
}

void BpeMerges::merge(std::vector<TokenId>& symbols, Scratch& scratch) const {
  if (symbols.size() <= kShortSymbols) {
    symbols.resize(merge_short(symbols, scratch));
    return;
  }
  // No merge reaches over a symbol that is in no pair: what lies between such is merged by itself.
  std::size_t kept = 0;
  for (std::size_t begin = 0; begin < symbols.size();) {
    std::size_t end = begin;
    while (end < symbols.size() && is_in_some_pair(symbols[end])) ++end;
    const std::size_t left = merge_row(std::span(symbols).subspan(begin, end - begin), scratch);
    for (std::size_t i = begin; i < begin + left; ++i) symbols[kept++] = symbols[i];
    for (; end < symbols.size() && !is_in_some_pair(symbols[end]); ++end) {
      symbols[kept++] = symbols[end];
    }
    begin = end;
  }
  symbols.resize(kept);
}

std::size_t BpeMerges::merge_row(std::span<TokenId> row, Scratch& scratch) const {
  if (row.size() <= kShortSymbols) return merge_short(row, scratch);
  const std::size_t left = merge_long(row, scratch);
  if (row.size() > kKeptSymbols) scratch = {};
  return left;
}

std::size_t BpeMerges::merge_short(std::span<TokenId> row, Scratch& scratch) const {
  if (row.size() < 2) return row.size();
  std::vector<Rank>& ranks = scratch.ranks;  // ranks[i]: of symbols i and i + 1
  ranks.resize(row.size() - 1);
  for (std::size_t i = 0; i < ranks.size(); ++i) ranks[i] = find(row[i], row[i + 1]);
  while (!ranks.empty()) {
    const auto best = std::min_element(ranks.begin(), ranks.end());
    if (*best == kNoMerge) break;
    const auto at = static_cast<std::size_t>(best - ranks.begin());
    row[at] = joined_[*best];
    std::copy(row.begin() + static_cast<std::ptrdiff_t>(at) + 2, row.end(),
              row.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    row = row.first(row.size() - 1);
    ranks.erase(best);
    if (at < ranks.size()) ranks[at] = find(row[at], row[at + 1]);
    if (at > 0) ranks[at - 1] = find(row[at - 1], row[at]);
  }
  return row.size();
}

std::size_t BpeMerges::merge_long(std::span<TokenId> row, Scratch& scratch) const {
  const auto count = static_cast<std::uint32_t>(row.size());
  std::vector<Rank>& ranks = scratch.ranks;  // of a symbol and the next; kNoMerge where it is gone
  std::vector<std::uint32_t>& next = scratch.next;
  std::vector<std::uint32_t>& previous = scratch.previous;
  ranks.resize(count);
  next.resize(count);
  previous.resize(count);

  MergeQueue queue;
  const auto look_at_pair = [&](std::uint32_t at) {
    ranks[at] = next[at] == kNoSymbol ? kNoMerge : find(row[at], row[next[at]]);
    if (ranks[at] != kNoMerge) queue.push({.rank = ranks[at], .position = at});
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1 < count ? i + 1 : kNoSymbol;
    previous[i] = i > 0 ? i - 1 : kNoSymbol;
    look_at_pair(i);
  }
  while (const auto entry = queue.pop()) {
    const std::uint32_t at = entry->position;
    // Entries are not taken back: one whose pair has changed since is of another rank now.
    if (ranks[at] != entry->rank) continue;
    const std::uint32_t gone = next[at];
    row[at] = joined_[ranks[at]];
    ranks[gone] = kNoMerge;
    next[at] = next[gone];
    if (next[at] != kNoSymbol) previous[next[at]] = at;
    look_at_pair(at);
    if (previous[at] != kNoSymbol) look_at_pair(previous[at]);
  }
  std::size_t kept = 0;
  for (std::uint32_t at = 0; at != kNoSymbol; at = next[at]) row[kept++] = row[at];
  return kept;
}

}  // namespace hangar
