// Weights on the card: every type a file has, where they lie, and those that are made there.
#include "backend/cuda/weights.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "backend/cpu/ops_test_support.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/testing.h"
#include "quant/view_rows.h"

namespace hangar::cuda {
namespace {

constexpr DType kAllTypes[] = {DType::kF32,     DType::kF16,     DType::kBF16,   DType::kQ4_0,
                               DType::kQ4_1,    DType::kQ5_0,    DType::kQ5_1,   DType::kQ8_0,
                               DType::kQ2_K,    DType::kQ3_K,    DType::kQ4_K,   DType::kQ5_K,
                               DType::kQ6_K,    DType::kIQ4_NL,  DType::kIQ4_XS, DType::kMXFP4,
                               DType::kInt4G32, DType::kInt8G32, DType::kF8E4M3};

class CudaWeightsTest : public cpu::OpsTest, public testing::WithParamInterface<DType> {
 protected:
  static constexpr std::size_t kArenaBytes = std::size_t{512} << 20U;

  CudaWeightsTest() : OpsTest(1) {}
  void SetUp() override {
    if (!card_present()) GTEST_SKIP() << "no CUDA card here";
    HANGAR_CUDA(cudaMalloc(&arena_, kArenaBytes));
    loader_ = std::make_unique<WeightLoader>(
        [this](std::size_t bytes, std::size_t alignment) { return take(bytes, alignment); },
        GetParam(), 3);
  }
  void TearDown() override {
    loader_.reset();
    (void)cudaFree(arena_);
  }

  void* take(std::size_t bytes, std::size_t alignment) {
    used_ = (used_ + alignment - 1) / alignment * alignment;
    if (used_ + bytes > limit_) return nullptr;
    std::byte* at = static_cast<std::byte*>(arena_) + used_;
    used_ += bytes;
    return at;
  }
  float rounded(float value) const {
    return GetParam() == DType::kBF16 ? bfloat16_to_float(float_to_bfloat16(value))
                                      : half_to_float(float_to_half(value));
  }
  // The card's numbers.
  std::vector<float> numbers_of(const CudaWeight& weight) {
    loader_->finish();
    const auto elements = static_cast<std::size_t>(weight.rows * weight.columns);
    std::vector<float> values(elements);
    if (weight.dtype == DType::kF32) {
      HANGAR_CUDA(cudaMemcpy(values.data(), weight.data, 4 * elements, cudaMemcpyDeviceToHost));
      return values;
    }
    std::vector<std::uint16_t> bits(elements);
    HANGAR_CUDA(cudaMemcpy(bits.data(), weight.data, 2 * elements, cudaMemcpyDeviceToHost));
    for (std::size_t i = 0; i < elements; ++i) {
      values[i] =
          weight.dtype == DType::kBF16 ? bfloat16_to_float(bits[i]) : half_to_float(bits[i]);
    }
    return values;
  }
  void expect_loads(const TensorView& w) {
    const auto loaded = loader_->load(w);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    const CudaWeight& weight = **loaded;
    ASSERT_EQ(weight.rows, w.rows());
    ASSERT_EQ(weight.columns, w.columns());
    const bool vector = w.rows() == 1;
    EXPECT_EQ(weight.dtype, vector ? DType::kF32 : GetParam());
    EXPECT_EQ(weight.layout, vector ? WeightForm::kVector : WeightForm::kDense);
    EXPECT_EQ(weight.memory_bytes, static_cast<std::size_t>(w.elements() * (vector ? 4 : 2)));
    std::vector<float> want(static_cast<std::size_t>(w.elements()));
    for (std::int64_t r = 0; r < w.rows(); ++r) {
      dequantize_view_row(w, r, want.data() + r * w.columns());
    }
    if (!vector) {
      for (float& value : want) value = rounded(value);
    }
    expect_same_bits(numbers_of(weight), want);
  }

  std::unique_ptr<WeightLoader> loader_;
  void* arena_ = nullptr;
  std::size_t used_ = 0;
  std::size_t limit_ = kArenaBytes;
};

TEST_P(CudaWeightsTest, EveryTypeIsRoundedOnce) {
  for (const DType dtype : kAllTypes) {
    for (const std::int64_t rows : {1, 2, 37, 500}) {
      const std::int64_t columns = dtype_info(dtype).block_elements == 256 ? 512 : 96;
      SCOPED_TRACE(fmt::format("{} rows of {} {}", rows, columns, dtype_name(dtype)));
      expect_loads(random_view(dtype, rows, columns));
      if (HasFailure()) return;
    }
  }
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    expect_loads(random_view(dtype, 33, 7));
  }
}

TEST_P(CudaWeightsTest, ScalesAndInputOrderAreApplied) {
  TensorView w = random_view(DType::kF8E4M3, 37, 96);
  w.scales = std::make_shared<ScaleGrid>(ScaleGrid{random_floats(9), 16, 40});
  expect_loads(w);
  std::vector<std::int32_t> order(96);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, random_);
  for (const DType dtype : {DType::kInt4G32, DType::kInt8G32, GetParam()}) {
    w = random_view(dtype, 20, 96);
    w.input_order = std::make_shared<const std::vector<std::int32_t>>(order);
    expect_loads(w);
  }
}

