// Bf16Rows: activations as bf16, in one plane or two, in the order that tiles of 16 rows by 32
// columns are read in.
//
// Promise: high = x rounded to bf16 (half to even), |x - high| <= 2^-8 |x|; low = x - high rounded
//   likewise, |x - high - low| <= 2^-16 |x|. (Above 3.39e38 high is infinite and low no number.)
//   Columns beyond x up to a multiple of 32 are zero; rows up to a multiple of 16 are any numbers.
// Shapes: each plane [rows / 16][columns / 32][16][32], both rounded up.
// Threads: round_bf16_row may run for different rows at once.
#pragma once

#include <cstdint>

#include "backend/cpu/dense_panels.h"
#include "backend/host_memory.h"
#include "base/result.h"

namespace hangar::cpu {

inline constexpr std::int64_t kTileRows = 16;
inline constexpr std::int64_t kTileElements = kTileRows * kBf16Block;

struct Bf16Rows {
  std::int64_t columns = 0;
  std::uint16_t* high = nullptr;
  std::uint16_t* low = nullptr;

  std::int64_t blocks() const { return (columns + kBf16Block - 1) / kBf16Block; }
  // The first of `row`'s 32 elements in the first block of columns, from the plane's begin; those
  // of the next block lie kTileElements on.
  std::int64_t row_at(std::int64_t row) const {
    return row / kTileRows * blocks() * kTileElements + row % kTileRows * kBf16Block;
  }
};

// Memory for Bf16Rows, kept between calls and grown when a step is larger than any before.
class Bf16RowsBuffer {
 public:
  Status reserve(std::int64_t rows, std::int64_t columns);
  // reserve(rows, columns) has succeeded, now or for something larger.
  Bf16Rows view(std::int64_t rows, std::int64_t columns) const;

 private:
  static std::int64_t plane_elements(std::int64_t rows, std::int64_t columns);
  HostMemory memory_;
};

// The low plane only where it is asked for.
void round_bf16_row(const Bf16Rows& to, std::int64_t row, const float* x, bool low);

}  // namespace hangar::cpu
