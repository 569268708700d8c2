#include "backend/testing/ahead_backend.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace hangar::testing {

void AheadBackend::embed(Activation out, const Weight& table, std::span<const std::int32_t> ids) {
  std::vector<std::int32_t> known(ids.begin(), ids.end());
  for (std::int32_t& id : known) {
    if (id < 0) id = last_.at(static_cast<std::size_t>(-1 - id));
  }
  TimedBackend::embed(out, table, known);
}

void AheadBackend::start_sample(Activation logits, std::span<const SampleRow> rows) {
  if (kept_back_.size() >= 2) throw std::logic_error("three steps are under way");
  std::vector<SampleRow> known(rows.begin(), rows.end());
  std::deque<std::vector<std::int32_t>> seen;
  std::deque<std::vector<TokenCount>> counts;
  for (SampleRow& row : known) {
    if (row.pending < 0) continue;
    const std::int32_t token = last_.at(static_cast<std::size_t>(row.pending));
    row.pending = -1;
    std::vector<std::int32_t>& all = seen.emplace_back(row.seen.begin(), row.seen.end());
    if (std::ranges::find(all, token) == all.end()) all.push_back(token);
    row.seen = all;
    std::vector<TokenCount>& counted = counts.emplace_back(row.counts.begin(), row.counts.end());
    const auto at = std::ranges::find(counted, token, &TokenCount::token);
    if (at == counted.end()) {
      counted.push_back({token, 1});
    } else {
      ++at->count;
    }
    row.counts = counted;
  }
  std::vector<Sampled>& drawn = kept_back_.emplace_back(rows.size());
  if (!known.empty()) sample(logits, known, drawn);
  last_.clear();
  for (const Sampled& one : drawn) last_.push_back(one.token);
}

void AheadBackend::finish_sample(std::span<Sampled> out) {
  if (kept_back_.empty()) throw std::logic_error("no step is under way");
  std::ranges::move(kept_back_.front(), out.begin());
  kept_back_.pop_front();
}

}  // namespace hangar::testing
