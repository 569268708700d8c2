// Weights of 4 bits on the card: packed from files, quantized from every other type, where they
// lie.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "backend/cuda/int4_test_support.h"
#include "backend/cuda/weights.h"
#include "backend/cuda/weights_choice.h"
#include "backend/cuda/weights_test_support.h"
#include "base/mapped_file.h"
#include "tensor/float8.h"

namespace hangar::cuda {
namespace {

class Int4WeightsTest : public CudaWeightsTestBase {
 protected:
  CudaWeightPtr load_int4(const TensorView& w) {
    auto loaded = loader_->load(w, WeightForm::kInt4);
    EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
    return loaded ? std::move(*loaded) : nullptr;
  }
  void expect_is(const CudaWeight& weight, const HostStrips& want, Int4Form form) {
    ASSERT_EQ(weight.layout, WeightForm::kInt4);
    EXPECT_EQ(weight.int4, form);
    EXPECT_EQ(weight.dtype, DType::kInt4G32);
    EXPECT_EQ(weight.memory_bytes, want.bytes().size());
    loader_->finish();
    std::vector<std::uint8_t> got(want.bytes().size());
    HANGAR_CUDA(cudaMemcpy(got.data(), weight.data, got.size(), cudaMemcpyDeviceToHost));
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(int{got[i]}, int{want.bytes()[i]}) << "byte " << i;
    }
  }
  static HostStrips strips_of(const TensorView& w) {
    if (packed_form(w)) return packed_on_host(w);
    return quantized_on_host(Int4Form::kZero128, dequantized(w), w.rows(), w.columns());
  }
  void expect_loads(const TensorView& w) {
    const CudaWeightPtr weight = load_int4(w);
    ASSERT_NE(weight, nullptr);
    expect_is(*weight, strips_of(w), int4_form_for(w));
  }
  // Groups of 128 share what random blocks have of their own.
  TensorView random_groups(std::int64_t rows, std::int64_t columns) {
    const TensorView w = random_view(DType::kInt4G32, rows, columns);
    std::vector<std::byte> bytes(w.data.begin(), w.data.end());
    const std::size_t stride = row_bytes(DType::kInt4G32, columns);
    for (std::size_t at = 0; at < bytes.size(); at += 24) {
      if (at % stride / 24 % 4 != 0) std::memcpy(bytes.data() + at, bytes.data() + at - 24, 8);
    }
    TensorView grouped = view(DType::kInt4G32, {rows, columns}, std::move(bytes));
    grouped.group_columns = 128;
    return grouped;
  }
};

TEST_P(Int4WeightsTest, EveryTypeIsPackedOrQuantized) {
  for (const DType dtype : kAllTypes) {
    for (const std::int64_t rows : {16, 48, 512}) {
      const std::int64_t columns = dtype_info(dtype).block_elements == 256 ? 512 : 96;
      SCOPED_TRACE(fmt::format("{} rows of {} {}", rows, columns, dtype_name(dtype)));
      expect_loads(random_view(dtype, rows, columns));
      if (HasFailure()) return;
    }
  }
  expect_loads(random_groups(64, 576));
  expect_loads(slice_rows(random_groups(64, 576), 16, 32));
}

TEST_P(Int4WeightsTest, ReorderedInputsAndScalesAreQuantizedAnew) {
  TensorView w = random_groups(32, 256);
  std::vector<std::int32_t> order(256);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, random_);
  w.input_order = std::make_shared<const std::vector<std::int32_t>>(order);
  expect_loads(w);
  w = random_view(DType::kF8E4M3, 48, 160);
  w.scales = std::make_shared<ScaleGrid>(ScaleGrid{random_floats(15, 0.01F), 16, 32});
  expect_loads(w);
}

TEST_P(Int4WeightsTest, LargeOnesComeInPiecesOfWholeStrips) {
  expect_loads(random_view(DType::kQ4_K, 2064, 4096));
  expect_loads(random_view(DType::kQ4_1, 6000, 1120));
  expect_loads(random_groups(4112, 4096));
  expect_loads(random_view(DType::kBF16, 1200, 4096));
  expect_loads(random_view(DType::kQ6_K, 1008, 8192));
}

