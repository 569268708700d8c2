// Copies of 4-bit matrices in 8 bits: their numbers and scales against the strips', products by
// them against sums in double, and that a backend's products choose among both.
#include "backend/cuda/int4_copy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/int4_pack.h"
#include "backend/cuda/int4_product_test_support.h"
#include "backend/cuda/matmul.h"
#include "backend/cuda/quantize.h"
#include "backend/cuda/tile_matmul.h"

namespace hangar::cuda {
namespace {

// Sums of a group are kept to few bits within the instruction.
constexpr double kGroupError = 1e-3;

class Int4CopyTest : public Int4ProductTest {
 protected:
  // As files have them: whole zeros that 4 bits hold.
  HostStrips strips_of(std::int64_t rows, std::int64_t columns) {
    HostStrips strips = random_strips(Int4Form::kZero128, rows, columns);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; c += kInt4Columns) {
        const float scale = 1e-3F * static_cast<float>(random_int(1, 20));
        strips.set_pair(r, c, scale, static_cast<float>(random_int(0, 15)));
      }
    }
    return strips;
  }
  Int4Copy take_copy(std::int64_t rows, std::int64_t columns) {
    const auto numbers = static_cast<std::size_t>(rows * columns);
    const std::size_t scales = int4_copy_scale_bytes(rows, columns, false);
    return {take(numbers, 256), static_cast<std::uint16_t*>(take(scales, 256))};
  }
  // Whether it is exact.
  bool copy(const Int4Copy& to, const void* strips, std::int64_t rows, std::int64_t columns) {
    auto* const inexact = static_cast<std::int32_t*>(take(sizeof(std::int32_t), 16));
    HANGAR_CUDA(cudaMemsetAsync(inexact, 0, sizeof(std::int32_t), launch_.stream));
    make_int4_copy(launch_, to, strips, rows, columns, inexact);
    std::int32_t said = 0;
    HANGAR_CUDA(
        cudaMemcpyAsync(&said, inexact, sizeof(said), cudaMemcpyDeviceToHost, launch_.stream));
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    return said == 0;
  }
  template <typename T>
  std::vector<T> bytes_of(const void* from, std::int64_t count) {
    std::vector<T> host(static_cast<std::size_t>(count));
    HANGAR_CUDA(cudaMemcpyAsync(host.data(), from, host.size() * sizeof(T), cudaMemcpyDeviceToHost,
                                launch_.stream));
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    return host;
  }

  // e4m3's own, up to 448, which each row has.
  Numbers exact_inputs(std::int64_t rows, std::int64_t columns) {
    Numbers x(static_cast<std::size_t>(rows * columns));
    for (float& value : x) {
      const std::int64_t bits = random_int(0, 0x7E) | (random_int(0, 1) << 7);
      value = float8_e4m3_to_float(static_cast<std::uint8_t>(bits));
    }
    for (std::int64_t r = 0; r < rows; ++r) x[static_cast<std::size_t>(r * columns)] = -448.0F;
    return x;
  }
  // Of strips (gated: of both matrices), with their copy and x as many rows are taken.
  Product product_of(const HostStrips& strips, std::int64_t weight_rows, const Numbers& x,
                     std::int64_t rows, std::int64_t outputs) {
    const std::int64_t columns = std::ssize(x) / rows;
    const Activation input = put(x, rows, columns, type());
    Product product =
        ProductTest::product_of(put_strips(strips), type(), input,
                                {nullptr, rows, outputs, DType::kF32, 0}, ProductOutput::kFull);
    product.int4 = Int4Form::kZero128;
    product.copy = take_copy(weight_rows, columns);
    EXPECT_TRUE(copy(product.copy, product.weight, weight_rows, columns));
    void* const room = take(int4_input_bytes(rows, columns), 256);
    const Int4Rows made = quantize_inputs(launch_, room, input, 1, {});
    product.x = made.data;
    product.x_stride = made.stride;
    product.x_scales = made.scales;
    product.x_sums = made.sums;
    return product;
  }
  Numbers run(Product product, const TileWay& way, const Numbers& old = {}) {
    const DType to = product.y_type();
    const Activation y = put(old, product.rows, product.outputs, to, product.outputs + 8);
    product.y = y.data;
    product.y_stride = y.row_stride();
    tile_matmul(launch_, by_copy(product), way);
    return get(y);
  }
};

constexpr TileWay way_of(std::int32_t split, std::int32_t rows = 192) {
  return {rows, 1, 224, 1, split};
}

