#include "backend/cuda/sampling_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace hangar::cuda {
namespace {

constexpr std::size_t kParamWords = sizeof(RowParams) / sizeof(std::uint32_t);
static_assert(sizeof(RowParams) % sizeof(std::uint32_t) == 0);
constexpr std::size_t kUsualListWords = std::size_t{1} << 20U;
constexpr std::int32_t kUsualTops = 20;

bool punishes_repetition(const SampleRow& row) {
  return row.repetition_penalty != 1.0F && (!row.seen.empty() || row.pending >= 0);
}

bool punishes_counts(const SampleRow& row) {
  return (row.presence_penalty != 0.0F || row.frequency_penalty != 0.0F) &&
         (!row.counts.empty() || row.pending >= 0);
}

// What of a row's lists has an effect.
struct Lists {
  std::span<const std::pair<std::int32_t, float>> bias;
  std::span<const std::int32_t> seen;
  std::span<const TokenCount> counts;
  std::span<const std::int32_t> banned;
  bool adjusts = false;

  explicit Lists(const SampleRow& row) {
    if (row.forced >= 0) return;
    bias = row.bias;
    banned = row.banned;
    if (punishes_repetition(row)) seen = row.seen;
    if (punishes_counts(row)) counts = row.counts;
    adjusts = !bias.empty() || !banned.empty() || punishes_repetition(row) || punishes_counts(row);
  }
  std::size_t words() const {
    return 2 * bias.size() + seen.size() + 2 * counts.size() + banned.size();
  }
};

RowParams params_of(const SampleRow& row, std::int32_t vocabulary, bool adjusts) {
  RowParams params;
  params.flags = kRowActive;
  params.row = row.row;
  params.forced = row.forced;
  if (row.logprobs >= 0) {
    params.flags |= kRowScored;
    params.tops = std::min(row.logprobs, vocabulary);
  }
  if (row.forced >= 0) {
    params.flags |= kRowForced;
    return params;
  }
  if (adjusts) params.flags |= kRowAdjusts;
  params.repetition = row.repetition_penalty;
  params.presence = row.presence_penalty;
  params.frequency = row.frequency_penalty;
  params.pending = row.pending;
  const float inverse = 1.0F / row.temperature;
  if (!(row.temperature > 0.0F) || !std::isfinite(inverse) || row.top_k == 1) {
    params.flags |= kRowGreedy;
    return params;
  }
  // Never zero, nor infinite: minus infinity times it stays that.
  params.inverse_temperature = std::max(inverse, std::numeric_limits<float>::denorm_min());
  params.temperature = std::min(row.temperature, std::numeric_limits<float>::max());
  params.top_k = row.top_k > 0 && row.top_k < vocabulary ? row.top_k : 0;
  params.top_p = std::min(row.top_p, 1.0F);
  params.min_p = row.min_p;
  params.uniform = row.uniform;
  if (params.top_k > 0 || params.top_p < 1.0F || params.min_p > 0.0F) params.flags |= kRowFront;
  return params;
}

// Fills a plan's words from a place on.
class ListWriter {
 public:
  ListWriter(std::uint32_t* words, std::size_t& at) : words_(words), at_(at) {}

  WordList tokens(std::span<const std::int32_t> list) {
    const WordList written{static_cast<std::int32_t>(at_), static_cast<std::int32_t>(list.size())};
    if (!list.empty()) std::memcpy(words_ + at_, list.data(), list.size_bytes());
    at_ += list.size();
    return written;
  }
  template <typename Pair, typename Split>
  WordList pairs(std::span<const Pair> list, Split split) {
    const WordList written{static_cast<std::int32_t>(at_), static_cast<std::int32_t>(list.size())};
    for (const Pair& pair : list) {
      const auto [token, value] = split(pair);
      words_[at_++] = static_cast<std::uint32_t>(token);
      static_assert(sizeof(value) == sizeof(std::uint32_t));
      std::memcpy(words_ + at_++, &value, sizeof(value));
    }
    return written;
  }

 private:
  std::uint32_t* words_;
  std::size_t& at_;
};

}  // namespace

SampleRoom SampleRoom::of(std::int32_t vocabulary, std::int32_t rows) {
  SampleRoom room;
  room.vocabulary = vocabulary;
  room.rows = rows;
  // One row with every list as long as the vocabulary.
  const std::size_t longest = 6 * static_cast<std::size_t>(vocabulary);
  room.words = static_cast<std::size_t>(rows) * kParamWords + std::max(kUsualListWords, longest);
  room.tops = std::max(rows * kUsualTops, kMostTops);
  return room;
}

void SamplePlan::pack(std::span<const SampleRow> rows, std::size_t first, std::int32_t padded_rows,
                      std::uint32_t* words) {
  const auto most = std::min(rows.size() - first, static_cast<std::size_t>(room_.rows));
  const std::int32_t room_for_rows =
      std::clamp(padded_rows, static_cast<std::int32_t>(most), room_.rows);
  used_ = static_cast<std::size_t>(room_for_rows) * kParamWords;
  taken_ = 0;
  tops_ = 0;
  greedy_ = true;
  while (static_cast<std::size_t>(taken_) < most &&
         add(rows[first + static_cast<std::size_t>(taken_)],
             first + static_cast<std::size_t>(taken_), first > 0, words)) {
  }
  for (std::int32_t i = 0; i < taken_; ++i) {
    uses_[static_cast<std::size_t>(rows[first + static_cast<std::size_t>(i)].row)] = Use::kFree;
  }
  padded_rows_ = std::max(taken_, std::min(padded_rows, room_.rows));
  std::fill(words + static_cast<std::size_t>(taken_) * kParamWords,
            words + static_cast<std::size_t>(padded_rows_) * kParamWords, 0U);
}

bool SamplePlan::add(const SampleRow& row, std::size_t place, bool later, std::uint32_t* words) {
  const Lists lists(row);
  const auto logits_row = static_cast<std::size_t>(row.row);
  if (logits_row >= uses_.size()) uses_.resize(logits_row + 1, Use::kFree);
  Use& use = uses_[logits_row];
  if (use == Use::kChanged || (use == Use::kRead && lists.adjusts)) return false;
  RowParams params = params_of(row, room_.vocabulary, lists.adjusts);
  if (params.tops > kMostTops) {
    throw std::invalid_argument("more log-probabilities beside a token than the card's kernel has");
  }
  if (params.tops > room_.tops - tops_) return false;
  if (lists.words() > room_.words - used_) {
    if (taken_ == 0) throw std::length_error("a row's penalties and biases do not fit the card");
    return false;
  }
  use = lists.adjusts ? Use::kChanged : Use::kRead;
  params.place = static_cast<std::int32_t>(place);
  if (later) params.flags |= kRowPendingKept;
  params.first_top = tops_;
  tops_ += params.tops;
  ListWriter writer(words, used_);
  params.bias = writer.pairs(lists.bias, [](const auto& pair) { return pair; });
  params.counts = writer.pairs(lists.counts, [](const TokenCount& counted) {
    return std::pair(counted.token, counted.count);
  });
  params.seen = writer.tokens(lists.seen);
  params.banned = writer.tokens(lists.banned);
  std::memcpy(words + static_cast<std::size_t>(taken_) * kParamWords, &params, sizeof(params));
  constexpr std::uint32_t kSimple = kRowActive | kRowForced | kRowGreedy | kRowPendingKept;
  const bool known = (params.flags & (kRowForced | kRowGreedy)) != 0;
  greedy_ = greedy_ && known && (params.flags & ~kSimple) == 0;
  ++taken_;
  return true;
}

}  // namespace hangar::cuda
