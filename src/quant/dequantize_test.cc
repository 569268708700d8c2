#include "quant/dequantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <set>

#include "quant/golden_test_data.h"

namespace hangar {
namespace {

std::int64_t count_differences(const std::vector<float>& got, const std::vector<float>& want) {
  std::int64_t differences = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const bool both_nan = std::isnan(got[i]) && std::isnan(want[i]);
    const bool same = std::bit_cast<std::uint32_t>(got[i]) == std::bit_cast<std::uint32_t>(want[i]);
    if (!both_nan && !same) ++differences;
  }
  return differences;
}

TEST(DequantizeTest, EqualsTheGgufPackageBitForBit) {
  std::set<DType> seen;
  for (const GoldenRecord& record : read_golden("blocks.bin", false)) {
    SCOPED_TRACE(dtype_name(record.dtype));
    std::vector<float> got(record.floats.size(), -12345.0F);
    dequantize_row(record.dtype, record.blocks.data(), got.data(), record.elements);
    EXPECT_EQ(count_differences(got, record.floats), 0);
    seen.insert(record.dtype);
  }
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(
                        DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,
                        DType::kQ5_1, DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K,
                        DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS, DType::kMXFP4));
}

TEST(DequantizeTest, ReadsBlocksAtAnyAlignment) {
  for (const GoldenRecord& record : read_golden("blocks.bin", false)) {
    SCOPED_TRACE(dtype_name(record.dtype));
    std::vector<std::byte> shifted(record.blocks.size() + 1);
    std::copy(record.blocks.begin(), record.blocks.end(), shifted.begin() + 1);
    std::vector<float> got(record.floats.size(), -12345.0F);
    dequantize_row(record.dtype, shifted.data() + 1, got.data(), record.elements);
    EXPECT_EQ(count_differences(got, record.floats), 0);
  }
}

TEST(DequantizeTest, FloatsAreCopiedAndIntegersConverted) {
  const std::vector<float> floats = {1.5F, -0.0F, 3e38F};
  std::vector<float> got(3);
  dequantize_row(DType::kF32, std::as_bytes(std::span(floats)).data(), got.data(), 3);
  EXPECT_EQ(count_differences(got, floats), 0);

  const std::vector<std::int32_t> integers = {-7, 0, 1 << 20};
  dequantize_row(DType::kI32, std::as_bytes(std::span(integers)).data(), got.data(), 3);
  EXPECT_THAT(got, ::testing::ElementsAre(-7.0F, 0.0F, 1048576.0F));

  const std::vector<std::uint8_t> fp8 = {0x38, 0xC0, 0x01};
  dequantize_row(DType::kF8E4M3, std::as_bytes(std::span(fp8)).data(), got.data(), 3);
  EXPECT_THAT(got, ::testing::ElementsAre(1.0F, -2.0F, 0x1p-9F));
}

TEST(DequantizeTest, NothingIsReadOrWrittenForAnEmptyRow) {
  dequantize_row(DType::kF32, nullptr, nullptr, 0);
  float untouched = 4.0F;
  dequantize_row(DType::kQ4_K, nullptr, &untouched, 0);
  EXPECT_EQ(untouched, 4.0F);
}

}  // namespace
}  // namespace hangar
