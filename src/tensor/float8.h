// FP8 E4M3 to float: one byte of sign, 4 bits of exponent (bias 7) and 3 bits of mantissa.
//
// Promise: every one of the 256 codes is exact in float. There are no infinities: 0x7F and 0xFF are
//   NaN, 0x7E is 448.
// Source: Micikevicius et al., "FP8 formats for deep learning" (2022); torch.float8_e4m3fn.
// Errors: none. Threads: a pure function.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace hangar {

inline float float8_e4m3_to_float(std::uint8_t code) {
  const std::uint32_t sign = static_cast<std::uint32_t>(code & 0x80U) << 24U;
  const std::uint32_t magnitude = code & 0x7FU;
  if (magnitude == 0x7FU) return std::numeric_limits<float>::quiet_NaN();
  if (magnitude < 8U) {  // subnormal: mantissa * 2^-9
    const float value = static_cast<float>(magnitude) * 0x1p-9F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  return std::bit_cast<float>(sign | ((magnitude << 20U) + (120U << 23U)));
}

}  // namespace hangar
