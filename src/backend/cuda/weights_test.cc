// Weights on the card: every type a file has, where they lie, and those that are made there.
#include "backend/cuda/weights.h"

#include <gmock/gmock.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <stdexcept>

#include "backend/cuda/weights_test_support.h"
#include "base/mapped_file.h"
#include "quant/view_rows.h"

namespace hangar::cuda {
namespace {

class CudaWeightsTest : public CudaWeightsTestBase {
 protected:
  void expect_loads(const TensorView& w) {
    const auto loaded = loader_->load(w);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    expect_is(**loaded, w);
  }
  void expect_is(const CudaWeight& weight, const TensorView& w) {
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

  // The card's bytes are those of the view.
  void expect_copied(const CudaWeight& weight, const TensorView& w) {
    loader_->finish();
    std::vector<std::byte> got(w.data.size());
    HANGAR_CUDA(cudaMemcpy(got.data(), weight.data, got.size(), cudaMemcpyDeviceToHost));
    ASSERT_EQ(std::memcmp(got.data(), w.data.data(), got.size()), 0);
  }
  std::vector<std::byte> finite_bytes(std::size_t count) {
    std::vector<std::byte> bytes(count);
    for (std::size_t i = 0; i + 1 < count; i += 2) {
      const auto bits = static_cast<std::uint16_t>(random_() & 0x3FFFU);  // finite in both types
      std::memcpy(bytes.data() + i, &bits, 2);
    }
    return bytes;
  }
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
  const TensorView w =
      view(GetParam(), {rows, columns}, finite_bytes(row_bytes(GetParam(), columns) * 6000));
  for (int i = 0; i < 3; ++i) {
    const CudaWeightPtr weight = loader_->load(w).value();
    expect_copied(*weight, w);
    if (HasFailure()) return;
  }
}

// As a model's weights come: mapped, each at an odd place, all asked for before the first is there.
TEST_P(CudaWeightsTest, AMappedFileIsReadBehindTheCallersBack) {
  const DType other = GetParam() == DType::kBF16 ? DType::kF16 : DType::kBF16;
  std::vector<TensorView> views = {
      random_view(DType::kF32, 1, 4096),    random_view(DType::kQ4_K, 700, 5120),
      random_view(DType::kIQ4_NL, 50, 160), random_view(other, 300, 4097),
      random_view(DType::kQ6_K, 900, 2048), random_view(DType::kF32, 33, 7),
      random_view(other, 1, 4096),          random_view(DType::kQ8_0, 3, 32)};
  views.push_back(view(GetParam(), {3001, 4096}, finite_bytes(std::size_t{3001} * 4096 * 2)));
  const auto path = std::filesystem::path(::testing::TempDir()) /
                    fmt::format("weights.{}.{}", ::getpid(), dtype_name(GetParam()));
  const MappedFile file = in_a_file(views, path);
  std::vector<CudaWeightPtr> loaded;
  for (const TensorView& v : views) loaded.push_back(loader_->load(v).value());
  expect_copied(*loaded.back(), views.back());
  for (std::size_t i = 0; i < views.size(); ++i) {
    SCOPED_TRACE(fmt::format("{} rows of {}", views[i].rows(), dtype_name(views[i].dtype)));
    expect_is(*loaded[i], views[i]);
    if (HasFailure()) return;
  }
  // What the mapping would end the process with is an error.
  std::filesystem::resize_file(path, 1000);
  const auto cut = loader_->load(views[1]);
  EXPECT_TRUE(cut.has_value());
  EXPECT_THAT([&] { loader_->finish(); },
              testing::ThrowsMessage<std::runtime_error>(::testing::HasSubstr("the file ends")));
  const auto after = loader_->load(random_view(DType::kF32, 4, 8));
  ASSERT_FALSE(after.has_value());
  EXPECT_EQ(after.error().code, ErrorCode::kIo);
  std::filesystem::remove(path);
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
  EXPECT_THAT(full.error().message, ::testing::HasSubstr("tensor w: no room"));
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
