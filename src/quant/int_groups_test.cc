#include "quant/int_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "quant/dequantize.h"
#include "quant/golden_test_data.h"
#include "quant/k_scales.h"

namespace hangar {
namespace {

struct Groups {
  IntGroupLayout layout;
  std::vector<std::int8_t> values;
  std::vector<float> scales;
  std::vector<float> minimums;
};

Groups unpack(const GoldenRecord& record, const IntGroupLayout& layout) {
  const auto elements = static_cast<std::size_t>(record.elements);
  const std::size_t groups = elements / static_cast<std::size_t>(layout.group);
  Groups out{layout, std::vector<std::int8_t>(elements, 99), std::vector<float>(groups, -1e9F),
             std::vector<float>(layout.has_minimum ? groups : 0, -1e9F)};
  unpack_int_groups(record.dtype, record.blocks.data(), record.elements, out.values.data(),
                    out.scales.data(), layout.has_minimum ? out.minimums.data() : nullptr);
  return out;
}

TEST(IntGroupsTest, ScaleTimesCodePlusMinimumIsTheDequantizedValue) {
  std::set<DType> seen;
  for (const GoldenRecord& record : read_golden("blocks.bin", false)) {
    SCOPED_TRACE(dtype_name(record.dtype));
    const std::optional<IntGroupLayout> layout = int_group_layout(record.dtype);
    if (!layout) continue;
    seen.insert(record.dtype);
    const Groups groups = unpack(record, *layout);
    std::int64_t compared = 0;
    std::int64_t differences = 0;
    for (std::size_t i = 0; i < groups.values.size(); ++i) {
      const std::size_t group = i / static_cast<std::size_t>(layout->group);
      const float scale = groups.scales[group];
      const float minimum = layout->has_minimum ? groups.minimums[group] : 0.0F;
      if (!std::isfinite(scale) || !std::isfinite(minimum)) continue;
      ++compared;
      differences += scale * static_cast<float>(groups.values[i]) + minimum != record.floats[i];
    }
    EXPECT_EQ(differences, 0);
    EXPECT_GT(compared, record.elements / 2);
  }
  EXPECT_THAT(
      seen, testing::UnorderedElementsAre(DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                          DType::kQ8_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K));
}

TEST(IntGroupsTest, FourBitCodesFitANibble) {
  int four_bit_types = 0;
  for (const GoldenRecord& record : read_golden("blocks.bin", false)) {
    const std::optional<IntGroupLayout> layout = int_group_layout(record.dtype);
    if (!layout || layout->bits != 4) continue;
    ++four_bit_types;
    EXPECT_TRUE(layout->has_minimum);
    const Groups groups = unpack(record, *layout);
    EXPECT_THAT(groups.values, testing::Each(testing::AllOf(testing::Ge(0), testing::Le(15))));
    EXPECT_THAT(groups.values, testing::Contains(0));
    EXPECT_THAT(groups.values, testing::Contains(15));
  }
  EXPECT_EQ(four_bit_types, 3);
}

TEST(IntGroupsTest, LayoutsAreAsTheFormatsGroupTheirScales) {
  EXPECT_EQ(int_group_layout(DType::kQ6_K)->group, 16);
  EXPECT_EQ(int_group_layout(DType::kQ5_K)->group, 32);
  EXPECT_EQ(int_group_layout(DType::kQ5_K)->bits, 8);
  EXPECT_FALSE(int_group_layout(DType::kQ8_0)->has_minimum);
  EXPECT_FALSE(int_group_layout(DType::kF16).has_value());
  EXPECT_FALSE(int_group_layout(DType::kI32).has_value());
}

// The layout packed by hand: each of the 16 numbers is distinct and uses its upper two bits.
TEST(KScalesTest, UnpacksTheSixBitNumbers) {
  const std::uint8_t scale_in[8] = {1, 18, 35, 52, 7, 24, 41, 58};
  const std::uint8_t minimum_in[8] = {63, 46, 29, 12, 60, 43, 26, 9};
  std::uint8_t packed[12];
  for (int g = 0; g < 4; ++g) {
    packed[g] = static_cast<std::uint8_t>(scale_in[g] | (scale_in[g + 4] >> 4) << 6);
    packed[g + 4] = static_cast<std::uint8_t>(minimum_in[g] | (minimum_in[g + 4] >> 4) << 6);
    packed[g + 8] =
        static_cast<std::uint8_t>((scale_in[g + 4] & 15) | (minimum_in[g + 4] & 15) << 4);
  }
  std::uint8_t scale[8];
  std::uint8_t minimum[8];
  unpack_k_scales(packed, scale, minimum);
  EXPECT_THAT(scale, testing::ElementsAreArray(scale_in));
  EXPECT_THAT(minimum, testing::ElementsAreArray(minimum_in));
}

}  // namespace
}  // namespace hangar
