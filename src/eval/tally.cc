#include "eval/tally.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hangar {

void Tally::add(double negative_log_likelihood, double weight) {
  count_ += weight;
  sum_ += weight * negative_log_likelihood;
  sum_of_squares_ += weight * negative_log_likelihood * negative_log_likelihood;
}

void Tally::add(const Tally& other) {
  count_ += other.count_;
  sum_ += other.sum_;
  sum_of_squares_ += other.sum_of_squares_;
}

double Tally::mean() const {
  return count_ > 0.0 ? sum_ / count_ : std::numeric_limits<double>::quiet_NaN();
}

double Tally::perplexity() const {
  return std::exp(mean());
}

double Tally::standard_error() const {
  if (count_ <= 1.0) return 0.0;
  const double variance = std::max(0.0, sum_of_squares_ / count_ - mean() * mean());
  return perplexity() * std::sqrt(variance / (count_ - 1.0));
}

}  // namespace hangar
