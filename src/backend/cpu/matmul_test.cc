#include <algorithm>
#include <cmath>

#include "backend/cpu/ops_test_support.h"
#include "quant/view_rows.h"

namespace hangar::cpu {
namespace {

constexpr DType kAllTypes[] = {
    DType::kF32,  DType::kF16,    DType::kBF16,   DType::kQ4_0,  DType::kQ4_1,    DType::kQ5_0,
    DType::kQ5_1, DType::kQ8_0,   DType::kQ2_K,   DType::kQ3_K,  DType::kQ4_K,    DType::kQ5_K,
    DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS, DType::kMXFP4, DType::kInt4G32, DType::kInt8G32};

class CpuMatmulTest : public CpuOpsTest {
 protected:
  // Activations that 8 bits hold exactly: integers up to 127, which occurs in every group of 32,
  // times a power of two for each group.
  std::vector<float> exact_activations(std::int64_t rows, std::int64_t columns) {
    std::vector<float> x(static_cast<std::size_t>(rows * columns));
    float scale = 1.0F;
    for (std::int64_t i = 0; i < std::ssize(x); ++i) {
      const bool starts_group = i % columns % 32 == 0;
      if (starts_group) scale = std::ldexp(1.0F, static_cast<int>(random_int(-8, 2)));
      const std::int64_t q = starts_group ? 127 : random_int(-127, 127);
      x[static_cast<std::size_t>(i)] = static_cast<float>(q) * scale;
    }
    return x;
  }

  std::vector<float> product(Backend& backend, const TensorView& w, std::int64_t rows,
                             const std::vector<float>& x,
                             InputPrecision precision = InputPrecision::kFast) {
    const WeightPtr weight = backend.load_weight(w, precision).value();
    const Activation y = make_empty(backend, rows, weight->rows);
    const std::vector<Activation> ys = {y};
    const std::vector<const Weight*> weights = {weight.get()};
    backend.matmul(ys, make(backend, rows, weight->columns, x), weights);
    return values_of(backend, y);
  }

  // What of an input a product of this weight may lose: BF16 weights meet x in bf16 where the
  // processor multiplies that, in two planes (or floats) if it is to be fine.
  static double rounding_of_inputs(DType dtype, InputPrecision precision) {
    if (dtype != DType::kBF16) return 0.0;
    const Extension extension = extension_in_use();
    if (precision == InputPrecision::kFine) return extension == Extension::kAmx ? 0x1p-16 : 0.0;
    const bool rounds = extension == Extension::kAmx || extension == Extension::kAvxBf16;
    return rounds ? 0x1p-8 : 0.0;
  }

  // Rounding alone: each of a row's products is within a few units of 2^-24 of the row's largest,
  // and `inputs` of what it is.
  void expect_equal_but_for_rounding(const TensorView& w, std::int64_t rows,
                                     const std::vector<float>& x, double inputs = 0.0,
                                     InputPrecision precision = InputPrecision::kFast) {
    const std::vector<float> got = product(*cpu_, w, rows, x, precision);
    const std::vector<float> want = product(*ref_, w, rows, x);
    ASSERT_EQ(got.size(), want.size());
    std::vector<float> weight(static_cast<std::size_t>(w.columns()));
    for (std::int64_t o = 0; o < w.rows(); ++o) {
      dequantize_view_row(w, o, weight.data());
      float largest = 0.0F;
      for (const float value : weight) largest = std::max(largest, std::abs(value));
      for (std::int64_t r = 0; r < rows; ++r) {
        double sum = 0.0;
        for (std::int64_t c = 0; c < w.columns(); ++c) {
          sum += std::abs(x[static_cast<std::size_t>(r * w.columns() + c)]);
        }
        const auto i = static_cast<std::size_t>(r * w.rows() + o);
        ASSERT_NEAR(got[i], want[i], (4e-6 + inputs) * sum * static_cast<double>(largest) + 1e-30)
            << "row " << r << " output " << o;
      }
    }
  }
};

TEST_P(CpuMatmulTest, EqualsTheReferenceWhereEightBitsAreExact) {
  for (const DType dtype : kAllTypes) {
    const std::int64_t block = dtype_info(dtype).block_elements;
    for (const auto& [outputs, groups, rows] :
         {std::tuple<std::int64_t, std::int64_t, std::int64_t>{2, 32, 1},
          {15, 32, 2},
          {16, 96, 3},
          {17, 32, 13},
          {50, 160, 8},
          {33, 320, 5}}) {
      const std::int64_t columns = (groups + block - 1) / block * block;
      SCOPED_TRACE(fmt::format("{} {}x{}, {} rows", dtype_name(dtype), outputs, columns, rows));
      expect_equal_but_for_rounding(random_view(dtype, outputs, columns), rows,
                                    exact_activations(rows, columns));
    }
  }
}

TEST_P(CpuMatmulTest, TakesAnyNumberOfColumnsOfFloatingWeights) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const InputPrecision precision : {InputPrecision::kFast, InputPrecision::kFine}) {
      for (const std::int64_t columns : {1, 3, 17, 31, 32, 70, 512, 513, 5000}) {
        SCOPED_TRACE(fmt::format("{} columns of {}, fine {}", columns, dtype_name(dtype),
                                 precision == InputPrecision::kFine));
        expect_equal_but_for_rounding(random_view(dtype, 7, columns), 3, random_floats(3 * columns),
                                      rounding_of_inputs(dtype, precision), precision);
      }
    }
  }
}

