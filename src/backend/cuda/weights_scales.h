// ScalePool: where the scales of FP8 weights lie on the card.
//
// Promise: scales of weights taken one after the other with equal columns lie directly behind one
//   another, as the weights do: a run of them begins a new piece of memory where the one at hand
//   has not room for kRunRows (q, k, v, the output, gate and up of the largest models have fewer).
//   A run that is longer goes on elsewhere. A run begins at a multiple of 16 bytes.
// Units: rows; a scale is a float32.
// Errors: nullptr: `take` has no more.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace hangar::cuda {

// nullptr: so much is not left.
using TakeMemory = std::function<void*(std::size_t bytes, std::size_t alignment)>;

class ScalePool {
 public:
  static constexpr std::int64_t kRunRows = std::int64_t{1} << 18U;
  static constexpr std::int64_t kPieceRows = std::int64_t{1} << 19U;  // of memory taken at once

  explicit ScalePool(TakeMemory take);
  float* take(std::int64_t rows, std::int64_t columns);

 private:
  TakeMemory take_;
  float* next_ = nullptr;
  std::int64_t left_rows_ = 0;
  std::int64_t columns_ = 0;  // of the run
};

}  // namespace hangar::cuda
