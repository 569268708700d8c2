#include "quant/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "quant/dequantize.h"
#include "quant/golden_test_data.h"

namespace hangar {
namespace {

TEST(QuantizeTest, EqualsTheGgufPackageByteForByte) {
  std::set<DType> seen;
  for (const GoldenRecord& record : read_golden("quantized.bin", true)) {
    SCOPED_TRACE(dtype_name(record.dtype));
    ASSERT_TRUE(can_quantize(record.dtype));
    std::vector<std::byte> got(record.blocks.size(), std::byte{0xA5});
    quantize_row(record.dtype, record.floats.data(), got.data(), record.elements);
    std::int64_t differences = 0;
    for (std::size_t i = 0; i < got.size(); ++i) differences += got[i] != record.blocks[i];
    EXPECT_EQ(differences, 0);
    seen.insert(record.dtype);
  }
  EXPECT_THAT(seen,
              ::testing::UnorderedElementsAre(DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1,
                                              DType::kQ5_0, DType::kQ5_1, DType::kQ8_0));
}

struct ErrorBound {
  DType dtype;
  float steps;  // the quantization step as a part of the block's greatest magnitude
};

class QuantizeErrorTest : public ::testing::TestWithParam<ErrorBound> {};

// A round trip is off by half a step, or a whole one at the end that the codes do not reach.
TEST_P(QuantizeErrorTest, RoundTripStaysWithinAStep) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0.0F, 0.02F);
  constexpr std::int64_t kElements = 4096;
  std::vector<float> in(kElements);
  for (float& x : in) x = normal(random);
  std::vector<std::byte> stored(row_bytes(GetParam().dtype, kElements));
  quantize_row(GetParam().dtype, in.data(), stored.data(), kElements);
  std::vector<float> out(kElements);
  dequantize_row(GetParam().dtype, stored.data(), out.data(), kElements);
  float worst = 0.0F;
  float greatest = 0.0F;
  for (std::size_t i = 0; i < in.size(); ++i) {
    worst = std::max(worst, std::fabs(in[i] - out[i]));
    greatest = std::max(greatest, std::fabs(in[i]));
  }
  EXPECT_LE(worst, greatest * GetParam().steps);
  EXPECT_GT(greatest, 0.05F);
}

INSTANTIATE_TEST_SUITE_P(
    Types, QuantizeErrorTest,
    ::testing::Values(ErrorBound{DType::kF32, 0.0F}, ErrorBound{DType::kF16, 0.0005F},
                      ErrorBound{DType::kBF16, 0.004F}, ErrorBound{DType::kQ8_0, 0.0045F},
                      ErrorBound{DType::kQ4_0, 0.126F}, ErrorBound{DType::kQ4_1, 0.068F},
                      ErrorBound{DType::kQ5_0, 0.063F}, ErrorBound{DType::kQ5_1, 0.033F}),
    [](const auto& test) { return std::string(dtype_name(test.param.dtype)); });

TEST(QuantizeTest, WhatIsNotFiniteDoesNotCrash) {
  std::vector<float> in(32, 1.0F);
  in[3] = std::numeric_limits<float>::quiet_NaN();
  in[9] = std::numeric_limits<float>::infinity();
  in[11] = 1e-42F;
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0}) {
    std::vector<std::byte> stored(row_bytes(dtype, 32), std::byte{0xA5});
    quantize_row(dtype, in.data(), stored.data(), 32);
    EXPECT_NE(stored[0], std::byte{0xA5}) << dtype_name(dtype);
  }
}

TEST(QuantizeTest, SaysWhatItDoesNotWrite) {
  for (const DType dtype : {DType::kQ2_K, DType::kQ4_K, DType::kQ6_K, DType::kIQ4_XS, DType::kMXFP4,
                            DType::kInt4G32, DType::kF8E4M3, DType::kI32}) {
    EXPECT_FALSE(can_quantize(dtype)) << dtype_name(dtype);
  }
}

}  // namespace
}  // namespace hangar
