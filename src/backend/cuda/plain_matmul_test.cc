// The plain kernels against products in double.
#include <tuple>

#include "backend/cuda/matmul_test_support.h"
#include "backend/cuda/plain_matmul.h"

namespace hangar::cuda {
namespace {

struct Shape {
  std::int64_t outputs;
  std::int64_t columns;
};

// Fewer outputs than blocks, shares of one row and of several tiles, less than a slot of columns,
// columns that end within a slot and within a step of 32, inputs that need several chunks.
constexpr Shape kShapes[] = {{1, 8},      {3, 24},     {16, 512},   {17, 520},
                             {133, 64},   {576, 1536}, {2117, 512}, {31, 4096},
                             {300, 4104}, {40, 14336}, {4500, 2048}};

class PlainMatmulTest : public ProductTest {
 protected:
  // One random product, strides wider than the rows; `run` is one of the kernels.
  template <typename Run>
  void check_plain(Shape shape, std::int64_t rows, ProductOutput output, Run&& run,
                   std::int64_t padding = 8, std::int64_t offset = 0) {
    start_over();
    const auto [outputs, columns] = shape;
    const DType y_type = output == ProductOutput::kWork ? type() : DType::kF32;
    const Numbers w = random(outputs * columns, type());
    const Numbers x = random(rows * columns, type());
    const Numbers old =
        output == ProductOutput::kAdd ? random(rows * outputs, DType::kF32) : Numbers();
    auto made = weight(w, outputs, columns);
    if (outputs == 1) {  // as a matrix, which the kernels are made for
      const Activation matrix = put(w, 1, columns, type());
      made->data = matrix.data;
      made->dtype = type();
    }
    const Activation input = put(x, rows, columns, type(), columns + padding, offset);
    const Activation y = put(old, rows, outputs, y_type, outputs + padding + 3, offset);
    run(product_of(made->data, made->dtype, input, y, output));
    expect_product(get(y), x, w, rows, outputs, columns, y_type, old);
  }
};

TEST_P(PlainMatmulTest, DirectEqualsTheProduct) {
  for (const Shape shape : kShapes) {
    for (const std::int64_t rows : {1, 2, 5, 8}) {
      const auto output = static_cast<ProductOutput>(rows % 3);
      SCOPED_TRACE(fmt::format("{} x {}, {} rows", shape.outputs, shape.columns, rows));
      check_plain(shape, rows, output, [&](const Product& product) {
        ASSERT_TRUE(can_multiply_directly(product));
        direct_matmul(launch_, product);
      });
      if (HasFailure()) return;
    }
  }
}

TEST_P(PlainMatmulTest, ScalarTakesAnySizesStridesAndPlaces) {
  for (const Shape shape : {Shape{1, 1}, Shape{7, 3}, Shape{33, 65}, Shape{130, 257}}) {
    for (const std::int64_t rows : {1, 2, 8, 9, 40}) {
      const auto output = static_cast<ProductOutput>(rows % 3);
      SCOPED_TRACE(fmt::format("{} x {}, {} rows", shape.outputs, shape.columns, rows));
      check_plain(
          shape, rows, output,
          [&](const Product& product) {
            EXPECT_FALSE(can_multiply_directly(product));
            scalar_matmul(launch_, product);
          },
          1, 3);
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, PlainMatmulTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
