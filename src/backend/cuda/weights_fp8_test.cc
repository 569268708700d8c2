// Weights in FP8 on the card: quantized from every type, a file's own bytes, where they lie.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "backend/cuda/weights.h"
#include "backend/cuda/weights_test_support.h"
#include "quant/view_rows.h"
#include "tensor/float8.h"

namespace hangar::cuda {
namespace {

using Codes = std::vector<std::uint8_t>;

// Rounded to nearest, halves to the even code; beyond the largest number, that.
std::uint8_t to_e4m3(float value) {
  static const std::vector<float> numbers = [] {
    std::vector<float> positive(0x7F);
    for (std::size_t code = 0; code < positive.size(); ++code) {
      positive[code] = float8_e4m3_to_float(static_cast<std::uint8_t>(code));
    }
    return positive;
  }();
  const float magnitude = std::abs(value);
  const auto found = std::ranges::lower_bound(numbers, magnitude);
  std::size_t code = std::min(static_cast<std::size_t>(found - numbers.begin()), std::size_t{0x7E});
  if (code > 0) {
    const float up = numbers[code] - magnitude;
    const float down = magnitude - numbers[code - 1];
    if (down < up || (down == up && code % 2 == 1)) --code;
  }
  return static_cast<std::uint8_t>(code | (std::signbit(value) ? 0x80U : 0U));
}

struct Quantized {
  Codes codes;
  std::vector<float> scales;
};

// What quantize.h promises of these rows.
Quantized quantized(const std::vector<float>& values, std::int64_t columns) {
  constexpr float kLargest = 448.0F;
  Quantized out;
  const auto width = static_cast<std::size_t>(columns);
  for (std::size_t at = 0; at < values.size(); at += width) {
    float largest = 0.0F;
    for (std::size_t i = 0; i < width; ++i) largest = std::max(largest, std::abs(values[at + i]));
    const float factor = largest > 0.0F ? kLargest / largest : 0.0F;
    for (std::size_t i = 0; i < width; ++i) out.codes.push_back(to_e4m3(values[at + i] * factor));
    out.scales.push_back(largest / kLargest);
  }
  return out;
}

std::vector<float> numbers_in(const TensorView& w) {
  std::vector<float> values(static_cast<std::size_t>(w.elements()));
  for (std::int64_t r = 0; r < w.rows(); ++r) {
    dequantize_view_row(w, r, values.data() + r * w.columns());
  }
  return values;
}

class Fp8WeightsTest : public CudaWeightsTestBase {
 protected:
  CudaWeightPtr load_fp8(const TensorView& w) {
    auto loaded = loader_->load(w, WeightForm::kFp8);
    EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
    return loaded ? std::move(*loaded) : nullptr;
  }
  Quantized on_card(const CudaWeight& weight) {
    loader_->finish();
    Quantized got;
    got.codes.resize(static_cast<std::size_t>(weight.rows * weight.columns));
    got.scales.resize(static_cast<std::size_t>(weight.rows));
    HANGAR_CUDA(
        cudaMemcpy(got.codes.data(), weight.data, got.codes.size(), cudaMemcpyDeviceToHost));
    HANGAR_CUDA(cudaMemcpy(got.scales.data(), weight.scales, got.scales.size() * sizeof(float),
                           cudaMemcpyDeviceToHost));
    return got;
  }
  void expect_is(const CudaWeight& weight, const Quantized& want) {
    ASSERT_EQ(weight.layout, WeightForm::kFp8);
    EXPECT_EQ(weight.dtype, DType::kF8E4M3);
    EXPECT_EQ(weight.memory_bytes,
              static_cast<std::size_t>(weight.rows * weight.columns + 4 * weight.rows));
    const Quantized got = on_card(weight);
    expect_same_bits(got.scales, want.scales);
    ASSERT_EQ(got.codes.size(), want.codes.size());
    for (std::size_t i = 0; i < got.codes.size(); ++i) {
      ASSERT_EQ(int{got.codes[i]}, int{want.codes[i]}) << "element " << i;
    }
  }
  void expect_quantized(const TensorView& w) {
    const CudaWeightPtr weight = load_fp8(w);
    ASSERT_NE(weight, nullptr);
    expect_is(*weight, quantized(numbers_in(w), w.columns()));
  }
  // `block_rows` x `block_columns` of the matrix to a scale.
  TensorView scaled_view(std::int64_t rows, std::int64_t columns, std::int64_t block_rows,
                         std::int64_t block_columns) {
    TensorView w = random_view(DType::kF8E4M3, rows, columns);
    const std::int64_t scales =
        ((rows + block_rows - 1) / block_rows) * ((columns + block_columns - 1) / block_columns);
    w.scales = std::make_shared<ScaleGrid>(
        ScaleGrid{random_floats(scales, 0.01F), block_rows, block_columns});
    return w;
  }
};

TEST_P(Fp8WeightsTest, EveryTypeIsQuantizedRowByRow) {
  for (const DType dtype : kAllTypes) {
    if (dtype == DType::kF8E4M3) continue;
    for (const std::int64_t rows : {16, 48, 512}) {
      const std::int64_t columns = dtype_info(dtype).block_elements == 256 ? 512 : 96;
      SCOPED_TRACE(fmt::format("{} rows of {} {}", rows, columns, dtype_name(dtype)));
      expect_quantized(random_view(dtype, rows, columns));
      if (HasFailure()) return;
    }
  }
  TensorView reordered = random_view(DType::kInt4G32, 32, 96);
  std::vector<std::int32_t> order(96);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, random_);
  reordered.input_order = std::make_shared<const std::vector<std::int32_t>>(order);
  expect_quantized(reordered);
}

TEST_P(Fp8WeightsTest, ARowOfZerosHasScaleZero) {
  std::vector<std::byte> bytes(row_bytes(DType::kF32, 64) * 16);
  std::vector<float> last(64);
  last[5] = -3.0F;
  std::memcpy(bytes.data() + row_bytes(DType::kF32, 64) * 15, last.data(), 64 * sizeof(float));
  const CudaWeightPtr weight = load_fp8(view(DType::kF32, {16, 64}, std::move(bytes)));
  const Quantized got = on_card(*weight);
  EXPECT_EQ(got.scales[14], 0.0F);
  EXPECT_EQ(got.scales[15], 3.0F / 448.0F);
  EXPECT_EQ(got.codes[std::size_t{15} * 64 + 5], 0xFE);
  EXPECT_EQ(std::ranges::count(got.codes, 0), 16 * 64 - 1);
}

TEST_P(Fp8WeightsTest, AFilesOwnAreTakenAsTheyAre) {
  constexpr std::int64_t kRows = 48;
  constexpr std::int64_t kColumns = 160;
  const auto expect_own = [&](const TensorView& w, const std::vector<float>& scales) {
    const CudaWeightPtr weight = load_fp8(w);
    ASSERT_NE(weight, nullptr);
    const auto* codes = reinterpret_cast<const std::uint8_t*>(w.data.data());
    expect_is(*weight, {{codes, codes + w.data.size()}, scales});
  };
  const TensorView channels = scaled_view(kRows, kColumns, 1, kColumns);
  expect_own(channels, channels.scales->values);
  const TensorView tensor = scaled_view(kRows, kColumns, kRows, kColumns);
  expect_own(tensor, std::vector<float>(kRows, tensor.scales->values[0]));
  expect_own(random_view(DType::kF8E4M3, kRows, kColumns), std::vector<float>(kRows, 1.0F));
  const TensorView some = scaled_view(kRows, kColumns, 20, kColumns);
  std::vector<float> scales;
  for (std::size_t r = 0; r < kRows; ++r) scales.push_back(some.scales->values[r / 20]);
  expect_own(some, scales);
  // Parts of a fused matrix.
  expect_own(slice_rows(channels, 16, 32),
             {channels.scales->values.begin() + 16, channels.scales->values.end()});
}

TEST_P(Fp8WeightsTest, BlocksOfAFileAreQuantizedAnew) {
  expect_quantized(scaled_view(48, 160, 16, 32));
  expect_quantized(scaled_view(48, 160, 32, 128));  // blocks that stick out
}

TEST_P(Fp8WeightsTest, WhatFp8ProductsDoNotTakeStaysDense) {
  for (const auto& [rows, columns] : {std::pair{17, 96}, {32, 40}, {50257, 16}}) {
    const CudaWeightPtr weight = load_fp8(random_view(DType::kBF16, rows, columns));
    ASSERT_NE(weight, nullptr);
    EXPECT_EQ(weight->layout, WeightForm::kDense);
    EXPECT_EQ(weight->dtype, GetParam());
    EXPECT_EQ(weight->scales, nullptr);
  }
  const CudaWeightPtr vector = load_fp8(random_view(DType::kBF16, 1, 96));
  EXPECT_EQ(vector->layout, WeightForm::kVector);
}

TEST_P(Fp8WeightsTest, LargeOnesComeInPieces) {
  expect_quantized(random_view(DType::kBF16, 1200, 4096));
  expect_quantized(random_view(DType::kQ8_0, 2000, 2048));
}

TEST_P(Fp8WeightsTest, LoadedOneAfterTheOtherTheyLieTogether) {
  std::vector<CudaWeightPtr> loaded;
  std::vector<TensorView> views;
  for (const std::int64_t rows : {64, 16, 48}) {
    views.push_back(random_view(DType::kBF16, rows, 96));
    loaded.push_back(load_fp8(views.back()));
  }
  const CudaWeight* all[] = {loaded[0].get(), loaded[1].get(), loaded[2].get()};
  EXPECT_TRUE(lie_together(all));
  EXPECT_EQ(loaded[1]->scales, loaded[0]->scales + 64);
  const CudaWeight* backward[] = {loaded[1].get(), loaded[0].get()};
  EXPECT_FALSE(lie_together(backward));
  const CudaWeight* with_gap[] = {loaded[0].get(), loaded[2].get()};
  EXPECT_FALSE(lie_together(with_gap));
  const CudaWeightPtr dense = loader_->load(views[0]).value();
  const CudaWeight* unlike[] = {loaded[2].get(), dense.get()};
  EXPECT_FALSE(lie_together(unlike));
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    expect_is(*loaded[i], quantized(numbers_in(views[i]), 96));
  }
}

TEST_P(Fp8WeightsTest, MadeOnesAreTheDenseOnesQuantized) {
  // 80 MB of numbers: more than are made at a time.
  for (const auto& [rows, columns] :
       {std::pair<std::int64_t, std::int64_t>{48, 304}, {5008, 8192}}) {
    const auto made = [&](WeightForm form) {
      return loader_->make_random(rows, columns, 7, 0.02F, RandomNumbers::kNormal, form).value();
    };
    const CudaWeightPtr dense = made(WeightForm::kDense);
    const Quantized want = quantized(numbers_of(*dense), columns);
    expect_is(*made(WeightForm::kFp8), want);
    expect_is(*loader_->make_head(*dense, WeightForm::kFp8).value(), want);
    if (HasFailure()) return;
  }
}

TEST_P(Fp8WeightsTest, SaysWhereThereIsNoRoom) {
  limit_ = 1 << 20;  // not even the scales
  const auto full = loader_->load(random_view(DType::kBF16, 64, 96), WeightForm::kFp8);
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(full.error().message, ::testing::HasSubstr("tensor w: no room"));
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, Fp8WeightsTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
