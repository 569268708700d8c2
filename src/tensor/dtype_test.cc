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

class DTypeTest : public testing::TestWithParam<Expected> {};

TEST_P(DTypeTest, LayoutIsGgmls) {
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
    testing::Values(Expected{DType::kF32, "F32", 1, 4, 32}, Expected{DType::kF16, "F16", 1, 2, 16},
                    Expected{DType::kBF16, "BF16", 1, 2, 16},
                    Expected{DType::kI32, "I32", 1, 4, 32},
                    Expected{DType::kQ4_0, "Q4_0", 32, 2 + 16, 4.5},
                    Expected{DType::kQ4_1, "Q4_1", 32, 2 + 2 + 16, 5.0},
                    Expected{DType::kQ5_0, "Q5_0", 32, 2 + 4 + 16, 5.5},
                    Expected{DType::kQ5_1, "Q5_1", 32, 2 + 2 + 4 + 16, 6.0},
                    Expected{DType::kQ8_0, "Q8_0", 32, 2 + 32, 8.5},
                    Expected{DType::kQ4_K, "Q4_K", 256, 2 + 2 + 12 + 128, 4.5},
                    Expected{DType::kQ5_K, "Q5_K", 256, 2 + 2 + 12 + 32 + 128, 5.5},
                    Expected{DType::kQ6_K, "Q6_K", 256, 128 + 64 + 16 + 2, 6.5625}),
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