TEST_P(CpuMatmulTest, TakesAnyNumberOfRowsAndOutputsOfFloatingWeights) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const std::int64_t outputs : {1, 2, 16, 31, 48, 65}) {
      const TensorView w = random_view(dtype, outputs, 37);
      for (std::int64_t rows = 1; rows <= 34; ++rows) {
        SCOPED_TRACE(fmt::format("{} outputs of {}, {} rows", outputs, dtype_name(dtype), rows));
        const auto precision = rows % 2 == 0 ? InputPrecision::kFast : InputPrecision::kFine;
        expect_equal_but_for_rounding(w, rows, random_floats(rows * 37),
                                      rounding_of_inputs(dtype, precision), precision);
      }
    }
  }
}

TEST_P(CpuMatmulTest, ReadsFloatingWeightsThatTheFileDoesNotAlign) {
  std::vector<std::byte> bytes = random_weight(DType::kF32, 5, 40);
  bytes.insert(bytes.begin(), std::byte{0});
  TensorView w = view(DType::kF32, {5, 40}, bytes);
  w.data = w.data.subspan(1);
  expect_equal_but_for_rounding(w, 2, random_floats(80));
}

TEST_P(CpuMatmulTest, ManyRowsAreCutIntoBlocks) {
  expect_equal_but_for_rounding(random_view(DType::kQ4_1, 20, 32), 300, exact_activations(300, 32));
  expect_equal_but_for_rounding(random_view(DType::kF16, 20, 32), 300, random_floats(300 * 32));
}

TEST_P(CpuMatmulTest, ExtremeCodesDoNotOverflow) {
  // Every product of the largest magnitude and the same sign.
  for (const int q : {-128, -127, 127}) {
    for (const float sign : {1.0F, -1.0F}) {
      std::vector<std::byte> bytes(34 * 16 * 2, static_cast<std::byte>(q));
      for (std::size_t at = 0; at < bytes.size(); at += 34) {
        const std::uint16_t one = float_to_half(1.0F);
        std::memcpy(bytes.data() + at, &one, sizeof(one));
      }
      const TensorView w = view(DType::kQ8_0, {16, 64}, bytes);
      const std::vector<float> x(64, 127.0F * sign);
      expect_near(product(*cpu_, w, 1, x), product(*ref_, w, 1, x), 0.0F, 1e-6F);
    }
  }
  const TensorView w4 = view(DType::kQ4_1, {16, 32}, [] {
    std::vector<std::byte> bytes(20 * 16, std::byte{0xFF});
    for (std::size_t at = 0; at < bytes.size(); at += 20) {
      const std::uint16_t halves[2] = {float_to_half(1.0F), float_to_half(-3.0F)};
      std::memcpy(bytes.data() + at, halves, sizeof(halves));
    }
    return bytes;
  }());
  const std::vector<float> x(32, -127.0F);
  EXPECT_EQ(product(*cpu_, w4, 1, x), std::vector<float>(16, -127.0F * 32 * 12));
}

TEST_P(CpuMatmulTest, OrdinaryActivationsAreWithinTheirQuantizationError) {
  // |y - y_ref| <= sum |w| * scale / 2 where scale = (largest |x| of the group) / 127; with a
  // second plane a 127th of that, and what float32 rounds.
  using Case = std::pair<DType, InputPrecision>;
  for (const auto& [dtype, precision] :
       {Case{DType::kQ4_1, InputPrecision::kFast}, Case{DType::kQ8_0, InputPrecision::kFast},
        Case{DType::kQ6_K, InputPrecision::kFast}, Case{DType::kQ2_K, InputPrecision::kFine},
        Case{DType::kInt4G32, InputPrecision::kFine}, Case{DType::kQ4_0, InputPrecision::kFine},
        Case{DType::kQ4_1, InputPrecision::kFine}, Case{DType::kQ8_0, InputPrecision::kFine},
        Case{DType::kQ6_K, InputPrecision::kFine}}) {
    SCOPED_TRACE(fmt::format("{} fine {}", dtype_name(dtype), precision == InputPrecision::kFine));
    const double share = precision == InputPrecision::kFine ? 1.0 / 127 : 1.0;
    const std::int64_t columns = 512;
    const TensorView w = random_view(dtype, 40, columns);
    std::vector<float> x = random_floats(3 * columns);
    std::fill_n(x.begin() + 64, 32, 0.0F);     // a group of zeros
    std::fill_n(x.begin() + 128, 32, 1e-38F);  // and one too small for a scale
    const std::vector<float> got = product(*cpu_, w, 3, x, precision);
    const std::vector<float> want = product(*ref_, w, 3, x);
    std::vector<float> weight(static_cast<std::size_t>(columns));
    for (std::size_t o = 0; o < 40; ++o) {
      dequantize_view_row(w, static_cast<std::int64_t>(o), weight.data());
      for (std::size_t r = 0; r < 3; ++r) {
        double bound = 0.0;
        double sum = 0.0;
        for (std::size_t c = 0; c < weight.size(); ++c) {
          const auto group =
              x.begin() + static_cast<std::ptrdiff_t>(r * weight.size() + c / 32 * 32);
          float largest = 0.0F;
          std::for_each_n(group, 32, [&](float v) { largest = std::max(largest, std::abs(v)); });
          bound += std::abs(static_cast<double>(weight[c])) * largest / 127 / 2;
          sum +=
              std::abs(static_cast<double>(weight[c])) * std::abs(double{x[r * weight.size() + c]});
        }
        ASSERT_NEAR(got[r * 40 + o], want[r * 40 + o], bound * share + 2e-6 * sum);
      }
    }
  }
}

