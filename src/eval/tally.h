// Tally: log-likelihoods of tokens added up, and the perplexity that they give.
//
// Promise: perplexity is e^mean of the negative log-likelihoods; standard_error that of the
//   perplexity: its derivative times the mean's standard error, sqrt(variance / (count - 1)).
//   Weights count a token as so many; a tally of nothing has a perplexity of NaN.
// Units: nats.
// Errors: none.
// Threads: a value.
#pragma once

#include <cstdint>

namespace hangar {

class Tally {
 public:
  void add(double negative_log_likelihood, double weight);
  void add(const Tally& other);

  double count() const { return count_; }  // sum of the weights
  double mean() const;
  double perplexity() const;
  double standard_error() const;  // 0 where there are fewer than two

 private:
  double count_ = 0.0;
  double sum_ = 0.0;
  double sum_of_squares_ = 0.0;
};

}  // namespace hangar