// More than all staging buffers hold, some of it while earlier parts are on their way.
TEST_P(CudaWeightsTest, LargeOnesComeInPieces) {
  const std::int64_t columns = 8192;
  const std::int64_t rows = 6000;
  std::vector<std::byte> bytes(row_bytes(GetParam(), columns) * static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const auto bits = static_cast<std::uint16_t>(random_() & 0x3FFFU);  // finite in both types
    std::memcpy(bytes.data() + i, &bits, 2);
  }
  const TensorView w = view(GetParam(), {rows, columns}, std::move(bytes));
  for (int i = 0; i < 3; ++i) {
    const CudaWeightPtr weight = loader_->load(w).value();
    loader_->finish();
    std::vector<std::byte> got(w.data.size());
    HANGAR_CUDA(cudaMemcpy(got.data(), weight->data, got.size(), cudaMemcpyDeviceToHost));
    ASSERT_EQ(std::memcmp(got.data(), w.data.data(), got.size()), 0);
  }
}

TEST_P(CudaWeightsTest, LoadedOneAfterTheOtherTheyLieTogether) {
  std::vector<CudaWeightPtr> loaded;
  for (const std::int64_t rows : {64, 16, 17}) {
    loaded.push_back(loader_->load(random_view(DType::kQ8_0, rows, 96)).value());
  }
  const CudaWeight* all[] = {loaded[0].get(), loaded[1].get(), loaded[2].get()};
  EXPECT_TRUE(lie_together(all));
  EXPECT_TRUE(lie_together(std::span(all).first(1)));
  const CudaWeight* backward[] = {loaded[1].get(), loaded[0].get()};
  EXPECT_FALSE(lie_together(backward));
  const CudaWeightPtr wider = loader_->load(random_view(DType::kF32, 8, 128)).value();
  const CudaWeight* unlike[] = {loaded[2].get(), wider.get()};
  EXPECT_FALSE(lie_together(unlike));
  const CudaWeightPtr vector = loader_->load(random_view(DType::kF32, 1, 128)).value();
  const CudaWeight* with_vector[] = {wider.get(), vector.get()};
  EXPECT_FALSE(lie_together(with_vector));
}

TEST_P(CudaWeightsTest, SaysWhatItCannotTake) {
  limit_ = 1024;
  const auto full = loader_->load(random_view(DType::kF32, 64, 96));
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(full.error().message, testing::HasSubstr("tensor w: no room"));
  TensorView cut = random_view(DType::kF32, 4, 8);
  cut.data = cut.data.first(cut.data.size() - 1);
  const auto corrupt = loader_->load(cut);
  ASSERT_FALSE(corrupt.has_value());
  EXPECT_EQ(corrupt.error().code, ErrorCode::kCorrupt);
}

TEST_P(CudaWeightsTest, RandomOnesDependOnTheSeedAlone) {
  const auto made = [&](std::uint64_t seed, RandomNumbers numbers, float scale) {
    return numbers_of(*loader_->make_random(1000, 301, seed, scale, numbers).value());
  };
  const std::vector<float> uniform = made(1, RandomNumbers::kUniform, 1e-3F);
  expect_same_bits(made(1, RandomNumbers::kUniform, 1e-3F), uniform);
  EXPECT_NE(made(2, RandomNumbers::kUniform, 1e-3F), uniform);
  const auto moments = [](const std::vector<float>& values) {
    double sum = 0.0;
    double squares = 0.0;
    for (const float v : values) {
      sum += static_cast<double>(v);
      squares += static_cast<double>(v) * static_cast<double>(v);
    }
    const auto count = static_cast<double>(values.size());
    return std::pair{sum / count, std::sqrt(squares / count)};
  };
  for (const float v : uniform) ASSERT_LE(std::abs(v), 1.001e-3F);
  EXPECT_NEAR(moments(uniform).first, 0.0, 1e-5);
  EXPECT_NEAR(moments(uniform).second, 1e-3 / std::sqrt(3.0), 1e-5);
  const std::vector<float> normal = made(3, RandomNumbers::kNormal, 0.02F);
  EXPECT_NEAR(moments(normal).first, 0.0, 2e-4);
  EXPECT_NEAR(moments(normal).second, 0.02, 2e-4);
  EXPECT_GT(*std::ranges::max_element(normal), 0.06F);
  const std::vector<float> ones = numbers_of(*loader_->make_constant(1, 301, 1.0F).value());
  EXPECT_EQ(ones, std::vector<float>(301, 1.0F));
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, CudaWeightsTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
