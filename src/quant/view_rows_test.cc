#include "quant/view_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>

namespace hangar {
namespace {

using ::testing::ElementsAre;

std::vector<float> row_of(const TensorView& view, std::int64_t row) {
  std::vector<float> out(static_cast<std::size_t>(view.columns()), -99.0F);
  dequantize_view_row(view, row, out.data());
  return out;
}

// 1, 2, 4, .. and their negatives in the second row, the third as the first.
constexpr std::array<std::uint8_t, 15> kFp8 = {0x38, 0x40, 0x48, 0x50, 0x58, 0xB8, 0xC0, 0xC8,
                                               0xD0, 0xD8, 0x38, 0x40, 0x48, 0x50, 0x58};

TensorView fp8_view() {
  return {.name = "w",
          .dtype = DType::kF8E4M3,
          .shape = {3, 5},
          .data = std::as_bytes(std::span(kFp8))};
}

TEST(ViewRowsTest, WithoutScalesOrOrderItIsTheRow) {
  EXPECT_THAT(row_of(fp8_view(), 0), ElementsAre(1, 2, 4, 8, 16));
  EXPECT_THAT(row_of(fp8_view(), 1), ElementsAre(-1, -2, -4, -8, -16));
}

TEST(ViewRowsTest, MultipliesByTheScaleOfTheTensorTheRowOrTheBlock) {
  TensorView view = fp8_view();
  view.scales = std::make_shared<ScaleGrid>(ScaleGrid{{0.5F}, 3, 5});
  EXPECT_THAT(row_of(view, 2), ElementsAre(0.5F, 1, 2, 4, 8));
  view.scales = std::make_shared<ScaleGrid>(ScaleGrid{{1, 10, 100}, 1, 5});
  EXPECT_THAT(row_of(view, 1), ElementsAre(-10, -20, -40, -80, -160));
  // Blocks of 2 x 3: the last ones are cut off by the edges.
  view.scales = std::make_shared<ScaleGrid>(ScaleGrid{{1, 10, 100, 1000}, 2, 3});
  EXPECT_THAT(row_of(view, 1), ElementsAre(-1, -2, -4, -80, -160));
  EXPECT_THAT(row_of(view, 2), ElementsAre(100, 200, 400, 8000, 16000));
}

TEST(ViewRowsTest, PutsStoredColumnsWhereTheirInputsAre) {
  TensorView view = fp8_view();
  view.input_order =
      std::make_shared<std::vector<std::int32_t>>(std::vector<std::int32_t>{4, 0, 3, 1, 2});
  EXPECT_THAT(row_of(view, 0), ElementsAre(2, 8, 16, 4, 1));
  // Scales are those of the stored columns.
  view.scales = std::make_shared<ScaleGrid>(ScaleGrid{{1, 10}, 3, 3});
  EXPECT_THAT(row_of(view, 0), ElementsAre(2, 80, 160, 4, 1));
}

}  // namespace
}  // namespace hangar
