#include "backend/cpu/bf16_rows.h"

#include <cmath>
#include <limits>

#include "backend/cpu/ops_test_support.h"

namespace hangar::cpu {
namespace {

class Bf16RowsTest : public CpuOpsTest {
 protected:
  static float at(const Bf16Rows& x, const std::uint16_t* plane, std::int64_t row,
                  std::int64_t column) {
    return bfloat16_to_float(
        plane[x.row_at(row) + column / kBf16Block * kTileElements + column % kBf16Block]);
  }
};

TEST_P(Bf16RowsTest, RoundsToTheNearestInTwoPlanes) {
  for (const std::int64_t columns : {1, 31, 32, 33, 100}) {
    SCOPED_TRACE(columns);
    const std::int64_t rows = 35;
    std::vector<float> x = random_floats(rows * columns);
    x[0] = 1.0F + 0x1p-8F;                                  // half way: to the even one, 1
    x[static_cast<std::size_t>(columns)] = 1.0F + 0x3p-8F;  // to 1 + 0x1p-6
    Bf16RowsBuffer buffer;
    ASSERT_TRUE(buffer.reserve(rows, columns).has_value());
    const Bf16Rows to = buffer.view(rows, columns);
    std::fill_n(to.high, 2 * 48 * to.blocks() * kBf16Block, std::uint16_t{0x7FC0});
    for (std::int64_t r = 0; r < rows; ++r) {
      round_bf16_row(to, r, x.data() + r * columns, true);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        const float value = x[static_cast<std::size_t>(r * columns + c)];
        const float high = at(to, to.high, r, c);
        ASSERT_EQ(high, bfloat16_to_float(float_to_bfloat16(value)));
        ASSERT_EQ(at(to, to.low, r, c), bfloat16_to_float(float_to_bfloat16(value - high)));
      }
      for (std::int64_t c = columns; c < to.blocks() * kBf16Block; ++c) {
        ASSERT_EQ(at(to, to.high, r, c), 0.0F);
        ASSERT_EQ(at(to, to.low, r, c), 0.0F);
      }
    }
    EXPECT_EQ(at(to, to.high, 0, 0), 1.0F);
    EXPECT_EQ(at(to, to.high, 1, 0), 1.0F + 0x1p-6F);
  }
}

TEST_P(Bf16RowsTest, OnePlaneLeavesTheOtherAlone) {
  Bf16RowsBuffer buffer;
  ASSERT_TRUE(buffer.reserve(1, 32).has_value());
  const Bf16Rows to = buffer.view(1, 32);
  std::fill_n(to.low, 32, std::uint16_t{7});
  round_bf16_row(to, 0, random_floats(32).data(), false);
  EXPECT_EQ(std::vector<std::uint16_t>(to.low, to.low + 32), std::vector<std::uint16_t>(32, 7));
}

TEST_P(Bf16RowsTest, WhatIsNoNumberStaysSo) {
  std::vector<float> x(32, 1.0F);
  x[3] = std::bit_cast<float>(0x7FFFFFFFU);
  x[4] = -std::bit_cast<float>(0x7F800001U);
  x[5] = std::numeric_limits<float>::infinity();
  Bf16RowsBuffer buffer;
  ASSERT_TRUE(buffer.reserve(1, 32).has_value());
  const Bf16Rows to = buffer.view(1, 32);
  round_bf16_row(to, 0, x.data(), false);
  EXPECT_TRUE(std::isnan(at(to, to.high, 0, 3)));
  EXPECT_TRUE(std::isnan(at(to, to.high, 0, 4)));
  EXPECT_EQ(at(to, to.high, 0, 5), x[5]);
}

HANGAR_INSTANTIATE_CPU_OPS(Bf16RowsTest);

}  // namespace
}  // namespace hangar::cpu
