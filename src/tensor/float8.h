// FP8 E4M3 and float: one byte of sign, 4 bits of exponent (bias 7) and 3 bits of mantissa.
//
// Promise: every one of the 256 codes is exact in float. There are no infinities: 0x7F and 0xFF are
//   NaN, 0x7E is 448. A float is rounded to the nearest code, to the even one of two; what is
//   beyond 448, infinities too, becomes 448.
// Source: Micikevicius et al., "FP8 formats for deep learning" (2022); torch.float8_e4m3fn.
// Errors: none. Threads: a pure function.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace hangar {

inline constexpr float kFloat8E4m3Largest = 448.0F;

constexpr float float8_e4m3_to_float(std::uint8_t code) {
  const std::uint32_t sign = static_cast<std::uint32_t>(code & 0x80U) << 24U;
  const std::uint32_t magnitude = code & 0x7FU;
  if (magnitude == 0x7FU) return std::numeric_limits<float>::quiet_NaN();
  if (magnitude < 8U) {  // subnormal: mantissa * 2^-9
    const float value = static_cast<float>(magnitude) * 0x1p-9F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  return std::bit_cast<float>(sign | ((magnitude << 20U) + (120U << 23U)));
}

constexpr std::uint8_t float_to_float8_e4m3(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 24U) & 0x80U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  std::uint32_t code = 0;
  if (magnitude > 0x7F800000U) {
    code = 0x7FU;
  } else if (magnitude >= std::bit_cast<std::uint32_t>(kFloat8E4m3Largest)) {
    code = 0x7EU;
  } else if (magnitude < std::bit_cast<std::uint32_t>(0x1p-6F)) {
    // Added to a number whose last bit is 2^-9, it is rounded to multiples of that.
    constexpr float kLastBit = 0x1p14F;
    code = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + kLastBit) -
           std::bit_cast<std::uint32_t>(kLastBit);
  } else {
    const std::uint32_t to_even = 0x7FFFFU + ((magnitude >> 20U) & 1U);
    code = ((magnitude + to_even) >> 20U) - (120U << 3U);
  }
  return static_cast<std::uint8_t>(sign | code);
}

}  // namespace hangar
