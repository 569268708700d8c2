#include "backend/cpu/row_sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "backend/cpu/token_cut.h"
#include "backend/logit_adjustments.h"

namespace hangar::cpu {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

bool likelier(const TokenLogprob& a, const TokenLogprob& b) {
  return a.logprob > b.logprob || (a.logprob == b.logprob && a.token < b.token);
}

// Every token that adjust_logits may change, with its logit.
void remember(std::span<const float> logits, const SampleRow& row,
              std::vector<std::pair<std::int32_t, float>>& changed) {
  changed.clear();
  const auto keep = [&](std::int32_t token) {
    if (token >= 0 && static_cast<std::size_t>(token) < logits.size()) {
      changed.emplace_back(token, logits[static_cast<std::size_t>(token)]);
    }
  };
  for (const auto& [token, bias] : row.bias) keep(token);
  for (const std::int32_t token : row.seen) keep(token);
  for (const TokenCount& seen : row.counts) keep(seen.token);
  for (const std::int32_t token : row.banned) keep(token);
}

double sum_of(std::span<const double> sums) {
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

template <typename T>
std::span<const T> first(const T* values, std::int64_t count) {
  return {values, static_cast<std::size_t>(count)};
}

// Where a draw falls: the block, and how much of its weight comes before the draw.
struct Place {
  std::int64_t index = 0;
  double left = 0.0;
};

// The first block with which the sums pass uniform * their total; the last of any weight where
// rounding keeps them from it.
Place block_of_draw(std::span<const double> sums, double uniform) {
  const double wanted = uniform * sum_of(sums);
  Place place;
  double sum = 0.0;
  for (std::size_t i = 0; i < sums.size() && !(sum > wanted); ++i) {
    if (!(sums[i] > 0.0)) continue;
    place = {static_cast<std::int64_t>(i), wanted - sum};
    sum += sums[i];
  }
  return place;
}

// The first weight with which those of at least `least` pass `left`; the last of them likewise; -1
// where there are none.
std::int64_t place_of_draw(std::span<const float> weights, float least, double left) {
  std::int64_t place = -1;
  double sum = 0.0;
  for (std::size_t i = 0; i < weights.size() && !(place >= 0 && sum > left); ++i) {
    if (!(weights[i] > 0.0F) || weights[i] < least) continue;
    place = static_cast<std::int64_t>(i);
    sum += static_cast<double>(weights[i]);
  }
  return place;
}

}  // namespace

void RowSampler::sample(std::span<float> logits, const SampleRow& row, Sampled& out) {
  reserve(logits.size());
  out.token = row.forced;
  out.has_logprob = row.logprobs >= 0;
  out.logprob = 0.0F;
  out.top.clear();
  if (row.forced < 0 && adjusts(row)) {
    remember(logits, row, changed_);
    adjust_logits(logits, row);
    find_maxima(logits);
    out.token = draw(logits, row);
    // All were remembered before any was changed.
    for (const auto& [token, logit] : changed_) logits[static_cast<std::size_t>(token)] = logit;
    if (row.logprobs >= 0) find_maxima(logits);
  } else {
    find_maxima(logits);
    if (row.forced < 0) out.token = draw(logits, row);
  }
  if (row.logprobs >= 0) score(logits, row.logprobs, out);
}

void RowSampler::reserve(std::size_t n) {
  const std::size_t padded = n + static_cast<std::size_t>(kTokenPadding);
  if (room_ < padded) {
    ids_ = std::make_unique_for_overwrite<std::int32_t[]>(padded);
    for (auto* floats : {&logits_, &weights_, &values_, &value_weights_}) {
      *floats = std::make_unique_for_overwrite<float[]>(padded);
    }
    room_ = padded;
  }
  const auto blocks = static_cast<std::size_t>(token_blocks(static_cast<std::int64_t>(n)));
  maxima_.resize(blocks);
  sums_.resize(blocks);
}

void RowSampler::find_maxima(Logits logits) {
  block_maxima(logits.data(), std::ssize(logits), maxima_.data());
  largest_ = *std::ranges::max_element(maxima_);
}

// Needs find_maxima.
std::int32_t RowSampler::draw(Logits logits, const SampleRow& row) {
  if (largest_ == kNever) return 0;
  const float inverse_temperature = 1.0F / row.temperature;
  if (!(row.temperature > 0.0F) || !std::isfinite(inverse_temperature) || row.top_k == 1) {
    return likeliest(logits);
  }
  const bool front = (row.top_k > 0 && row.top_k < std::ssize(logits)) || row.top_p < 1.0F;
  const Weighing weighing{largest_, inverse_temperature, front ? 0.0F : row.min_p};
  return front ? draw_from_front(logits, row, weighing)
               : draw_from_all(logits, weighing, row.uniform);
}

std::int32_t RowSampler::likeliest(Logits logits) const {
  const auto block = std::ranges::find(maxima_, largest_) - maxima_.begin();
  const std::int64_t begin = block * kTokenBlock;
  const std::int64_t count = std::min(std::ssize(logits) - begin, kTokenBlock);
  return static_cast<std::int32_t>(begin + first_equal(logits.data() + begin, count, largest_));
}

std::int32_t RowSampler::draw_from_all(Logits logits, const Weighing& weighing, double uniform) {
  const std::int64_t n = std::ssize(logits);
  sum_weighed(logits.data(), n, weighing, sums_.data());
  const Place at = block_of_draw(sums_, uniform);
  const std::int64_t begin = at.index * kTokenBlock;
  const std::int64_t count = std::min(n - begin, kTokenBlock);
  weigh_logits(logits.data() + begin, count, weighing, weights_.get());
  const std::int64_t place = place_of_draw(first(weights_.get(), count), weighing.least, at.left);
  return place < 0 ? likeliest(logits) : static_cast<std::int32_t>(begin + place);
}

std::int32_t RowSampler::draw_from_front(Logits logits, const SampleRow& row,
                                         const Weighing& weighing) {
  const std::int64_t n = std::ssize(logits);
  const std::int64_t k = row.top_k > 0 && row.top_k < n ? row.top_k : n;
  double total = 0.0;
  if (k < n) {
    collect(logits, bound_of_likeliest(k));
    if (candidates_.count > k) {
      std::copy_n(candidates_.logits, candidates_.count, values_.get());
      keep_front(candidates_,
                 find_cut(values_.get(), nullptr, candidates_.count, static_cast<double>(k)));
    }
  } else {
    sum_weighed(logits.data(), n, weighing, sums_.data());
    total = sum_of(sums_);
    // Were a token of less weight than this in the front, all that follow it in order of value
    // would together weigh less than what the front leaves away.
    const double rest = (1.0 - static_cast<double>(row.top_p)) * total;
    const double least = 0.5 * rest / static_cast<double>(n);
    const double below = std::log(least) / static_cast<double>(weighing.inverse_temperature);
    collect(logits, static_cast<float>(static_cast<double>(largest_) + below));
  }
  const std::int64_t found = candidates_.count;
  weigh_logits(candidates_.logits, found, weighing, candidates_.weights);
  if (row.top_p < 1.0F) {
    if (k < n) total = sum_candidates(0.0F);
    std::copy_n(candidates_.logits, found, values_.get());
    std::copy_n(candidates_.weights, found, value_weights_.get());
    keep_front(candidates_, find_cut(values_.get(), value_weights_.get(), found,
                                     static_cast<double>(row.top_p) * total));
  }
  // The likeliest has weight 1, so a weight is a probability relative to it, as min_p is.
  sum_candidates(row.min_p);
  const std::int64_t blocks = token_blocks(candidates_.count);
  const Place at = block_of_draw(first(sums_.data(), blocks), row.uniform);
  const std::int64_t begin = at.index * kTokenBlock;
  const std::int64_t count = std::min(candidates_.count - begin, kTokenBlock);
  const std::int64_t place =
      place_of_draw(first(weights_.get(), begin + count).subspan(static_cast<std::size_t>(begin)),
                    row.min_p, at.left);
  return place < 0 ? likeliest(logits) : candidates_.ids[begin + place];
}

double RowSampler::sum_candidates(float least) {
  sum_weights(candidates_.weights, candidates_.count, least, sums_.data());
  return sum_of(first(sums_.data(), token_blocks(candidates_.count)));
}

// Each of `count` blocks with the largest maxima holds one token that is at least the last of these
// maxima: so are the `count` likeliest.
float RowSampler::bound_of_likeliest(std::int64_t count) {
  if (count > std::ssize(maxima_)) return kNever;
  float* const values = values_.get();
  std::ranges::copy(maxima_, values);
  float* const last = values + count - 1;
  std::nth_element(values, last, values + std::ssize(maxima_), std::greater<float>());
  return *last;
}

void RowSampler::collect(Logits logits, float least) {
  candidates_ = {ids_.get(), logits_.get(), weights_.get(), 0};
  for (std::size_t block = 0; block < maxima_.size(); ++block) {
    if (maxima_[block] == kNever || !(maxima_[block] >= least)) continue;
    const std::int64_t begin = static_cast<std::int64_t>(block) * kTokenBlock;
    const std::int64_t count = std::min(std::ssize(logits) - begin, kTokenBlock);
    collect_tokens(logits.data() + begin, count, least, static_cast<std::int32_t>(begin),
                   candidates_);
  }
}

void RowSampler::score(Logits logits, std::int32_t top, Sampled& out) {
  sum_weighed(logits.data(), std::ssize(logits), {largest_, 1.0F, 0.0F}, sums_.data());
  const double normaliser = static_cast<double>(largest_) + std::log(sum_of(sums_));
  const auto logprob = [&](float logit) {
    if (!std::isfinite(logit)) return kNever;
    return static_cast<float>(static_cast<double>(logit) - normaliser);
  };
  out.logprob = logprob(logits[static_cast<std::size_t>(out.token)]);
  const std::int64_t wanted = std::min<std::int64_t>(top, std::ssize(logits));
  if (wanted == 0) return;
  collect(logits, bound_of_likeliest(wanted));
  for (std::int64_t i = 0; i < candidates_.count; ++i) {
    out.top.push_back({candidates_.ids[i], candidates_.logits[i]});
  }
  const std::int64_t kept = std::min(wanted, candidates_.count);
  std::partial_sort(out.top.begin(), out.top.begin() + kept, out.top.end(), likelier);
  out.top.resize(static_cast<std::size_t>(kept));
  for (TokenLogprob& entry : out.top) entry.logprob = logprob(entry.logprob);
  // Not finite: the least of all, and all equal.
  for (std::size_t i = 0; std::ssize(out.top) < wanted; ++i) {
    if (!std::isfinite(logits[i])) out.top.push_back({static_cast<std::int32_t>(i), kNever});
  }
}

}  // namespace hangar::cpu