// As a model's weights come: mapped, each at an odd place, all asked for before the first is there.
TEST_P(Int4WeightsTest, AMappedFileIsReadBehindTheCallersBack) {
  std::vector<TensorView> views = {
      random_view(DType::kQ4_K, 704, 5120), random_view(DType::kQ4_0, 48, 160),
      random_view(DType::kBF16, 304, 4096), random_view(DType::kQ4_1, 576, 576),
      random_view(DType::kQ8_0, 16, 32),    random_view(DType::kQ4_K, 5120, 1792)};
  const auto path = std::filesystem::path(::testing::TempDir()) /
                    fmt::format("int4_weights.{}.{}", ::getpid(), dtype_name(GetParam()));
  const MappedFile file = in_a_file(views, path);
  std::vector<CudaWeightPtr> loaded;
  for (const TensorView& v : views) loaded.push_back(load_int4(v));
  for (std::size_t i = 0; i < views.size(); ++i) {
    SCOPED_TRACE(fmt::format("{} rows of {}", views[i].rows(), dtype_name(views[i].dtype)));
    expect_is(*loaded[i], strips_of(views[i]), int4_form_for(views[i]));
    if (HasFailure()) break;
  }
  std::filesystem::remove(path);
}

TEST_P(Int4WeightsTest, WhatStripsDoNotTakeStaysDense) {
  for (const auto& [rows, columns] : {std::pair{24, 96}, {32, 48}, {50257, 32}}) {
    const CudaWeightPtr weight = load_int4(random_view(DType::kBF16, rows, columns));
    ASSERT_NE(weight, nullptr);
    EXPECT_EQ(weight->layout, WeightForm::kDense);
    EXPECT_EQ(weight->dtype, GetParam());
  }
  EXPECT_EQ(load_int4(random_view(DType::kBF16, 1, 96))->layout, WeightForm::kVector);
  const TensorView wide = random_view(DType::kBF16, 16, std::int64_t{1} << 18U);
  const auto too_long = loader_->load(wide, WeightForm::kInt4);
  ASSERT_FALSE(too_long.has_value());
  EXPECT_EQ(too_long.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(too_long.error().message, ::testing::HasSubstr("are too long"));
}

TEST_P(Int4WeightsTest, LoadedOneAfterTheOtherTheyLieTogether) {
  std::vector<CudaWeightPtr> loaded;
  std::vector<TensorView> views;
  for (const std::int64_t rows : {2048, 16, 2064}) {
    views.push_back(random_view(DType::kQ4_1, rows, 96));
    loaded.push_back(load_int4(views.back()));
  }
  loaded.push_back(load_int4(random_view(DType::kQ4_0, 16, 96)));
  loaded.push_back(load_int4(random_view(DType::kQ4_0, 16, 128)));
  // The second is small, and small ones may have a place of their own in a backend; not here.
  const CudaWeight* all[] = {loaded[0].get(), loaded[1].get(), loaded[2].get()};
  EXPECT_TRUE(lie_together(all));
  const CudaWeight* backward[] = {loaded[1].get(), loaded[0].get()};
  EXPECT_FALSE(lie_together(backward));
  const CudaWeight* with_gap[] = {loaded[0].get(), loaded[2].get()};
  EXPECT_FALSE(lie_together(with_gap));
  const CudaWeight* of_two_forms[] = {loaded[2].get(), loaded[3].get()};
  EXPECT_FALSE(lie_together(of_two_forms));
  const CudaWeight* of_two_widths[] = {loaded[3].get(), loaded[4].get()};
  EXPECT_FALSE(lie_together(of_two_widths));
  for (std::size_t i = 0; i < views.size(); ++i) {
    expect_is(*loaded[i], packed_on_host(views[i]), Int4Form::kMin32);
  }
}

// The copies of those that lie together do so too, and hold what they hold; one whose zeros are no
// numbers of 4 bits has none.
TEST_P(Int4WeightsTest, CopiesLieAsTheirMatricesDo) {
  std::vector<CudaWeightPtr> loaded;
  for (const std::int64_t rows : {128, 64, 192}) {
    loaded.push_back(loader_
                         ->make_random(rows, 256, static_cast<std::uint64_t>(rows), 0.02F,
                                       RandomNumbers::kNormal, WeightForm::kInt4)
                         .value());
  }
  const TensorView groups = random_groups(64, 256);
  std::vector<std::byte> bytes(groups.data.begin(), groups.data.end());
  constexpr std::int32_t kOddZero = 40;
  for (std::size_t block = 0; block < 4; ++block) {  // a group's
    std::memcpy(bytes.data() + 24 * block + 4, &kOddZero, sizeof(kOddZero));
  }
  TensorView odd = view(DType::kInt4G32, {64, 256}, std::move(bytes));
  odd.group_columns = 128;
  loaded.push_back(load_int4(odd));
  std::size_t wanted = 4 * sizeof(std::int32_t);
  for (const CudaWeightPtr& weight : loaded) {
    loader_->copy_later(*weight);
    wanted += int4_copy_bytes(weight->rows, weight->columns, false);
  }
  const std::size_t before = used_;
  ASSERT_TRUE(loader_->take_copies().has_value());
  EXPECT_NEAR(static_cast<double>(used_ - before), static_cast<double>(wanted), 64.0);
  loader_->finish();
  const CudaWeight* const three[] = {loaded[0].get(), loaded[1].get(), loaded[2].get()};
  EXPECT_NE(copy_of(three).numbers, nullptr);
  EXPECT_EQ(copy_of(three).numbers, loaded[0]->copy.numbers);
  EXPECT_EQ(loaded[3]->copy.numbers, nullptr);

  const CudaWeight& last = *loaded[2];
  HostStrips strips(Int4Form::kZero128, last.rows, last.columns);
  HANGAR_CUDA(
      cudaMemcpy(strips.bytes().data(), last.data, strips.bytes().size(), cudaMemcpyDeviceToHost));
  std::vector<std::uint8_t> numbers(static_cast<std::size_t>(last.rows * last.columns));
  HANGAR_CUDA(
      cudaMemcpy(numbers.data(), last.copy.numbers, numbers.size(), cudaMemcpyDeviceToHost));
  for (std::int64_t r = 0; r < last.rows; ++r) {
    for (std::int64_t c = 0; c < last.columns; ++c) {
      const float number =
          float8_e4m3_to_float(numbers[static_cast<std::size_t>(r * last.columns + c)]);
      ASSERT_EQ(number, static_cast<float>(strips.code(r, c)) - strips.scales(r, c).other);
    }
  }
}

// As `--quant fp8` would have made them of what the 4 bits stand for.
TEST_P(Int4WeightsTest, RoundedCopiesAreFp8OfAnyForm) {
  loader_->round_copies(true);
  std::vector<CudaWeightPtr> loaded;
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ4_K}) {
    loaded.push_back(load_int4(random_view(dtype, 64, 512)));
  }
  loaded.push_back(
      loader_->make_random(128, 256, 7, 0.02F, RandomNumbers::kNormal, WeightForm::kInt4).value());
  for (const CudaWeightPtr& weight : loaded) loader_->copy_later(*weight);
  ASSERT_TRUE(loader_->take_copies().has_value());
  loader_->finish();
  for (const CudaWeightPtr& weight : loaded) {
    const auto columns = static_cast<std::size_t>(weight->columns);
    HostStrips strips(weight->int4, weight->rows, weight->columns);
    HANGAR_CUDA(cudaMemcpy(strips.bytes().data(), weight->data, strips.bytes().size(),
                           cudaMemcpyDeviceToHost));
    std::vector<std::uint8_t> numbers(static_cast<std::size_t>(weight->rows) * columns);
    std::vector<float> scales(static_cast<std::size_t>(weight->rows));
    HANGAR_CUDA(
        cudaMemcpy(numbers.data(), weight->copy.numbers, numbers.size(), cudaMemcpyDeviceToHost));
    HANGAR_CUDA(cudaMemcpy(scales.data(), weight->copy.row_scales, 4 * scales.size(),
                           cudaMemcpyDeviceToHost));
    EXPECT_EQ(weight->copy.scales, nullptr);
    for (std::int64_t r = 0; r < weight->rows; ++r) {
      const float scale = scales[static_cast<std::size_t>(r)];
      float largest = 0.0F;
      for (std::int64_t c = 0; c < weight->columns; ++c) {
        const float value = strips.value(r, c);
        largest = std::max(largest, std::abs(value));
        const std::size_t at = static_cast<std::size_t>(r) * columns + static_cast<std::size_t>(c);
        // Half of e4m3's last bit, or of its smallest number; and the rounding to 16 bits before.
        ASSERT_NEAR(scale * float8_e4m3_to_float(numbers[at]), value,
                    std::abs(value) * (0x1p-4F + 0x1p-8F) + scale * 0x1p-10F)
            << dtype_name(weight->dtype) << ' ' << r << ", " << c;
      }
      ASSERT_NEAR(scale * 448.0F, largest, largest * 0x1p-8F);
    }
  }
}

