// The packed scales of the K types: Q4_K's and Q5_K's eight 6-bit scales and eight 6-bit minimums,
// Q3_K's sixteen 6-bit scales, each in 12 bytes.
//
// Promise: unpack_k_scales gives group g's scale and minimum, 0 .. 63 each.
// Layout: bytes 0-3 hold the scales of groups 0-3 in their low 6 bits, bytes 4-7 their minimums;
//   bytes 8-11 hold the low 4 bits of groups 4-7 (scale in the low nibble, minimum in the high
//   one), whose upper 2 bits sit in the top of bytes 0-3 and 4-7. Q3_K: bytes 0-7 hold the low 4
//   bits of groups 0-7 (low nibbles) and 8-15 (high ones); byte 8 + g % 4 the upper 2 bits of group
//   g, from bit 2 (g / 4) on. (The layouts are GGML's.)
// Threads: a pure function.
#pragma once

#include <cstdint>

namespace hangar {

inline void unpack_k_scales(const std::uint8_t packed[12], std::uint8_t scale[8],
                            std::uint8_t minimum[8]) {
  for (int g = 0; g < 4; ++g) {
    const unsigned first = packed[g];
    const unsigned second = packed[g + 4];
    const unsigned third = packed[g + 8];
    scale[g] = static_cast<std::uint8_t>(first & 0x3FU);
    minimum[g] = static_cast<std::uint8_t>(second & 0x3FU);
    scale[g + 4] = static_cast<std::uint8_t>((third & 0x0FU) | ((first >> 6U) << 4U));
    minimum[g + 4] = static_cast<std::uint8_t>((third >> 4U) | ((second >> 6U) << 4U));
  }
}

// Group g of 16: the stored 0..63 stand for -32..31.
inline int q3_k_scale(const std::uint8_t packed[12], int g) {
  const unsigned low = (static_cast<unsigned>(packed[g % 8]) >> (g / 8 * 4)) & 15U;
  const unsigned high = (static_cast<unsigned>(packed[8 + g % 4]) >> (g / 4 * 2)) & 3U;
  return static_cast<int>(low | (high << 4U)) - 32;
}

}  // namespace hangar
