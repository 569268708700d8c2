#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include "tensor/activation.h"
#include "tensor/tensor_view.h"

namespace hangar {
namespace {

struct Expected {
  DType dtype;
  const char* name;
  std::int64_t block_elements;
  std::size_t block_bytes;
  double bits;
};

class DTypeTest : public ::testing::TestWithParam<Expected> {};

TEST_P(DTypeTest, LayoutIsAsDefined) {
  const Expected& want = GetParam();
  EXPECT_EQ(dtype_name(want.dtype), want.name);
  EXPECT_EQ(dtype_info(want.dtype).block_elements, want.block_elements);
  EXPECT_EQ(dtype_info(want.dtype).block_bytes, want.block_bytes);
  EXPECT_DOUBLE_EQ(bits_per_element(want.dtype), want.bits);
  EXPECT_EQ(row_bytes(want.dtype, 3 * want.block_elements), 3 * want.block_bytes);
  EXPECT_EQ(row_bytes(want.dtype, 0), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    All, DTypeTest,
    ::testing::Values(Expected{DType::kF32, "F32", 1, 4, 32},
                      Expected{DType::kF16, "F16", 1, 2, 16},
                      Expected{DType::kBF16, "BF16", 1, 2, 16},
                      Expected{DType::kI32, "I32", 1, 4, 32},
                      Expected{DType::kQ4_0, "Q4_0", 32, 2 + 16, 4.5},
                      Expected{DType::kQ4_1, "Q4_1", 32, 2 + 2 + 16, 5.0},
                      Expected{DType::kQ5_0, "Q5_0", 32, 2 + 4 + 16, 5.5},
                      Expected{DType::kQ5_1, "Q5_1", 32, 2 + 2 + 4 + 16, 6.0},
                      Expected{DType::kQ8_0, "Q8_0", 32, 2 + 32, 8.5},
                      Expected{DType::kQ4_K, "Q4_K", 256, 2 + 2 + 12 + 128, 4.5},
                      Expected{DType::kQ5_K, "Q5_K", 256, 2 + 2 + 12 + 32 + 128, 5.5},
                      Expected{DType::kQ6_K, "Q6_K", 256, 128 + 64 + 16 + 2, 6.5625},
                      Expected{DType::kQ2_K, "Q2_K", 256, 16 + 64 + 2 + 2, 2.625},
                      Expected{DType::kQ3_K, "Q3_K", 256, 32 + 64 + 12 + 2, 3.4375},
                      Expected{DType::kIQ4_NL, "IQ4_NL", 32, 2 + 16, 4.5},
                      Expected{DType::kIQ4_XS, "IQ4_XS", 256, 2 + 2 + 4 + 128, 4.25},
                      Expected{DType::kMXFP4, "MXFP4", 32, 1 + 16, 4.25},
                      Expected{DType::kInt4G32, "INT4_G32", 32, 4 + 4 + 16, 6},
                      Expected{DType::kInt8G32, "INT8_G32", 32, 4 + 4 + 32, 10},
                      Expected{DType::kF8E4M3, "F8_E4M3", 1, 1, 8}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(TensorViewTest, OuterDimensionsAreRows) {
  const TensorView view{.name = "w", .dtype = DType::kF32, .shape = {2, 3, 5}, .data = {}};
  EXPECT_EQ(view.elements(), 30);
  EXPECT_EQ(view.columns(), 5);
  EXPECT_EQ(view.rows(), 6);
  const TensorView scalar{};
  EXPECT_EQ(scalar.elements(), 1);
  EXPECT_EQ(scalar.rows(), 1);
}

TEST(SliceRowsTest, TakesTheRowsWithTheirScalesAndOrder) {
  std::vector<std::byte> bytes(5 * 4);
  TensorView view{.name = "w", .dtype = DType::kF8E4M3, .shape = {5, 4}, .data = bytes};
  view.scales = std::make_shared<ScaleGrid>(ScaleGrid{{1, 2, 3, 4, 5, 6}, 2, 3});
  view.input_order = std::make_shared<std::vector<std::int32_t>>(std::vector{3, 2, 1, 0});
  const TensorView inside = slice_rows(view, 2, 2);  // the second block of rows
  EXPECT_EQ(inside.shape, (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(inside.data.data(), bytes.data() + 8);
  EXPECT_EQ(inside.data.size(), 8U);
  EXPECT_EQ(inside.scales->values, (std::vector<float>{3, 4}));
  EXPECT_EQ(inside.scales->block_columns, 3);
  EXPECT_EQ(inside.input_order, view.input_order);
  const TensorView across = slice_rows(view, 1, 4);  // parts of three blocks
  EXPECT_EQ(across.scales->block_rows, 1);
  EXPECT_EQ(across.scales->values, (std::vector<float>{1, 2, 3, 4, 3, 4, 5, 6}));
}

TEST(ActivationTest, RowsAreContiguousAndCanBeCut) {
  float data[6] = {0, 1, 2, 3, 4, 5};
  const Activation all{data, 3, 2, DType::kF32};
  EXPECT_EQ(all.row(2)[1], 5.0F);
  const Activation two = all.first_rows(2);
  EXPECT_EQ(two.rows, 2);
  EXPECT_EQ(two.columns, 2);
  EXPECT_EQ(two.f32(), data);
}

}  // namespace
}  // namespace hangar
