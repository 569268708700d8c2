// Products by AMX tiles: what is built on them, on tiles in plain code; where the machine has AMX
// the shared suite (matmul_test.cc, weight_forms_test.cc) runs them in hardware as "AVX3_DL_AMX".
#include "backend/cpu/amx.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "backend/cpu/amx_dense_matmul-inl.h"
#include "backend/cpu/amx_dense_matmul.h"
#include "backend/cpu/amx_int_matmul.h"
#include "backend/cpu/emulated_tiles.h"
#include "backend/cpu/int_matmul.h"
#include "backend/cpu/ops_test_support.h"
#include "quant/view_rows.h"
#if defined(__x86_64__)
#include "backend/cpu/amx_int_matmul-inl.h"
#endif

namespace hangar::cpu {
namespace {

using ::testing::Each;

class AmxTest : public OpsTest {
 protected:
  AmxTest() : OpsTest(1) {}

  Bf16Rows rounded(std::int64_t rows, std::int64_t columns, const std::vector<float>& x) {
    EXPECT_TRUE(rounded_.reserve(rows, columns).has_value());
    const Bf16Rows to = rounded_.view(rows, columns);
    for (std::int64_t r = 0; r < rows; ++r) {
      round_bf16_row(to, r, x.data() + r * columns, true);
    }
    return to;
  }

  // y with a margin of one output on the right that nobody writes.
  struct Output {
    Output(std::int64_t row_count, std::int64_t outputs, float fill)
        : rows(row_count),
          stride(outputs + 1),
          values(static_cast<std::size_t>(rows * stride), fill) {}
    float at(std::int64_t row, std::int64_t output) const {
      return values[static_cast<std::size_t>(row * stride + output)];
    }
    std::int64_t rows;
    std::int64_t stride;
    std::vector<float> values;
  };

