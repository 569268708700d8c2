#include <algorithm>
#include <cmath>

#include "backend/cpu/ops_test_support.h"
#include "quant/view_rows.h"

namespace hangar::cpu {
namespace {

// Kernels take long rows in pieces and many rows in blocks: the pieces' seams must not show.
class CpuLongRowsTest : public CpuOpsTest {
 protected:
  std::vector<float> product(Backend& backend, const TensorView& w, std::int64_t rows,
                             const std::vector<float>& x) {
    const WeightPtr weight = backend.load_weight(w, InputPrecision::kFast).value();
    const Activation y = make_empty(backend, rows, weight->rows);
    const std::vector<Activation> ys = {y};
    const std::vector<const Weight*> weights = {weight.get()};
    backend.matmul(ys, make(backend, rows, weight->columns, x), weights);
    return values_of(backend, y);
  }

  // Integers up to 127, which 8 bits hold exactly, as each group of 32 has a 127.
  std::vector<float> exact_activations(std::int64_t n) {
    std::vector<float> x(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = i % 32 == 0 ? 127.0F : static_cast<float>(random_int(-127, 127));
    }
    return x;
  }
};

TEST_P(CpuLongRowsTest, ARowOfManyIsTheSameAloneAndByAnyExtension) {
  for (const DType dtype : {DType::kQ4_1, DType::kQ4_0, DType::kQ8_0, DType::kInt4G32,
                            DType::kInt8G32, DType::kQ6_K, DType::kQ2_K}) {
    const std::int64_t rows = 70;
    const std::int64_t columns = dtype_info(dtype).block_elements > 32 ? 1280 : 1184;
    SCOPED_TRACE(fmt::format("{}, {} columns", dtype_name(dtype), columns));
    const TensorView w = random_view(dtype, 21, columns);
    const std::vector<float> x = exact_activations(rows * columns);
    const std::vector<float> got = product(*cpu_, w, rows, x);
    const std::vector<float> want = product(*ref_, w, rows, x);
    std::vector<float> weight(static_cast<std::size_t>(columns));
    for (std::int64_t o = 0; o < w.rows(); ++o) {
      dequantize_view_row(w, o, weight.data());
      double sum = 0.0;
      for (const float value : weight) sum += std::abs(value);
      for (std::int64_t r = 0; r < rows; ++r) {
        const auto i = static_cast<std::size_t>(r * w.rows() + o);
        // Both add about a thousand products in single precision, each in its own order.
        ASSERT_NEAR(got[i], want[i], 4e-6 * 127.0 * sum) << "row " << r << " output " << o;
      }
    }
    for (const std::int64_t r : {0, 3, 63, 64, 69}) {
      const auto from = x.begin() + r * columns;
      const std::vector<float> alone = product(*cpu_, w, 1, {from, from + columns});
      expect_same_bits(std::span(got).subspan(static_cast<std::size_t>(r * w.rows()), alone.size()),
                       alone);
    }
    // An extension changes how fast the integers are had, and nothing else.
    const InstructionSet set = std::get<0>(GetParam());
    force_instruction_set(InstructionSet{set.target, Extension::kNone});
    expect_same_bits(product(*cpu_, w, rows, x), got);
    force_instruction_set(set);
  }
}

HANGAR_INSTANTIATE_CPU_OPS(CpuLongRowsTest);

}  // namespace
}  // namespace hangar::cpu
