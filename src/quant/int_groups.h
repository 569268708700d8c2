// The canonical form that backends repack weights from: groups of small integers with a float scale
// and minimum each, whatever quantized type they came from.
//
// Promise: x = scale * q + minimum for each element. 4-bit types (Q4_0, Q4_1, Q4_K) have q in 0..15
//   and a minimum; 8-bit types hold a signed q: Q8_0, Q5_0, Q6_K without a minimum, Q5_1 and Q5_K
//   with q in 0..31 and one. The sum equals dequantize_row's value wherever the file's scales are
//   finite (a zero's sign aside).
// Shapes: `elements` is a multiple of the dtype's block; values has `elements` entries, scales and
//   minimums `elements / group`. Without a minimum, `minimums` may be null and is not written.
// Errors: none; int_group_layout is nullopt for the types that are no integers.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "tensor/dtype.h"

namespace hangar {

struct IntGroupLayout {
  int bits = 8;              // 4: q fits an unsigned nibble; 8: q is an int8
  int group = 32;            // elements that share a scale: 32, or 16 for Q6_K
  bool has_minimum = false;  // false: minimum is 0 everywhere
};

std::optional<IntGroupLayout> int_group_layout(DType dtype);

void unpack_int_groups(DType dtype, const std::byte* row, std::int64_t elements,
                       std::int8_t* values, float* scales, float* minimums);

}  // namespace hangar