TEST_P(Int4CopyTest, NumbersAndScalesAreTheStrips) {
  for (const auto& [rows, columns] :
       {std::pair<std::int64_t, std::int64_t>{16, 128}, {192, 1152}, {640, 512}}) {
    start_over();
    HostStrips strips = strips_of(rows, columns);
    const Int4Copy made = take_copy(rows, columns);
    EXPECT_TRUE(copy(made, put_strips(strips), rows, columns));
    const auto numbers = bytes_of<std::uint8_t>(made.numbers, rows * columns);
    const auto scales = bytes_of<std::uint16_t>(made.scales, rows * int4_copy_scales(columns));
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        const std::int64_t at = r * int4_copy_scales(columns) + c / kInt4Columns;
        const float scale = half_to_float(scales[static_cast<std::size_t>(at)]);
        const float number =
            float8_e4m3_to_float(numbers[static_cast<std::size_t>(r * columns + c)]);
        ASSERT_EQ(scale * number, strips.value(r, c)) << r << ", " << c;
      }
    }
  }
}

TEST_P(Int4CopyTest, SaysWhichZerosItCannotHold) {
  for (const auto& [zero, holds] : {std::pair{0.0F, true},
                                    {15.0F, true},
                                    {16.0F, true},
                                    {-1.0F, true},
                                    {17.0F, false},
                                    {-2.0F, false},
                                    {7.5F, false}}) {
    start_over();
    HostStrips strips = strips_of(64, 256);
    strips.set_pair(37, 128, 1.0F, zero);
    EXPECT_EQ(copy(take_copy(64, 256), put_strips(strips), 64, 256), holds) << zero;
  }
  EXPECT_TRUE(takes_int4_copy(Int4Form::kZero128, 384, false));
  EXPECT_FALSE(takes_int4_copy(Int4Form::kZero32, 256, false));
  EXPECT_FALSE(takes_int4_copy(Int4Form::kZero128, 320, false));
}

// Rows that a tile lacks or that W lacks, several tiles to a block, the last in halves, parts of
// the columns.
TEST_P(Int4CopyTest, ProductsAreSumsInDouble) {
  const int processors = launch_.processors;
  for (const std::int64_t rows : {65, 128, 200, 257, 1100}) {
    for (const auto& [outputs, columns] :
         {std::pair<std::int64_t, std::int64_t>{16, 128}, {208, 1536}, {1040, 1152}}) {
      if (rows > 1000 && outputs > 1000) continue;  // sums on the host take long
      for (const std::int32_t split : {1, 2, 3}) {
        if (split > 1 && columns % (4 * kInt4Columns * split) != 0) continue;
        SCOPED_TRACE(fmt::format("{} rows, {} x {}, in {}", rows, outputs, columns, split));
        start_over();
        HostStrips strips = strips_of(outputs, columns);
        const Numbers x = exact_inputs(rows, columns);
        Product product = product_of(strips, outputs, x, rows, outputs);
        product.output = split > 1       ? ProductOutput::kAdd
                         : rows % 2 == 0 ? ProductOutput::kFull
                                         : ProductOutput::kWork;
        const DType to = product.y_type();
        const Numbers old = split > 1 ? random(rows * outputs, to, 10.0F) : Numbers();
        ASSERT_TRUE(can_tile(launch_, by_copy(product)));
        for (const int some : {processors, 4}) {
          launch_.processors = some;
          for (const std::int32_t tile : {192, 128}) {
            if (tile == 128 && columns % (4 * kInt4Columns * split) != 0) continue;
            expect_product(run(product, way_of(split, tile), old), x, strips.values(), rows,
                           outputs, columns, to, old, kGroupError);
            if (HasFailure()) return;
          }
        }
        launch_.processors = processors;
      }
    }
  }
}

// Against the same product without its gate; however many tiles are done in halves: the same bits.
TEST_P(Int4CopyTest, GatesWhatItMultiplies) {
  for (const std::int64_t rows : {65, 200, 257}) {
    for (const auto& [outputs, columns] :
         {std::pair<std::int64_t, std::int64_t>{16, 384}, {192, 256}, {608, 1024}}) {
      start_over();
      const HostStrips strips = strips_of(2 * outputs, columns);
      Product product =
          product_of(strips, 2 * outputs, random(rows * columns, type()), rows, 2 * outputs);
      const Numbers both = run(product, way_of(1));
      product.outputs = outputs;
      product.gate = GateFunction::kSilu;
      const Numbers got = run(product, way_of(1));
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t o = 0; o < outputs; ++o) {
          const double gate = both[static_cast<std::size_t>(r * 2 * outputs + o)];
          const double up = both[static_cast<std::size_t>((r * 2 + 1) * outputs + o)];
          const double want = gate / (1.0 + std::exp(-gate)) * up;
          ASSERT_NEAR(got[static_cast<std::size_t>(r * outputs + o)], want,
                      1e-3 * std::abs(want) + 1e-6)
              << rows << " rows, " << outputs << " x " << columns << ": " << r << ", " << o;
        }
      }
      const int processors = launch_.processors;
      for (const int some : {1, 4, 5}) {
        launch_.processors = some;
        EXPECT_EQ(run(product, way_of(1)), got) << some << " processors";
      }
      launch_.processors = processors;
    }
  }
}

