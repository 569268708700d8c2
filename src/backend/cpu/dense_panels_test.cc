#include "backend/cpu/dense_panels.h"

#include "backend/cpu/ops_test_support.h"
#include "quant/view_rows.h"

namespace hangar::cpu {
namespace {

class DensePanelsTest : public OpsTest {
 protected:
  DensePanelsTest() : OpsTest(1) {}
  ThreadPool pool_{3};
};

template <typename T>
T number_at(const DensePanels& w, std::int64_t panel, std::int64_t index) {
  T value;
  std::memcpy(&value, w.panel(panel) + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

TEST_F(DensePanelsTest, RowsAreTheFilesNumbers) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const auto& [outputs, columns] :
         {std::pair<std::int64_t, std::int64_t>{2, 1}, {16, 32}, {17, 33}, {100, 70}}) {
      SCOPED_TRACE(fmt::format("{} {}x{}", dtype_name(dtype), outputs, columns));
      const TensorView view = random_view(dtype, outputs, columns);
      const DensePanels w = pack_dense_panels(view, pool_).value();
      EXPECT_EQ(w.panels(), (outputs + 15) / 16);
      std::vector<float> got(static_cast<std::size_t>(columns));
      std::vector<float> want(got.size());
      for (std::int64_t r = 0; r < outputs; ++r) {
        read_dense_panel_row(w, r, got.data());
        dequantize_view_row(view, r, want.data());
        expect_same_bits(got, want);
      }
    }
  }
}

TEST_F(DensePanelsTest, Bf16GoesByPairsOfColumns) {
  const TensorView view = random_view(DType::kBF16, 18, 35);
  const DensePanels w = pack_dense_panels(view, pool_).value();
  EXPECT_EQ(w.panel_bytes, 64 * 16 * 2);
  std::vector<float> row(35);
  for (std::int64_t r = 0; r < 32; ++r) {
    if (r < 18) dequantize_view_row(view, r, row.data());
    for (std::int64_t c = 0; c < 64; ++c) {
      const float want = r < 18 && c < 35 ? row[static_cast<std::size_t>(c)] : 0.0F;
      const std::int64_t index = (c / 2 * 16 + r % 16) * 2 + c % 2;
      ASSERT_EQ(bfloat16_to_float(number_at<std::uint16_t>(w, r / 16, index)), want);
    }
  }
}

TEST_F(DensePanelsTest, OthersGoByColumns) {
  const TensorView floats = random_view(DType::kF32, 18, 5);
  const DensePanels w = pack_dense_panels(floats, pool_).value();
  EXPECT_EQ(w.panel_bytes, 5 * 64);
  const TensorView halves = random_view(DType::kF16, 18, 5);
  const DensePanels h = pack_dense_panels(halves, pool_).value();
  EXPECT_EQ(h.panel_bytes, 5 * 32);
  std::vector<float> row(5);
  std::vector<float> half_row(5);
  dequantize_view_row(floats, 17, row.data());
  dequantize_view_row(halves, 17, half_row.data());
  for (std::int64_t c = 0; c < 5; ++c) {
    EXPECT_EQ(number_at<float>(w, 1, c * 16 + 1), row[static_cast<std::size_t>(c)]);
    EXPECT_EQ(number_at<float>(w, 1, c * 16 + 2), 0.0F);
    EXPECT_EQ(half_to_float(number_at<std::uint16_t>(h, 1, c * 16 + 1)),
              half_row[static_cast<std::size_t>(c)]);
  }
}

TEST_F(DensePanelsTest, Fp8IsRoundedToBf16WithItsScales) {
  TensorView view = random_view(DType::kF8E4M3, 19, 40);
  view.scales = std::make_shared<ScaleGrid>(ScaleGrid{random_floats(19), 1, 40});
  const DensePanels w = pack_dense_panels(view, pool_).value();
  EXPECT_EQ(w.dtype, DType::kBF16);
  std::vector<float> got(40);
  std::vector<float> want(40);
  for (std::int64_t r = 0; r < 19; ++r) {
    read_dense_panel_row(w, r, got.data());
    dequantize_view_row(view, r, want.data());
    for (float& value : want) value = bfloat16_to_float(float_to_bfloat16(value));
    expect_same_bits(got, want);
  }
}

}  // namespace
}  // namespace hangar::cpu
