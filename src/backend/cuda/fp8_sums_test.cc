// How sums of FP8 products are kept in steps of many rows (Fp8Sums), where cuBLASLt takes them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "backend/cuda/matmul.h"
#include "backend/cuda/matmul_test_support.h"
#include "backend/cuda/products.h"

namespace hangar::cuda {
namespace {

class Fp8SumsTest : public ProductTest {
 protected:
  static constexpr std::int64_t kOutputs = 64;
  static constexpr std::int64_t kColumns = 14336;

  void SetUp() override {
    ProductTest::SetUp();
    if (IsSkipped()) return;
    if (!launch_.hopper) GTEST_SKIP() << "FP8 products want compute capability 9.0";
  }

  // y {rows, kOutputs}, in float32, and what it should be.
  struct Result {
    Numbers got, want;
  };
  Result multiply(Fp8Sums sums, std::int64_t rows, const Numbers& x, const Numbers& w) {
    start_over();
    void* workspace = take(kMatmulWorkspaceBytes, 256);
    Products products(workspace, kMatmulWorkspaceBytes, sums);
    const Activation input = put(x, rows, kColumns, DType::kF8E4M3);
    const Activation weight = put(w, kOutputs, kColumns, DType::kF8E4M3);
    const Activation y = empty(rows, kOutputs, DType::kF32);
    Product product =
        ProductTest::product_of(weight.data, DType::kF8E4M3, input, y, ProductOutput::kFull);
    const Numbers ones(static_cast<std::size_t>(std::max(rows, kOutputs)), 1.0F);
    product.weight_scales = put(ones, 1, kOutputs, DType::kF32).f32();
    product.x_scales = put(ones, 1, rows, DType::kF32).f32();
    products.multiply(launch_, product);
    return {get(y), product_in_double(x, w, rows, kColumns)};
  }
  Numbers positive(std::int64_t rows) {
    std::uniform_real_distribution<float> spread(0.0F, 8.0F);
    Numbers values(static_cast<std::size_t>(rows * kColumns));
    for (float& value : values) value = round_to(DType::kF8E4M3, spread(random_));
    return values;
  }
  Numbers signs(std::int64_t rows) { return random(rows * kColumns, DType::kF8E4M3, 8.0F); }
};

// Even where all terms are of one sign nothing is cut off.
TEST_P(Fp8SumsTest, ExactOnesHaveNoBias) {
  const std::int64_t rows = kExactSumRows + 1;
  const auto [got, want] = multiply(Fp8Sums::kExact, rows, positive(rows), positive(kOutputs));
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], 2e-3 * std::abs(want[i])) << i;
  }
}

// Less than a seventh of what rounding to FP8 costs, where terms have both signs.
TEST_P(Fp8SumsTest, FastOnesErrByLittle) {
  constexpr double kRounding = 0.037;  // of x and W to e4m3, normally distributed
  for (const std::int64_t rows : {kExactSumRows + 1, std::int64_t{512}}) {
    const auto [got, want] = multiply(Fp8Sums::kFast, rows, signs(rows), signs(kOutputs));
    EXPECT_LT(off(got, want), kRounding / 7) << rows << " rows";
  }
}

TEST_P(Fp8SumsTest, FewRowsAreExactAlways) {
  const Numbers x = positive(kExactSumRows);
  const Numbers w = positive(kOutputs);
  EXPECT_EQ(multiply(Fp8Sums::kFast, kExactSumRows, x, w).got,
            multiply(Fp8Sums::kExact, kExactSumRows, x, w).got);
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, Fp8SumsTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
