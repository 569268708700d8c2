#include "tensor/float16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace hangar {
namespace {

// A half's value by the definition of IEEE 754: sign, 5 bits of exponent, 10 of fraction.
double half_value(std::uint16_t h) {
  const int exponent = (h >> 10) & 31;
  const double fraction = (h & 1023) / 1024.0;
  const double magnitude = exponent == 0    ? std::ldexp(fraction, -14)
                           : exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
                                            : std::ldexp(1.0 + fraction, exponent - 15);
  return (h & 0x8000) != 0 ? -magnitude : magnitude;
}

// Distance to the half's value, exact in double for every float.
double distance(float x, std::uint16_t h) {
  return std::fabs(static_cast<double>(x) - half_value(h));
}

TEST(Float16Test, EveryHalfHasTheValueOfItsDefinitionAndComesBack) {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto h = static_cast<std::uint16_t>(bits);
    const float got = half_to_float(h);
    const double want = half_value(h);
    if (std::isnan(want)) {
      wrong += !std::isnan(got) || !std::isnan(half_to_float(float_to_half(got)));
    } else {
      wrong += static_cast<double>(got) != want || std::signbit(got) != std::signbit(want);
      wrong += float_to_half(got) != h;
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Float16Test, RoundsToTheNearestHalfAndTiesToEven) {
  // 1 + 2^-11 lies between 1 and 1 + 2^-10: the even one is 1. 1 + 3 * 2^-11: the even one is
  // above.
  EXPECT_EQ(float_to_half(1.0F + 0x1p-11F), 0x3C00);
  EXPECT_EQ(float_to_half(1.0F + 3 * 0x1p-11F), 0x3C02);
  EXPECT_EQ(float_to_half(std::nextafter(1.0F + 0x1p-11F, 2.0F)), 0x3C01);
  EXPECT_EQ(float_to_half(0x1p-25F), 0x0000);  // half of the least subnormal, to even
  EXPECT_EQ(float_to_half(0x1.8p-24F), 0x0002);
  EXPECT_EQ(float_to_half(-0.0F), 0x8000);
  EXPECT_EQ(float_to_half(65504.0F), 0x7BFF);
  EXPECT_EQ(float_to_half(std::nextafter(65520.0F, 0.0F)), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0F), 0x7C00);
  EXPECT_EQ(float_to_half(-std::numeric_limits<float>::infinity()), 0xFC00);
  EXPECT_EQ(float_to_half(1e-30F), 0x0000);
}

TEST(Float16Test, NoNeighbourIsNearerThanTheHalfChosen) {
  std::mt19937 random(3);
  std::uniform_int_distribution<std::uint32_t> exponent(127 - 26, 127 + 14);
  std::uniform_int_distribution<std::uint32_t> fraction(0, (1U << 23U) - 1);
  int wrong = 0;
  for (int i = 0; i < 200000; ++i) {
    const float x = std::bit_cast<float>(exponent(random) << 23U | fraction(random));
    const std::uint16_t h = float_to_half(x);
    const double chosen = distance(x, h);
    if (h > 0 && distance(x, static_cast<std::uint16_t>(h - 1)) < chosen) ++wrong;
    if (distance(x, static_cast<std::uint16_t>(h + 1)) < chosen) ++wrong;
  }
  EXPECT_EQ(wrong, 0);
}

TEST(BFloat16Test, EveryValueComesBackAndRoundingIsToNearestEven) {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto b = static_cast<std::uint16_t>(bits);
    const float value = bfloat16_to_float(b);
    wrong += std::isnan(value) ? !std::isnan(bfloat16_to_float(float_to_bfloat16(value)))
                               : float_to_bfloat16(value) != b;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(bfloat16_to_float(0x3F80), 1.0F);
  EXPECT_EQ(float_to_bfloat16(1.0F + 0x1p-8F), 0x3F80);      // tie, to even
  EXPECT_EQ(float_to_bfloat16(1.0F + 3 * 0x1p-8F), 0x3F82);  // tie, to even
  EXPECT_EQ(float_to_bfloat16(std::nextafter(1.0F + 0x1p-8F, 2.0F)), 0x3F81);
  EXPECT_EQ(float_to_bfloat16(std::numeric_limits<float>::max()), 0x7F80);
}

}  // namespace
}  // namespace hangar
