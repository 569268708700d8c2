// SamplePlan: SampleRows packed into the words that the sampling kernels read.
//
// Promise: pack() takes rows from `first` on, as many as one launch can serve, at least one: no
//   more than `rows`, whose lists and log-probabilities fit the room there is, and no row of logits
//   twice where one of the SampleRows changes it on the way. Lists that change nothing are left
//   out. Behind the rows come `padded_rows - taken` that ask nothing.
//   A pending token is counted once more in `counts`, and as seen once where `seen` lacks it.
// Units: words of 32 bits.
// Errors: std::invalid_argument for more log-probabilities than kMostTops; std::length_error for
//   one row whose lists do not fit by themselves (each list is at most as long as the vocabulary
//   where no token comes twice, and such lists do).
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/cuda/sampling_arrays.h"
#include "backend/sampling.h"

namespace hangar::cuda {

struct SampleRoom {
  std::int32_t vocabulary = 0;
  std::int32_t rows = 0;  // of one launch
  std::size_t words = 0;  // of the plan
  std::int32_t tops = 0;  // log-probabilities beside the tokens, of all rows together
  // For so many rows; room for long lists.
  static SampleRoom of(std::int32_t vocabulary, std::int32_t rows);
};

class SamplePlan {
 public:
  explicit SamplePlan(const SampleRoom& room) : room_(room) {}

  // `words` has room_.words.
  void pack(std::span<const SampleRow> rows, std::size_t first, std::int32_t padded_rows,
            std::uint32_t* words);

  std::int32_t taken() const { return taken_; }
  std::int32_t padded_rows() const { return padded_rows_; }
  std::size_t used_words() const { return used_; }
  std::int32_t tops() const { return tops_; }
  // All rows are forced or greedy, and want nothing else: pick_greedy serves them.
  bool greedy() const { return greedy_; }

 private:
  enum class Use : std::uint8_t { kFree, kRead, kChanged };
  bool add(const SampleRow& row, std::size_t place, bool later, std::uint32_t* words);

  SampleRoom room_;
  std::vector<Use> uses_;  // of the rows of logits
  std::int32_t taken_ = 0;
  std::int32_t padded_rows_ = 0;
  std::size_t used_ = 0;
  std::int32_t tops_ = 0;
  bool greedy_ = true;
};

}  // namespace hangar::cuda
