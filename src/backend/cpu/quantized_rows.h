// QuantizedRows: activations in 8 bits, one scale per row and group of 32 columns.
//
// Promise: x = scale * q + e with |e| <= scale / 2, scale = (largest |x| of the group) / 127; a
//   group whose largest |x| is below 1e-30 is taken as zero. Rounds half to even. A row's numbers
//   depend on that row alone. Beside them the sums that integer weights with a zero point or a
//   minimum need.
// Shapes: {rows, columns}, columns a multiple of 32.
// Threads: quantize_row may run for different rows at once.
#pragma once

#include <cstdint>

#include "backend/host_memory.h"
#include "base/result.h"

namespace hangar::cpu {

inline constexpr std::int64_t kActivationGroup = 32;

struct QuantizedRows {
  std::int64_t columns = 0;
  std::int8_t* values = nullptr;  // [rows][columns]
  // Each [rows][columns / 32], halves [rows][columns / 16]:
  float* scales = nullptr;
  float* scaled_sums = nullptr;              // scale * sum of q
  std::int32_t* minus_8_sums = nullptr;      // -8 * sum of q
  std::int32_t* minus_128_sums = nullptr;    // -128 * sum of q
  std::int32_t* minus_128_halves = nullptr;  // the same for each 16 columns

  std::int64_t groups() const { return columns / kActivationGroup; }
};

// Memory for QuantizedRows, kept between calls and grown when a step is larger than any before.
class QuantizedRowsBuffer {
 public:
  Status reserve(std::int64_t rows, std::int64_t columns);
  // reserve(rows, columns) has succeeded, now or for something larger.
  QuantizedRows view(std::int64_t rows, std::int64_t columns) const;

 private:
  static std::int64_t bytes_needed(std::int64_t rows, std::int64_t columns);
  HostMemory memory_;
};

// With `coarse` (the same row, quantized): takes x less what coarse holds of it, a second plane of
// 8 bits below the first: the two together err by at most coarse's error / 127.
void quantize_row(const QuantizedRows& to, std::int64_t row, const float* x,
                  const QuantizedRows* coarse);

}  // namespace hangar::cpu