TEST_P(CpuMatmulTest, SeveralWeightsShareOneX) {
  // Integer and floating weights, of different groups and sizes, in one call.
  const std::int64_t rows = 6;
  const std::int64_t columns = 256;
  const std::vector<float> x = exact_activations(rows, columns);
  const TensorView views[] = {
      random_view(DType::kQ4_K, 40, columns), random_view(DType::kQ6_K, 9, columns),
      random_view(DType::kF16, 21, columns), random_view(DType::kQ8_0, 16, columns)};
  std::vector<WeightPtr> owned;
  std::vector<const Weight*> weights;
  std::vector<Activation> ys;
  for (const TensorView& w : views) {
    owned.push_back(cpu_->load_weight(w, InputPrecision::kFast).value());
    weights.push_back(owned.back().get());
    ys.push_back(make_empty(*cpu_, rows, owned.back()->rows));
  }
  cpu_->matmul(ys, make(*cpu_, rows, columns, x), weights);
  for (std::size_t i = 0; i < ys.size(); ++i) {
    expect_same_bits(values_of(*cpu_, ys[i]), product(*cpu_, views[i], rows, x));
  }
}

TEST_P(CpuMatmulTest, ARowDoesNotDependOnItsCompanyOrOnThreads) {
  const auto alone = make_backend("cpu", 1).value();
  for (const DType dtype : kAllTypes) {
    SCOPED_TRACE(dtype_name(dtype));
    const InputPrecision precision =
        random_int(0, 1) == 0 ? InputPrecision::kFast : InputPrecision::kFine;
    const std::int64_t rows = 79;  // four tiles of 16 where there is AMX, then 8 + 4 + 2 + 1
    const std::int64_t columns = 512;
    const TensorView w = random_view(dtype, 37, columns);
    const std::vector<float> x = random_floats(rows * columns);
    const std::vector<float> together = product(*cpu_, w, rows, x, precision);
    for (const std::int64_t r : {0, 7, 8, 15, 16, 40, 63, 64, 72, 76, 78}) {
      const std::vector<float> row(x.begin() + r * columns, x.begin() + (r + 1) * columns);
      expect_same_bits(std::span(together).subspan(static_cast<std::size_t>(r * 37), 37),
                       product(*alone, w, 1, row, precision));
    }
  }
}

TEST_P(CpuMatmulTest, WeightsStayInTheirBits) {
  const auto bytes = [&](DType dtype) {
    return cpu_->load_weight(random_view(dtype, 64, 512), InputPrecision::kFast)
        .value()
        ->memory_bytes;
  };
  EXPECT_EQ(bytes(DType::kQ4_0), row_bytes(DType::kQ4_0, 512) * 64);
  EXPECT_EQ(bytes(DType::kQ4_1), row_bytes(DType::kQ4_1, 512) * 64);
  EXPECT_EQ(bytes(DType::kQ8_0), row_bytes(DType::kQ8_0, 512) * 64);
  EXPECT_EQ(bytes(DType::kF32), row_bytes(DType::kF32, 512) * 64);
  EXPECT_EQ(bytes(DType::kF16), row_bytes(DType::kF16, 512) * 64);
  EXPECT_EQ(bytes(DType::kBF16), row_bytes(DType::kBF16, 512) * 64);
  EXPECT_EQ(
      cpu_->load_weight(random_view(DType::kQ4_0, 64, 512), InputPrecision::kFast).value()->form,
      "int4 groups of 32");
}

HANGAR_INSTANTIATE_CPU_OPS(CpuMatmulTest);

}  // namespace
}  // namespace hangar::cpu
