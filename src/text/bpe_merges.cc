#include "text/bpe_merges.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "text/merge_queue.h"

namespace hangar {
namespace {

// Up to here looking at all pairs for each merge beats keeping a queue; nearly every piece is
// shorter.
constexpr std::size_t kShortSymbols = 64;
constexpr std::size_t kKeptSymbols = std::size_t{1} << 16U;  // a Scratch keeps room for so many
constexpr std::uint32_t kNoSymbol = UINT32_MAX;
constexpr BpeMerges::Merge kNoMerge = std::numeric_limits<BpeMerges::Merge>::max();

std::uint32_t rank_of(BpeMerges::Merge merge) {
  return static_cast<std::uint32_t>(merge >> 32U);
}

TokenId joined_of(BpeMerges::Merge merge) {
  return static_cast<TokenId>(static_cast<std::uint32_t>(merge));
}

}  // namespace

void BpeMerges::reserve(std::size_t merges) {
  const std::size_t slots = std::bit_ceil(merges + merges / 2 + 2);
  if (slots > slots_.size()) grow(slots);
}

void BpeMerges::grow(std::size_t slots) {
  std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots));
  shift_ = 64U - static_cast<unsigned>(std::countr_zero(slots));
  for (const Slot& slot : old) {
    if (slot.left >= 0) slot_of(slot.left, slot.right) = slot;
  }
}

BpeMerges::Slot& BpeMerges::slot_of(TokenId left, TokenId right) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home_of(left, right);
  while (slots_[at].left >= 0 && (slots_[at].left != left || slots_[at].right != right)) {
    at = (at + 1) & mask;
  }
  return slots_[at];
}

void BpeMerges::add(TokenId left, TokenId right, TokenId joined) {
  if (3 * (taken_ + 1) > 2 * slots_.size()) grow(2 * slots_.size());
  Slot& slot = slot_of(left, right);
  if (slot.left < 0) ++taken_;
  note_in_pair(left);
  note_in_pair(right);
  slot = {.left = left,
          .right = right,
          .merge = (static_cast<Merge>(added_) << 32U) | static_cast<std::uint32_t>(joined)};
  ++added_;
}

BpeMerges::Merge BpeMerges::find(TokenId left, TokenId right) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = home_of(left, right);; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.left == left && slot.right == right) return slot.merge;
    if (slot.left < 0) return kNoMerge;
  }
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
  std::vector<Merge>& merges = scratch.merges;  // merges[i]: of symbols i and i + 1
  merges.resize(row.size() - 1);
  for (std::size_t i = 0; i < merges.size(); ++i) merges[i] = find(row[i], row[i + 1]);
  while (!merges.empty()) {
    const auto best = std::min_element(merges.begin(), merges.end());
    if (*best == kNoMerge) break;
    const auto at = static_cast<std::size_t>(best - merges.begin());
    row[at] = joined_of(*best);
    std::copy(row.begin() + static_cast<std::ptrdiff_t>(at) + 2, row.end(),
              row.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    row = row.first(row.size() - 1);
    merges.erase(best);
    if (at < merges.size()) merges[at] = find(row[at], row[at + 1]);
    if (at > 0) merges[at - 1] = find(row[at - 1], row[at]);
  }
  return row.size();
}

std::size_t BpeMerges::merge_long(std::span<TokenId> row, Scratch& scratch) const {
  const auto count = static_cast<std::uint32_t>(row.size());
  std::vector<Merge>& merges =
      scratch.merges;  // of a symbol and the next; kNoMerge where it is gone
  std::vector<std::uint32_t>& next = scratch.next;
  std::vector<std::uint32_t>& previous = scratch.previous;
  merges.resize(count);
  next.resize(count);
  previous.resize(count);

  MergeQueue queue;
  const auto look_at_pair = [&](std::uint32_t at) {
    merges[at] = next[at] == kNoSymbol ? kNoMerge : find(row[at], row[next[at]]);
    if (merges[at] != kNoMerge) queue.push({.rank = rank_of(merges[at]), .position = at});
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1 < count ? i + 1 : kNoSymbol;
    previous[i] = i > 0 ? i - 1 : kNoSymbol;
    look_at_pair(i);
  }
  while (const auto entry = queue.pop()) {
    const std::uint32_t at = entry->position;
    // Entries are not taken back: one whose pair has changed since is of another rank now.
    if (merges[at] == kNoMerge || rank_of(merges[at]) != entry->rank) continue;
    const std::uint32_t gone = next[at];
    row[at] = joined_of(merges[at]);
    merges[gone] = kNoMerge;
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