TEST_P(Int4WeightsTest, CopiesThatDoNotFitAreSaid) {
  const CudaWeightPtr weight =
      loader_->make_random(64, 256, 1, 0.02F, RandomNumbers::kNormal, WeightForm::kInt4).value();
  loader_->copy_later(*weight);
  limit_ = used_ + 1000;
  const Status taken = loader_->take_copies();
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(taken.error().message, ::testing::HasSubstr("--int4-copies off"));
  loader_->finish();
  EXPECT_EQ(weight->copy.numbers, nullptr);
}

TEST_P(Int4WeightsTest, MadeOnesAreTheDenseOnesQuantized) {
  // 80 MB of numbers: more than are made at a time.
  for (const auto& [rows, columns] :
       {std::pair<std::int64_t, std::int64_t>{48, 320}, {5008, 8192}}) {
    const auto made = [&](WeightForm matrices, Int4Form form) {
      return loader_->make_random(rows, columns, 7, 0.02F, RandomNumbers::kNormal, matrices, form)
          .value();
    };
    const CudaWeightPtr dense = made(WeightForm::kDense, Int4Form::kZero128);
    const std::vector<float> values = numbers_of(*dense);
    const HostStrips want = quantized_on_host(Int4Form::kZero128, values, rows, columns);
    expect_is(*made(WeightForm::kInt4, Int4Form::kZero128), want, Int4Form::kZero128);
    expect_is(*loader_->make_head(*dense, WeightForm::kInt4).value(), want, Int4Form::kZero128);
    expect_is(*made(WeightForm::kInt4, Int4Form::kSuper32),
              quantized_on_host(Int4Form::kSuper32, values, rows, columns), Int4Form::kSuper32);
    if (HasFailure()) return;
  }
}

