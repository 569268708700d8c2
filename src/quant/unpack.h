// From a block's packed bits to one small integer a byte, in the order of the elements.
//
// Promise: the integers as stored, before any scale: 0..3 for 2 bits, 0..7 for 3 bits, 0..15 for 4
//   bits, 0..31 for 5 bits, -32..31 for Q6_K. Both dequantization and the backends' repacking are
//   built on these.
// Lifetime, errors: pure functions on whole blocks; pointers may be unaligned.
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/float16.h"

namespace hangar {

inline std::uint16_t load_u16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] | (p[1] << 8));
}
inline float load_half(const std::uint8_t* p) {
  return half_to_float(load_u16(p));
}
inline float load_bfloat16(const std::uint8_t* p) {
  return bfloat16_to_float(load_u16(p));
}
inline void store_u16(std::uint8_t* p, std::uint16_t value) {
  p[0] = static_cast<std::uint8_t>(value & 0xFFU);
  p[1] = static_cast<std::uint8_t>(value >> 8);
}

inline const std::uint8_t* as_bytes(const std::byte* p) {
  return reinterpret_cast<const std::uint8_t*>(p);
}

// Q4_0, Q4_1: byte i holds element i below and element i + 16 above.
inline void unpack_q4(const std::uint8_t nibbles[16], std::uint8_t q[32]) {
  for (int i = 0; i < 16; ++i) {
    q[i] = nibbles[i] & 0x0FU;
    q[i + 16] = static_cast<std::uint8_t>(nibbles[i] >> 4);
  }
}

// Q5_0, Q5_1: as unpack_q4, and bit i of the little-endian 32-bit `high` is element i's fifth bit.
inline void unpack_q5(const std::uint8_t high[4], const std::uint8_t nibbles[16],
                      std::uint8_t q[32]) {
  unpack_q4(nibbles, q);
  for (int i = 0; i < 32; ++i) {
    const unsigned bit = (high[i / 8] >> (i % 8)) & 1U;
    q[i] = static_cast<std::uint8_t>(q[i] | (bit << 4U));
  }
}

// Q2_K: 32 bytes hold 128 elements, a quarter of them in each pair of bits.
inline void unpack_q2_k(const std::uint8_t pairs[64], std::uint8_t q[256]) {
  for (int quarter = 0; quarter < 8; ++quarter) {
    for (int i = 0; i < 32; ++i) {
      const unsigned byte = pairs[quarter / 4 * 32 + i];
      q[quarter * 32 + i] = static_cast<std::uint8_t>((byte >> (quarter % 4 * 2)) & 3U);
    }
  }
}

// Q3_K: as unpack_q2_k, and bit e of high[i] is the third bit of element i of the e-th 32; the
// stored 0..7 stand for -4..3.
inline void unpack_q3_k(const std::uint8_t high[32], const std::uint8_t pairs[64],
                        std::uint8_t q[256]) {
  unpack_q2_k(pairs, q);
  for (int eighth = 0; eighth < 8; ++eighth) {
    for (int i = 0; i < 32; ++i) {
      const unsigned bit = (static_cast<unsigned>(high[i]) >> eighth) & 1U;
      q[eighth * 32 + i] = static_cast<std::uint8_t>(q[eighth * 32 + i] | (bit << 2U));
    }
  }
}

// Q4_K: 32 bytes hold two groups of 32, the first in the low nibbles.
inline void unpack_q4_k(const std::uint8_t nibbles[128], std::uint8_t q[256]) {
  for (int pair = 0; pair < 4; ++pair) {
    for (int i = 0; i < 32; ++i) {
      const std::uint8_t byte = nibbles[pair * 32 + i];
      q[pair * 64 + i] = byte & 0x0FU;
      q[pair * 64 + 32 + i] = static_cast<std::uint8_t>(byte >> 4);
    }
  }
}

// Q5_K: as unpack_q4_k, and bit g of high[i] is the fifth bit of element i of group g.
inline void unpack_q5_k(const std::uint8_t high[32], const std::uint8_t nibbles[128],
                        std::uint8_t q[256]) {
  unpack_q4_k(nibbles, q);
  for (int group = 0; group < 8; ++group) {
    for (int i = 0; i < 32; ++i) {
      const unsigned bit = (high[i] >> group) & 1U;
      q[group * 32 + i] = static_cast<std::uint8_t>(q[group * 32 + i] | (bit << 4U));
    }
  }
}

// Q6_K: each half of 128 elements has 64 bytes of low nibbles and 32 bytes of upper bit pairs; the
// stored 0..63 stand for -32..31.
inline void unpack_q6_k(const std::uint8_t low[128], const std::uint8_t high[64],
                        std::int8_t q[256]) {
  for (int half = 0; half < 2; ++half) {
    for (int quarter = 0; quarter < 4; ++quarter) {
      for (int i = 0; i < 32; ++i) {
        const unsigned byte = low[half * 64 + (quarter % 2) * 32 + i];
        const unsigned nibble = quarter < 2 ? byte & 0x0FU : byte >> 4U;
        const unsigned top = (static_cast<unsigned>(high[half * 32 + i]) >> (2 * quarter)) & 3U;
        q[half * 128 + quarter * 32 + i] =
            static_cast<std::int8_t>(static_cast<int>(nibble | (top << 4U)) - 32);
      }
    }
  }
}

}  // namespace hangar
