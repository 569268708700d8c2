#include "tensor/float8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace hangar {
namespace {

TEST(Float8Test, EveryCodeHasTheValueOfItsDefinition) {
  for (unsigned code = 0; code < 256; ++code) {
    const float got = float8_e4m3_to_float(static_cast<std::uint8_t>(code));
    const unsigned exponent = (code >> 3U) & 15U;
    const double fraction = (code & 7U) / 8.0;
    if ((code & 0x7FU) == 0x7FU) {
      EXPECT_TRUE(std::isnan(got)) << code;
      continue;
    }
    const double magnitude = exponent == 0
                                 ? std::ldexp(fraction, -6)
                                 : std::ldexp(1.0 + fraction, static_cast<int>(exponent) - 7);
    EXPECT_EQ(got, (code & 0x80U) != 0 ? -magnitude : magnitude) << code;
    EXPECT_EQ(std::signbit(got), (code & 0x80U) != 0) << code;
  }
  EXPECT_EQ(float8_e4m3_to_float(0x7E), kFloat8E4m3Largest);
}

TEST(Float8Test, EveryCodeComesBack) {
  for (unsigned code = 0; code < 256; ++code) {
    EXPECT_EQ(float_to_float8_e4m3(float8_e4m3_to_float(static_cast<std::uint8_t>(code))) & 0x7FU,
              code & 0x7FU);
    if ((code & 0x7FU) == 0x7FU) continue;
    EXPECT_EQ(float_to_float8_e4m3(float8_e4m3_to_float(static_cast<std::uint8_t>(code))), code);
  }
}

TEST(Float8Test, FloatsGoToTheNearestCodeAndTiesToTheEvenOne) {
  for (std::uint8_t code = 0; code < 0x7E; ++code) {
    const float low = float8_e4m3_to_float(code);
    const float high = float8_e4m3_to_float(static_cast<std::uint8_t>(code + 1));
    const float middle = (low + high) / 2.0F;  // exact
    const auto even = static_cast<std::uint8_t>(code + (code & 1U));
    EXPECT_EQ(float_to_float8_e4m3(middle), even) << low;
    EXPECT_EQ(float_to_float8_e4m3(-middle), even | 0x80U) << low;
    EXPECT_EQ(float_to_float8_e4m3(std::nextafter(middle, 0.0F)), code) << low;
    EXPECT_EQ(float_to_float8_e4m3(std::nextafter(middle, 500.0F)), code + 1) << low;
  }
}

TEST(Float8Test, WhatIsBeyondTheLargestBecomesIt) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float value : {448.0F, 449.0F, 464.0F, 465.0F, 480.0F, 1e30F, kInfinity}) {
    EXPECT_EQ(float_to_float8_e4m3(value), 0x7E) << value;
    EXPECT_EQ(float_to_float8_e4m3(-value), 0xFE) << value;
  }
  EXPECT_EQ(float_to_float8_e4m3(1e-30F), 0);
  EXPECT_EQ(float_to_float8_e4m3(-1e-45F), 0x80);
}

}  // namespace
}  // namespace hangar