TEST_P(Int4CopyTest, WaysAreOfferedFrom65RowsOn) {
  start_over();
  const HostStrips strips = strips_of(256, 1024);
  for (const std::int64_t rows : {65, 512, 8192}) {
    Product product =
        product_of(strips, 256, Numbers(static_cast<std::size_t>(65 * 1024), 1.0F), 65, 256);
    product.rows = rows;
    product.output = ProductOutput::kAdd;
    const std::vector<TileWay> ways = tile_ways(launch_, by_copy(product));
    EXPECT_FALSE(ways.empty());
    for (const TileWay& way : ways) EXPECT_EQ(way, way_of(way.split, way.rows));
    product.rows = 64;
    EXPECT_FALSE(can_tile(launch_, by_copy(product)));
  }
}

// An MLP of random weights, by strips and then by copies.
class Int4CopyMlpTest : public Int4CopyTest {
 protected:
  // Larger ones take racecheck more memory than machines have.
  static constexpr std::int64_t kRows = 200;
  static constexpr std::int64_t kHidden = kFewLaunches ? 512 : 1024;
  static constexpr std::int64_t kInner = kFewLaunches ? 512 : 1536;

  // Strips of this form.
  void make(Int4Form form) {
    start_over();
    matmul_ = std::make_unique<Matmul>(take(kMatmulWorkspaceBytes, 256), kMatmulWorkspaceBytes);
    matmul_->set_input_room(take(input_room_bytes(512, kInner), 256), 512, kInner);
    const std::pair<std::int64_t, std::int64_t> sizes[] = {
        {kInner, kHidden}, {kInner, kHidden}, {kHidden, kInner}};
    weights_ = std::vector<CudaWeight>(3);
    for (std::size_t i = 0; i < 3; ++i) {
      CudaWeight& weight = weights_[i];
      std::tie(weight.rows, weight.columns) = sizes[i];
      weight.layout = WeightForm::kInt4;
      weight.dtype = DType::kInt4G32;
      weight.int4 = form;
      weight.data =
          put_strips(form == Int4Form::kZero128 ? strips_of(weight.rows, weight.columns)
                                                : random_strips(form, weight.rows, weight.columns));
    }
    x_ = random(kRows * kHidden, DType::kF32);
    norm_ = put(Numbers(static_cast<std::size_t>(kHidden), 1.0F), 1, kHidden, DType::kF32).f32();
  }
  Numbers run() {
    const Activation sum = put(x_, kRows, kHidden, DType::kF32);
    const Activation wide = empty(kRows, 2 * kInner, type());
    const MlpScratch scratch{
        empty(kRows, kHidden, type()), part(wide, 0, kInner), part(wide, kInner, kInner), {}};
    matmul_->gated_mlp_add(launch_, sum, norm_, 1e-5F, weights_[0], weights_[1], weights_[2],
                           GateFunction::kSilu, scratch);
    Numbers got = get(sum);
    for (std::size_t i = 0; i < got.size(); ++i) got[i] -= x_[i];
    return got;
  }
  int tune() {
    const std::int64_t row_counts[] = {kRows};
    const auto scratch_bytes = std::size_t{32} << 20U;
    return matmul_->tune(launch_, row_counts, {take(scratch_bytes, 256), scratch_bytes});
  }
  // As the loader makes it.
  void round_copy(CudaWeight& weight) {
    const Activation dense = empty(weight.rows, weight.columns, type());
    unpack_int4(launch_, dense, weight.int4, weight.data);
    quantize_rows(launch_, {weight.copy.numbers, weight.columns, weight.copy.row_scales}, dense);
  }

  std::unique_ptr<Matmul> matmul_;
  std::vector<CudaWeight> weights_;
  Numbers x_;
  const float* norm_ = nullptr;
};