  ThreadPool pool_{1};
  Bf16RowsBuffer rounded_;
};

constexpr bool kPlanes[] = {false, true};

TEST_F(AmxTest, DenseProductsAreThoseOfRoundedInputs) {
  EmulatedTiles::configure(tile_config(TileLayout::kBf16));
  for (const auto& [outputs, columns, rows] :
       {std::tuple<std::int64_t, std::int64_t, std::int64_t>{2, 1, 1},
        {16, 32, 16},
        {17, 33, 17},
        {50, 95, 33},
        {33, 64, 48},
        {70, 130, 31},
        {33, 1100, 40},     // over the ends of blocks of columns, in two planes too
        {290, 560, 17}}) {  // and of groups of panels
    const TensorView view = random_view(DType::kBF16, outputs, columns);
    const DensePanels w = pack_dense_panels(view, pool_).value();
    const std::vector<float> floats = random_floats(rows * columns);
    const Bf16Rows x = rounded(rows, columns, floats);
    for (const bool low : kPlanes) {
      SCOPED_TRACE(fmt::format("{}x{}, {} rows, low {}", outputs, columns, rows, low));
      Output y(rows, outputs, -7.0F);
      amx_dense_matmul_by<EmulatedTiles>(w, 0, w.panels(), x, low, 0, rows, y.values.data(),
                                         y.stride);
      std::vector<float> weight(static_cast<std::size_t>(columns));
      for (std::int64_t o = 0; o < outputs; ++o) {
        dequantize_view_row(view, o, weight.data());
        for (std::int64_t r = 0; r < rows; ++r) {
          double want = 0.0;
          double sizes = 0.0;
          for (std::int64_t c = 0; c < columns; ++c) {
            const float value = floats[static_cast<std::size_t>(r * columns + c)];
            const float high = bfloat16_to_float(float_to_bfloat16(value));
            const float rest = bfloat16_to_float(float_to_bfloat16(value - high));
            const double product =
                double{weight[static_cast<std::size_t>(c)]} * (high + (low ? rest : 0.0F));
            want += product;
            sizes += std::abs(product);
          }
          ASSERT_NEAR(y.at(r, o), want, 1e-6 * sizes) << "row " << r << " output " << o;
        }
      }
      for (std::int64_t r = 0; r < rows; ++r) ASSERT_EQ(y.at(r, outputs), -7.0F);
    }
  }
}

TEST_F(AmxTest, ARowOfADenseProductDoesNotDependOnTheOthers) {
  EmulatedTiles::configure(tile_config(TileLayout::kBf16));
  const std::int64_t columns = 96;
  const TensorView view = random_view(DType::kBF16, 40, columns);
  const DensePanels w = pack_dense_panels(view, pool_).value();
  const std::vector<float> floats = random_floats(50 * columns);
  Output together(50, 40, 0.0F);
  amx_dense_matmul_by<EmulatedTiles>(w, 0, 3, rounded(50, columns, floats), true, 0, 50,
                                     together.values.data(), together.stride);
  for (const std::int64_t r : {0, 15, 16, 33, 49}) {
    const std::vector<float> row(floats.begin() + r * columns, floats.begin() + (r + 1) * columns);
    Output alone(1, 40, 0.0F);
    const Bf16Rows x = rounded(1, columns, row);
    for (std::int64_t p = 0; p < 3; ++p) {
      amx_dense_matmul_by<EmulatedTiles>(w, p, p + 1, x, true, 0, 1, alone.values.data(),
                                         alone.stride);
    }
    expect_same_bits(
        std::span(together.values).subspan(static_cast<std::size_t>(r * together.stride), 40),
        std::span(alone.values).first(40));
  }
}

#if defined(__x86_64__)

bool has_vnni() {
  return std::ranges::any_of(supported_instruction_sets(), [](const InstructionSet& set) {
    return instruction_set_name(set).starts_with("AVX3_DL");
  });
}

class AmxIntTest : public AmxTest, public ::testing::WithParamInterface<DType> {
 protected:
  // Of a tensor's panels, all forms that it can take: its scales and zero points decide.
  std::vector<TensorView> forms(DType dtype, std::int64_t outputs, std::int64_t columns) {
    std::vector<TensorView> views = {random_view(dtype, outputs, columns)};
    if (dtype != DType::kInt4G32 && dtype != DType::kInt8G32) return views;
    for (const bool symmetric : {false, true}) {
      views.push_back(random_view(dtype, outputs, columns));
      std::vector<std::byte>& bytes = bytes_.back();
      for (std::size_t at = 0; at < bytes.size(); at += dtype_info(dtype).block_bytes) {
        const float scale = half_to_float(float_to_half(random_floats(1, 0.02F)[0]));
        std::memcpy(bytes.data() + at, &scale, sizeof(scale));
        const std::int32_t middle = dtype == DType::kInt4G32 ? 8 : 128;
        if (symmetric) std::memcpy(bytes.data() + at + 4, &middle, sizeof(middle));
      }
    }
    return views;
  }

  struct Quantized {
    QuantizedRows rows;
    AmxRows tiles;
  };
  Quantized quantized(std::int64_t rows, std::int64_t columns) {
    EXPECT_TRUE(quantized_.reserve(rows, columns).has_value());
    EXPECT_TRUE(tiles_.reserve(rows, columns).has_value());
    const Quantized x = {quantized_.view(rows, columns), tiles_.view(rows, columns)};
    const std::vector<float> floats = random_floats(rows * columns);
    for (std::int64_t r = 0; r < rows; ++r) {
      quantize_row(x.rows, r, floats.data() + r * columns, nullptr);
      if (r < x.tiles.rows) pack_amx_row(x.tiles, x.rows, r);
    }
    return x;
  }

