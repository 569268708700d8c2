// Rows quantized on the card against e4m3's nearest numbers; and products of what is quantized.
#include "backend/cuda/quantize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backend/cuda/matmul_test_support.h"

namespace hangar::cuda {
namespace {

class QuantizeTest : public ProductTest {
 protected:
  struct Made {
    std::vector<std::uint8_t> codes;
    Numbers scales;
  };
  template <typename Run>
  Made make(std::int64_t rows, std::int64_t columns, std::int64_t stride, Run&& run) {
    const Numbers nothing(static_cast<std::size_t>(rows), -1.0F);
    const Activation scales = put(nothing, 1, rows, DType::kF32);
    auto* data = static_cast<std::uint8_t*>(take(static_cast<std::size_t>(rows * stride), 256));
    HANGAR_CUDA(
        cudaMemsetAsync(data, 0xAB, static_cast<std::size_t>(rows * stride), launch_.stream));
    run(QuantizedRows{data, stride, scales.f32()});
    std::vector<std::uint8_t> all(static_cast<std::size_t>(rows * stride));
    HANGAR_CUDA(
        cudaMemcpyAsync(all.data(), data, all.size(), cudaMemcpyDeviceToHost, launch_.stream));
    Made made{{}, get(scales)};
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < stride; ++c) {
        const std::uint8_t code = all[static_cast<std::size_t>(r * stride + c)];
        if (c < columns) {
          made.codes.push_back(code);
        } else {
          EXPECT_EQ(code, 0xAB) << "written beside row " << r;
        }
      }
    }
    return made;
  }
  static void expect_rows(const Made& made, const Numbers& want, std::int64_t rows,
                          std::int64_t columns) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto* row = want.data() + r * columns;
      float largest = 0.0F;
      for (std::int64_t c = 0; c < columns; ++c) largest = std::max(largest, std::abs(row[c]));
      const float scale = made.scales[static_cast<std::size_t>(r)];
      ASSERT_NEAR(scale, largest / 448.0F, 2e-6F * largest) << "row " << r;
      for (std::int64_t c = 0; c < columns; ++c) {
        const float got =
            scale * float8_e4m3_to_float(made.codes[static_cast<std::size_t>(r * columns + c)]);
        // Half a step of 3 bits of mantissa, or of the smallest numbers.
        const float allowed = std::max(std::abs(row[c]) * 0x1.02p-4F, scale * 0x1.02p-10F);
        ASSERT_NEAR(got, row[c], allowed) << "row " << r << " column " << c;
      }
    }
  }
};

constexpr std::pair<std::int64_t, std::int64_t> kSizes[] = {
    {1, 1}, {3, 7}, {2, 64}, {5, 576}, {4, 4096}, {3, 14336}, {2, 20001}, {300, 128}};

TEST_P(QuantizeTest, RowsKeepTheirNumbers) {
  for (const DType from : {type(), DType::kF32}) {
    for (const auto& [rows, columns] : kSizes) {
      SCOPED_TRACE(fmt::format("{} x {} of {}", rows, columns, dtype_name(from)));
      start_over();
      Numbers x = random(rows * columns, from, 3.0F);
      for (std::int64_t c = 0; c < columns; ++c) x[static_cast<std::size_t>(c)] *= 1e-3F;
      for (float& value : x) value = round_to(from, value);
      const Activation input = put(x, rows, columns, from, columns + 8);
      const Made made = make(rows, columns, (columns + 15) / 16 * 16,
                             [&](const QuantizedRows& to) { quantize_rows(launch_, to, input); });
      expect_rows(made, x, rows, columns);
      if (HasFailure()) return;
    }
  }
}

TEST_P(QuantizeTest, AGateGoesOnTheWay) {
  for (const GateFunction f : {GateFunction::kSilu, GateFunction::kGeluTanh}) {
    for (const auto& [rows, columns] : kSizes) {
      SCOPED_TRACE(fmt::format("{} x {}", rows, columns));
      start_over();
      const Numbers gate = random(rows * columns, type(), 2.0F);
      const Numbers up = random(rows * columns, type(), 3.0F);
      Numbers want;
      for (std::size_t i = 0; i < gate.size(); ++i) {
        const auto x = static_cast<double>(gate[i]);
        const double u = 1.5957691216 * (x + 0.044715 * x * x * x);
        const double in = f == GateFunction::kSilu ? x : u;
        want.push_back(static_cast<float>(x / (1.0 + std::exp(-in)) * static_cast<double>(up[i])));
      }
      const Activation gates = put(gate, rows, columns, type(), columns + 8);
      const Activation ups = put(up, rows, columns, type(), columns + 8);
      const Made made = make(rows, columns, (columns + 15) / 16 * 16, [&](const QuantizedRows& to) {
        quantize_gated_rows(launch_, to, gates, ups, f);
      });
      expect_rows(made, want, rows, columns);
      if (HasFailure()) return;
    }
  }
  const Activation one = put(Numbers(16, 1.0F), 1, 16, type());
  const QuantizedRows nowhere{nullptr, 16, nullptr};
  EXPECT_THROW(quantize_gated_rows(launch_, nowhere, one, one, GateFunction::kGelu),
               std::invalid_argument);
}

TEST_P(QuantizeTest, ARowOfZerosStaysSo) {
  Numbers x(2 * 64, 0.0F);
  x[70] = 5.0F;
  const Activation input = put(x, 2, 64, type());
  const Made made =
      make(2, 64, 64, [&](const QuantizedRows& to) { quantize_rows(launch_, to, input); });
  EXPECT_EQ(made.scales[0], 0.0F);
  for (int c = 0; c < 64; ++c) EXPECT_EQ(made.codes[static_cast<std::size_t>(c)] & 0x7FU, 0U);
  expect_rows(made, x, 2, 64);
}

TEST_P(QuantizeTest, NormsOnTheWay) {
  for (const auto& [rows, columns] : kSizes) {
    SCOPED_TRACE(fmt::format("{} x {}", rows, columns));
    start_over();
    const Numbers x = random(rows * columns, DType::kF32, 2.0F);
    const Numbers weight = random(columns, DType::kF32);
    Numbers normed;
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* row = x.data() + r * columns;
      double squares = 0.0;
      for (std::int64_t c = 0; c < columns; ++c) squares += static_cast<double>(row[c]) * row[c];
      const double factor = 1.0 / std::sqrt(squares / static_cast<double>(columns) + 1e-5);
      for (std::int64_t c = 0; c < columns; ++c) {
        normed.push_back(static_cast<float>(
            row[c] * factor * static_cast<double>(weight[static_cast<std::size_t>(c)])));
      }
    }
    const Activation input = put(x, rows, columns, DType::kF32);
    const float* weights = put(weight, 1, columns, DType::kF32).f32();
    const Made made = make(rows, columns, (columns + 15) / 16 * 16, [&](const QuantizedRows& to) {
      quantize_normed_rows(launch_, to, input, weights, 1e-5F);
    });
    expect_rows(made, normed, rows, columns);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, QuantizeTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