// Whose products were measured, so that some go by the copies.
TEST_P(Int4CopyMlpTest, IsTheSameByCopiesAsByStrips) {
  make(Int4Form::kZero128);
  const Numbers by_strips = run();
  const Int4Copy both = take_copy(2 * kInner, kHidden);
  weights_[0].copy = both;
  weights_[1].copy = {static_cast<std::byte*>(both.numbers) + kInner * kHidden,
                      both.scales + kInner * int4_copy_scales(kHidden)};
  weights_[2].copy = take_copy(kHidden, kInner);
  for (const CudaWeight& weight : weights_) {
    EXPECT_TRUE(copy(weight.copy, weight.data, weight.rows, weight.columns));
  }
  EXPECT_LT(off(run(), by_strips), 0.02);  // noted now
  EXPECT_EQ(tune(), 4);
  EXPECT_LT(off(run(), by_strips), 0.02);
}

// Of every form; what FP8's own rounding costs is between them.
TEST_P(Int4CopyMlpTest, IsAboutTheSameByRoundedCopies) {
  int turn = 0;
  for (const Int4Form form : kInt4Forms) {
    if (left_out(turn++, 3)) continue;
    make(form);
    const Numbers by_strips = run();
    auto* const numbers = static_cast<std::byte*>(take(2 * kInner * kHidden, 256));
    auto* const scales = static_cast<float*>(take(2 * kInner * sizeof(float), 256));
    weights_[0].copy = {numbers, nullptr, scales};
    weights_[1].copy = {numbers + kInner * kHidden, nullptr, scales + kInner};
    weights_[2].copy = {take(kHidden * kInner, 256), nullptr,
                        static_cast<float*>(take(kHidden * sizeof(float), 256))};
    for (CudaWeight& weight : weights_) round_copy(weight);
    EXPECT_LT(off(run(), by_strips), 0.08) << static_cast<int>(form);  // noted now
    EXPECT_EQ(tune(), 5);
    EXPECT_LT(off(run(), by_strips), 0.08) << static_cast<int>(form);
  }
}

// Three matrices side by side, whichever way was measured; and a copy that does not follow the one
// before it is not taken.
TEST_P(Int4CopyTest, ABackendsProductsTakeEither) {
  start_over();
  Matmul matmul(take(kMatmulWorkspaceBytes, 256), kMatmulWorkspaceBytes);
  matmul.set_input_room(take(input_room_bytes(300, 1024), 256), 300, 1024);
  constexpr std::int64_t kColumns = 1024;
  constexpr std::int64_t kRows[] = {192, 64, 64};
  Numbers w;
  std::vector<CudaWeight> weights(3);
  for (std::size_t i = 0; i < 3; ++i) {
    HostStrips strips = strips_of(kRows[i], kColumns);
    const Numbers values = strips.values();
    w.insert(w.end(), values.begin(), values.end());
    weights[i].rows = kRows[i];
    weights[i].columns = kColumns;
    weights[i].layout = WeightForm::kInt4;
    weights[i].dtype = DType::kInt4G32;
    weights[i].data = put_strips(strips);
  }
  const CudaWeight* const all[] = {&weights[0], &weights[1], &weights[2]};
  EXPECT_EQ(copy_of(all).numbers, nullptr);
  const Int4Copy whole = take_copy(320, kColumns);
  std::int64_t before = 0;
  for (CudaWeight& weight : weights) {
    weight.copy = {static_cast<std::byte*>(whole.numbers) + before,
                   whole.scales + before / kColumns * int4_copy_scales(kColumns)};
    EXPECT_TRUE(copy(weight.copy, weight.data, weight.rows, weight.columns));
    before += weight.rows * weight.columns;
  }
  EXPECT_EQ(copy_of(all).numbers, whole.numbers);
  const CudaWeight* const apart[] = {&weights[0], &weights[2]};
  EXPECT_EQ(copy_of(apart).numbers, nullptr);
  ASSERT_TRUE(lie_together(all));
  for (const bool tuned : {false, true}) {
    if (tuned) {
      matmul.note(all, type(), type(), false);
      const std::int64_t row_counts[] = {64, 96, 256, 512};
      const auto scratch_bytes = std::size_t{16} << 20U;
      EXPECT_EQ(matmul.tune(launch_, row_counts, {take(scratch_bytes, 256), scratch_bytes}), 4);
    }
    for (const std::int64_t rows : {64, 66, 200, 300}) {
      const Numbers x = random(rows * kColumns, type());
      const Activation y = empty(rows, 320, type());
      const Activation ys[] = {part(y, 0, 192), part(y, 192, 64), part(y, 256, 64)};
      matmul.matmul(launch_, ys, put(x, rows, kColumns, type()), all);
      EXPECT_LT(off(get(y), product_in_double(x, w, rows, kColumns)), 0.035)
          << rows << " rows, " << tuned;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, Int4CopyTest, kWorkTypes, work_type_name);
INSTANTIATE_TEST_SUITE_P(WorkTypes, Int4CopyMlpTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
