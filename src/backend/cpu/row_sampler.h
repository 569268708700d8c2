// RowSampler: one row of logits to a token, as Backend::sample says.
//
// Promise: the result depends on the row's logits and its SampleRow alone. Nothing but a few
//   candidates is ever sorted: the likeliest k lie in the k blocks of the largest maxima; top_p
//   leaves away what weighs too little to matter before it looks for the cut.
// Threads: one row at a time; each thread has its own.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "backend/cpu/sampling_kernels.h"
#include "backend/sampling.h"

namespace hangar::cpu {

class RowSampler {
 public:
  // Logits are changed on the way and are what they were in the end.
  void sample(std::span<float> logits, const SampleRow& row, Sampled& out);

 private:
  using Logits = std::span<const float>;
  void reserve(std::size_t n);
  void find_maxima(Logits logits);
  std::int32_t likeliest(Logits logits) const;
  std::int32_t draw(Logits logits, const SampleRow& row);
  std::int32_t draw_from_all(Logits logits, const Weighing& weighing, double uniform);
  std::int32_t draw_from_front(Logits logits, const SampleRow& row, const Weighing& weighing);
  double sum_candidates(float least);
  float bound_of_likeliest(std::int64_t count);
  void collect(Logits logits, float least);
  void score(Logits logits, std::int32_t top, Sampled& out);

  std::vector<float> maxima_;  // of the blocks
  float largest_ = 0.0F;       // of maxima_
  std::vector<double> sums_;   // of the blocks' weights
  // Room for all tokens, not written before it is used: mostly a few candidates are.
  std::size_t room_ = 0;
  std::unique_ptr<std::int32_t[]> ids_;
  std::unique_ptr<float[]> logits_;
  std::unique_ptr<float[]> weights_;
  TokenList candidates_;  // in the three above
  std::unique_ptr<float[]> values_;
  std::unique_ptr<float[]> value_weights_;
  std::vector<std::pair<std::int32_t, float>> changed_;  // logits as they were
};

}  // namespace hangar::cpu