// What was planned for them is what they take.
TEST_P(Int4WeightsTest, MemoryIsWhatTheChoiceSays) {
  const WeightChoice choice({.matrices = WeightQuant::kInt4}, true, true);
  std::size_t planned = 0;
  for (const DType dtype :
       {DType::kQ4_0, DType::kQ4_1, DType::kQ4_K, DType::kInt4G32, DType::kBF16, DType::kQ6_K}) {
    const TensorView w = random_view(dtype, 48, dtype == DType::kQ4_1 ? 576 : 1280);
    const auto made = loader_->make_random(w.rows(), w.columns(), 1, 1.0F, RandomNumbers::kUniform,
                                           choice.form(w), int4_form_for(w));
    const CudaWeightPtr loaded = loader_->load(w, choice.form(w)).value();
    EXPECT_EQ(loaded->memory_bytes, choice.bytes(w));
    EXPECT_EQ((*made)->memory_bytes, choice.bytes(w));
    planned += 2 * choice.bytes(w);
  }
  EXPECT_EQ(used_, planned);
}

TEST_P(Int4WeightsTest, SaysWhereThereIsNoRoom) {
  limit_ = 1000;
  const auto full = loader_->load(random_view(DType::kQ4_0, 16, 32), WeightForm::kInt4);
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(full.error().message, ::testing::HasSubstr("tensor w: no room"));
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, Int4WeightsTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
