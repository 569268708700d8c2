#include "tensor/float8.h"

#include <gtest/gtest.h>

#include <cmath>

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
  EXPECT_EQ(float8_e4m3_to_float(0x7E), 448.0F);
}

}  // namespace
}  // namespace hangar
