#include "golden/agreement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

namespace hangar::golden {
namespace {

double log_sum_exp(std::span<const float> logits, float peak) {
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(logit - peak);
  return peak + std::log(sum);
}

std::size_t second_choice(std::span<const float> logits, std::size_t first) {
  std::size_t best = first == 0 ? 1 : 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (i != first && logits[i] > logits[best]) best = i;
  }
  return best;
}

struct OfPosition {
  double kl = 0.0;
  bool same = false;
  float gap = 0.0F;        // between the reference's two best
  float gap_error = 0.0F;  // of the other's, between the same two
};

OfPosition compare(std::span<const float> reference, std::span<const float> other) {
  const std::size_t first = choice(reference);
  const std::size_t second = second_choice(reference, first);
  OfPosition found;
  found.kl = whole_kl_divergence(reference, other);
  found.same = choice(other) == first;
  found.gap = reference[first] - reference[second];
  found.gap_error = std::abs(other[first] - other[second] - found.gap);
  return found;
}

}  // namespace

Logits::Logits(std::size_t vocabulary, std::span<const std::int32_t> lengths)
    : vocabulary_(vocabulary) {
  std::size_t positions = 0;
  for (const std::int32_t length : lengths) {
    lengths_.push_back(static_cast<std::size_t>(length));
    first_.push_back(positions);
    positions += lengths_.back();
  }
  // What is never set is seen.
  values_.assign(positions * vocabulary, std::numeric_limits<float>::quiet_NaN());
}

void Logits::set(std::size_t sequence, std::size_t position, std::span<const float> logits) {
  const std::size_t place = (first_[sequence] + position) * vocabulary_;
  std::copy_n(logits.begin(), vocabulary_, values_.begin() + static_cast<std::ptrdiff_t>(place));
}

std::span<const float> Logits::at(std::size_t sequence, std::size_t position) const {
  return std::span(values_).subspan((first_[sequence] + position) * vocabulary_, vocabulary_);
}

std::size_t choice(std::span<const float> logits) {
  return static_cast<std::size_t>(std::ranges::max_element(logits) - logits.begin());
}

double whole_kl_divergence(std::span<const float> reference, std::span<const float> other) {
  const float peak = *std::ranges::max_element(reference);
  const double reference_total = log_sum_exp(reference, peak);
  const double other_total = log_sum_exp(other, *std::ranges::max_element(other));
  // KL = sum p (log p - log q), and the p add up to 1.
  double sum = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const float weight = std::exp(reference[i] - peak);
    // What is impossible takes no part; a NaN does.
    if (weight != 0.0F) sum += weight * (static_cast<double>(reference[i]) - other[i]);
  }
  return sum * std::exp(peak - reference_total) - reference_total + other_total;
}

double Agreement::same_choice() const {
  return 1.0 - static_cast<double>(differ) / static_cast<double>(positions);
}

Agreement agreement(const Logits& reference, const Logits& other) {
  struct Place {
    std::size_t sequence, position;
  };
  std::vector<Place> places;
  for (std::size_t s = 0; s < reference.sequences(); ++s) {
    for (std::size_t p = 0; p < reference.length(s); ++p) places.push_back({s, p});
  }
  std::vector<OfPosition> found(places.size());
  {
    const std::size_t threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 16);
    std::vector<std::jthread> workers;
    for (std::size_t t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        for (std::size_t i = t; i < places.size(); i += threads) {
          const auto [sequence, position] = places[i];
          found[i] = compare(reference.at(sequence, position), other.at(sequence, position));
        }
      });
    }
  }
  Agreement all;
  all.positions = places.size();
  for (std::size_t i = 0; i < places.size(); ++i) {
    all.kl_mean += found[i].kl / static_cast<double>(places.size());
    const bool worse = !std::isnan(all.kl_max) && !(found[i].kl <= all.kl_max);  // or a NaN
    if (i == 0 || worse) {
      all.kl_max = found[i].kl;
      all.worst_sequence = places[i].sequence;
      all.worst_position = places[i].position;
    }
    if (found[i].same) all.gap_error = std::max(all.gap_error, found[i].gap_error);
  }
  for (const OfPosition& one : found) {
    if (one.same) continue;
    ++all.differ;
    if (one.gap <= all.gap_error) ++all.near_ties;
    all.widest_differing = std::max(all.widest_differing, one.gap);
  }
  return all;
}

}  // namespace hangar::golden
