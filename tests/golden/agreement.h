// Agreement: how far one set of logits is from another of the same positions.
//
// Promise: kl is KL(reference || other) over the whole vocabulary. Two choose differently where
//   their largest logits are of different tokens. Such a difference is a near-tie where the
//   reference's two best are no further apart than gap_error: the most by which the gap between
//   these two is off, where both choose the same. A NaN anywhere makes kl_mean and kl_max NaN.
// Units: KL in nats; gaps in logits.
// Errors: none; both have the same vocabulary and lengths.
// Threads: values; agreement() computes on all processors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hangar::golden {

// Of every position of some sequences.
class Logits {
 public:
  Logits(std::size_t vocabulary, std::span<const std::int32_t> lengths);

  void set(std::size_t sequence, std::size_t position, std::span<const float> logits);
  std::span<const float> at(std::size_t sequence, std::size_t position) const;
  std::size_t sequences() const { return lengths_.size(); }
  std::size_t length(std::size_t sequence) const { return lengths_[sequence]; }

 private:
  std::size_t vocabulary_ = 0;
  std::vector<std::size_t> lengths_;
  std::vector<std::size_t> first_;  // place of each sequence's first position
  std::vector<float> values_;
};

struct Agreement {
  std::size_t positions = 0;
  double kl_mean = 0.0;
  double kl_max = 0.0;
  std::size_t worst_sequence = 0;  // where kl_max is
  std::size_t worst_position = 0;
  float gap_error = 0.0F;
  std::size_t differ = 0;         // positions that choose differently
  std::size_t near_ties = 0;      // of these
  float widest_differing = 0.0F;  // the reference's largest gap among these

  double same_choice() const;  // share of the positions
};

Agreement agreement(const Logits& reference, const Logits& other);

// One position's; both of one vocabulary.
double whole_kl_divergence(std::span<const float> reference, std::span<const float> other);

std::size_t choice(std::span<const float> logits);  // the largest one's token; of equals the first

}  // namespace hangar::golden
