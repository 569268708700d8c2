// The canonical form that backends repack weights from: groups of small integers with a float scale
// and minimum each, whatever quantized type they came from.
//
// Promise: for each element, by the layout's offset: x = scale * q (kNone), x = scale * q + minimum
//   (kMinimum), x = scale * (q - zero) with an integer zero (kZero). 4-bit types (Q4_0, Q4_1, Q4_K,
//   INT4_G32, and Q2_K and Q3_K, whose codes are smaller) have q in 0..15; 8-bit types hold a
//   signed q: Q8_0, Q5_0, Q6_K, and of IQ4_NL, IQ4_XS and MXFP4 the numbers their nibbles stand
//   for; Q5_1 and Q5_K have q in 0..31; INT8_G32's q and zero are both less 128. The value equals
//   dequantize_row's wherever the file's scales are finite (a zero's sign aside).
// Shapes: `elements` is a multiple of the dtype's block; values has `elements` entries, scales and
//   offsets `elements / group`. With kNone, `offsets` may be null and is not written.
// Errors: none; int_group_layout is nullopt for the types that are no integers.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "tensor/dtype.h"

namespace hangar {

enum class GroupOffset : std::uint8_t { kNone, kMinimum, kZero };

struct IntGroupLayout {
  int bits = 8;    // 4: q fits an unsigned nibble; 8: q is an int8
  int group = 32;  // elements that share a scale: 32, or 16 for Q2_K, Q3_K and Q6_K
  GroupOffset offset = GroupOffset::kNone;
};

std::optional<IntGroupLayout> int_group_layout(DType dtype);

void unpack_int_groups(DType dtype, const std::byte* row, std::int64_t elements,
                       std::int8_t* values, float* scales, float* offsets);

}  // namespace hangar
