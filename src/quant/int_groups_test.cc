#include "quant/int_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "quant/dequantize.h"
#include "quant/golden_test_data.h"
#include "quant/group32.h"
#include "quant/k_scales.h"

namespace hangar {
namespace {

struct Groups {
  IntGroupLayout layout;
  std::vector<std::int8_t> values;
  std::vector<float> scales;
  std::vector<float> offsets;
};

Groups unpack(const GoldenRecord& record, const IntGroupLayout& layout) {
  const auto elements = static_cast<std::size_t>(record.elements);
  const std::size_t groups = elements / static_cast<std::size_t>(layout.group);
  Groups out{layout, std::vector<std::int8_t>(elements, 99), std::vector<float>(groups, -1e9F),
             std::vector<float>(layout.offset != GroupOffset::kNone ? groups : 0, -1e9F)};
  unpack_int_groups(record.dtype, record.blocks.data(), record.elements, out.values.data(),
                    out.scales.data(), out.offsets.empty() ? nullptr : out.offsets.data());
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
      const float minimum = layout->offset == GroupOffset::kNone ? 0.0F : groups.offsets[group];
      if (!std::isfinite(scale) || !std::isfinite(minimum)) continue;
      ++compared;
      differences += scale * static_cast<float>(groups.values[i]) + minimum != record.floats[i];
    }
    EXPECT_EQ(differences, 0);
    EXPECT_GT(compared, record.elements / 2);
  }
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(
                        DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                        DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K,
                        DType::kIQ4_NL, DType::kIQ4_XS, DType::kMXFP4));
}

// Blocks of the canonical forms with these groups and codes 0, 1, 2, ..
std::vector<std::byte> canonical_blocks(DType dtype, const std::vector<Group32>& groups) {
  const std::size_t bytes = dtype_info(dtype).block_bytes;
  std::vector<std::byte> blocks(groups.size() * bytes);
  std::uint8_t next = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    auto* block = reinterpret_cast<std::uint8_t*>(blocks.data() + g * bytes);
    std::uint8_t q[32];
    for (std::uint8_t& code : q) code = next++;
    store_group32(block, groups[g]);
    if (dtype == DType::kInt4G32) {
      store_int4_codes(block, q);
    } else {
      store_int8_codes(block, q);
    }
  }
  return blocks;
}

TEST(IntGroupsTest, CanonicalFormsAreScaleTimesCodeLessZero) {
  const std::vector<Group32> groups = {{0.1F, 8},   {-3e-5F, 0}, {1.0F, 15},   {0.0F, 3},
                                       {7.3F, 128}, {1e9F, 255}, {0.25F, -40}, {1e-30F, 1}};
  for (const DType dtype : {DType::kInt4G32, DType::kInt8G32}) {
    SCOPED_TRACE(dtype_name(dtype));
    GoldenRecord record;
    record.dtype = dtype;
    record.elements = 32 * std::ssize(groups);
    record.blocks = canonical_blocks(dtype, groups);
    record.floats.resize(static_cast<std::size_t>(record.elements));
    dequantize_row(dtype, record.blocks.data(), record.floats.data(), record.elements);
    const IntGroupLayout layout = *int_group_layout(dtype);
    EXPECT_EQ(layout.offset, GroupOffset::kZero);
    const Groups unpacked = unpack(record, layout);
    for (std::size_t i = 0; i < record.floats.size(); ++i) {
      const Group32& group = groups[i / 32];
      const int code = static_cast<int>(dtype == DType::kInt4G32 ? i % 16 : i % 256);
      ASSERT_EQ(record.floats[i], group.scale * static_cast<float>(code - group.zero)) << i;
      ASSERT_EQ(unpacked.scales[i / 32] *
                    (static_cast<float>(unpacked.values[i]) - unpacked.offsets[i / 32]),
                record.floats[i])
          << i;
    }
  }
}

TEST(IntGroupsTest, FourBitCodesFitANibble) {
  int four_bit_types = 0;
  for (const GoldenRecord& record : read_golden("blocks.bin", false)) {
    const std::optional<IntGroupLayout> layout = int_group_layout(record.dtype);
    if (!layout || layout->bits != 4) continue;
    ++four_bit_types;
    EXPECT_EQ(layout->offset, GroupOffset::kMinimum);
    const Groups groups = unpack(record, *layout);
    EXPECT_THAT(groups.values,
                ::testing::Each(::testing::AllOf(::testing::Ge(0), ::testing::Le(15))));
    EXPECT_THAT(groups.values, ::testing::Contains(0));
    const int most = record.dtype == DType::kQ2_K ? 3 : (record.dtype == DType::kQ3_K ? 7 : 15);
    EXPECT_EQ(*std::ranges::max_element(groups.values), most);
  }
  EXPECT_EQ(four_bit_types, 5);
}

TEST(IntGroupsTest, LayoutsAreAsTheFormatsGroupTheirScales) {
  EXPECT_EQ(int_group_layout(DType::kQ6_K)->group, 16);
  EXPECT_EQ(int_group_layout(DType::kQ5_K)->group, 32);
  EXPECT_EQ(int_group_layout(DType::kQ5_K)->bits, 8);
  EXPECT_EQ(int_group_layout(DType::kQ8_0)->offset, GroupOffset::kNone);
  EXPECT_EQ(int_group_layout(DType::kQ2_K)->group, 16);
  EXPECT_EQ(int_group_layout(DType::kQ3_K)->group, 16);
  EXPECT_FALSE(int_group_layout(DType::kF8E4M3).has_value());
  EXPECT_FALSE(int_group_layout(DType::kF16).has_value());
  EXPECT_FALSE(int_group_layout(DType::kI32).has_value());
}

TEST(KScalesTest, UnpacksTheSixteenScalesOfQ3K) {
  const int scale_in[16] = {-32, 31, 0, -1, 17, -17, 8, -8, 30, -31, 5, -6, 12, -13, 25, -26};
  std::uint8_t packed[12] = {};
  for (int g = 0; g < 16; ++g) {
    const unsigned stored = static_cast<unsigned>(scale_in[g] + 32);
    packed[g % 8] = static_cast<std::uint8_t>(packed[g % 8] | (stored & 15U) << (g < 8 ? 0 : 4));
    packed[8 + g % 4] =
        static_cast<std::uint8_t>(packed[8 + g % 4] | (stored >> 4U) << (2 * (g / 4)));
  }
  for (int g = 0; g < 16; ++g) EXPECT_EQ(q3_k_scale(packed, g), scale_in[g]) << g;
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
  EXPECT_THAT(scale, ::testing::ElementsAreArray(scale_in));
  EXPECT_THAT(minimum, ::testing::ElementsAreArray(minimum_in));
}

}  // namespace
}  // namespace hangar