  template <typename Product>
  void expect_same_as_vnni(std::int64_t rows, std::int64_t first_row, const Product& product) {
    if (!has_vnni()) GTEST_SKIP() << "this processor has no AVX512-VNNI";
    for (const TensorView& view : forms(GetParam(), 21, 768)) {
      const IntPanels w = pack_int_panels(view, pool_).value();
      const Quantized x = quantized(rows, 768);
      for (const bool accumulate : kPlanes) {
        SCOPED_TRACE(fmt::format("half {} offset {} zero {} accumulate {}", w.half_scales,
                                 static_cast<int>(w.offset), w.zero_point, accumulate));
        Output got(rows, 21, 3.0F);
        Output want(rows, 21, 3.0F);
        int_matmul({w, 0, w.panels(), x.rows, first_row, rows, want.values.data(), want.stride,
                    accumulate});
        product(
            {w, 0, w.panels(), x.rows, first_row, rows, got.values.data(), got.stride, accumulate},
            x.tiles);
        expect_same_bits(got.values, want.values);
        if (first_row > 0) {
          ASSERT_EQ(got.at(0, 0), 3.0F);
        }
        ASSERT_NE(got.at(first_row, 0), 3.0F);
      }
    }
  }

  QuantizedRowsBuffer quantized_;
  AmxRowsBuffer tiles_;
};

TEST_P(AmxIntTest, TheSameBitsAsWithoutTiles) {
  // Over the ends of blocks of rows and of columns, and from a row other than the first.
  using Rows = std::pair<std::int64_t, std::int64_t>;
  for (const auto& [rows, first_row] : {Rows{32, 0}, {288, 16}}) {
    expect_same_as_vnni(rows, first_row, [](const IntProduct& product, const AmxRows& x) {
      EmulatedTiles::configure(tile_config(amx_int_layout(product.w)));
      amx_int_matmul_by<EmulatedTiles>(product, x);
    });
  }
}

TEST_P(AmxIntTest, TheSameBitsInHardware) {
  if (!amx_available()) GTEST_SKIP() << "this processor, or its system, has no AMX";
  for (const std::int64_t rows : {15, 16, 47, 300}) {
    expect_same_as_vnni(rows, 0, [](const IntProduct& product, const AmxRows& x) {
      TileScope tiles;
      tiles.use(amx_int_layout(product.w));
      amx_int_matmul(product, x);
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Types, AmxIntTest,
                         ::testing::Values(DType::kQ4_0, DType::kQ4_1, DType::kQ8_0, DType::kQ2_K,
                                           DType::kQ4_K, DType::kQ5_1, DType::kQ6_K,
                                           DType::kInt4G32, DType::kInt8G32),
                         [](const auto& test) { return std::string(dtype_name(test.param)); });

TEST_F(AmxTest, HardwareTilesComputeAsTheManualSays) {
  if (!amx_available()) GTEST_SKIP() << "this processor, or its system, has no AMX";
  const std::int64_t columns = 160;
  const TensorView view = random_view(DType::kBF16, 40, columns);
  const DensePanels w = pack_dense_panels(view, pool_).value();
  const Bf16Rows x = rounded(40, columns, random_floats(40 * columns));
  Output want(40, 40, 0.0F);
  EmulatedTiles::configure(tile_config(TileLayout::kBf16));
  amx_dense_matmul_by<EmulatedTiles>(w, 0, 3, x, true, 0, 40, want.values.data(), want.stride);
  Output got(40, 40, 0.0F);
  TileScope tiles;
  tiles.use(TileLayout::kBf16);
  amx_dense_matmul(w, 0, 3, x, true, 0, 40, got.values.data(), got.stride);
  expect_near(got.values, want.values, 1e-4F, 1e-5F);
}

#endif

TEST_F(AmxTest, LayoutsFitTheRegisters) {
  for (const TileLayout layout :
       {TileLayout::kBf16, TileLayout::kInt8Groups32, TileLayout::kInt8Groups16}) {
    const TileConfig config = tile_config(layout);
    EXPECT_EQ(config.palette, 1);
    EXPECT_THAT(std::span(config.rows).subspan(8), Each(0));
    EXPECT_THAT(std::span(config.row_bytes).subspan(8), Each(0));
    for (int tile = 0; tile < 8; ++tile) {
      EXPECT_LE(config.rows[tile], 16);
      EXPECT_LE(config.row_bytes[tile], 64);
    }
  }
  EXPECT_EQ(sizeof(TileConfig), 64U);
}

}  // namespace
}  // namespace hangar::cpu
