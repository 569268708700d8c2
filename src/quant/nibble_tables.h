// What the nibbles of IQ4_NL, IQ4_XS and MXFP4 stand for, and where their scales lie.
//
// Promise: kIq4Values is GGML's table of the "non-linear" 4-bit types; kTwiceE2m1Values holds the
//   OCP FP4 numbers (0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives) doubled, so that they are
//   integers; half_of_e8m0 is then half of the OCP scale 2^(code - 127).
// Source: OCP Microscaling Formats (MX) 1.0 for E2M1 and E8M0.
// Threads: constants and pure functions.
#pragma once

#include <bit>
#include <cstdint>

#include "quant/unpack.h"

namespace hangar {

inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};
inline constexpr std::int8_t kTwiceE2m1Values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                     0, -1, -2, -3, -4, -6, -8, -12};

inline float half_of_e8m0(std::uint8_t code) {
  // 2^(code - 128): the two least are subnormal.
  const std::uint32_t bits =
      code < 2 ? std::uint32_t{0x00200000} << code : static_cast<std::uint32_t>(code - 1) << 23U;
  return std::bit_cast<float>(bits);
}

// IQ4_XS, group 0..7: 4 low bits of the scale in the bytes from 4 on, 2 upper bits in bytes 2-3.
inline int iq4_xs_scale(const std::uint8_t* block, int group) {
  const unsigned low = (block[4 + group / 2] >> (group % 2 * 4)) & 15U;
  const unsigned high = (static_cast<unsigned>(load_u16(block + 2)) >> (2 * group)) & 3U;
  return static_cast<int>(low | (high << 4U)) - 32;
}

// As unpack_q4, then looked up.
inline void unpack_table(const std::uint8_t nibbles[16], const std::int8_t table[16],
                         std::int8_t values[32]) {
  std::uint8_t q[32];
  unpack_q4(nibbles, q);
  for (int i = 0; i < 32; ++i) values[i] = table[q[i]];
}

}  // namespace hangar
