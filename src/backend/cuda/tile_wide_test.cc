// Gated tile products by two blocks against products in double: 16 bits and FP8, ends of tiles, and
// the last tiles in halves.
#include <gtest/gtest.h>

#include "backend/cuda/matmul_test_support.h"
#include "backend/cuda/tile_matmul.h"
#include "backend/cuda/tile_plan.h"

namespace hangar::cuda {
namespace {

struct Shape {
  std::int64_t outputs;
  std::int64_t columns;
};

constexpr TileWay kWide = {kWideRows, 1, kWideKib, 1};
// With so many processors: one cluster, clusters with several tiles, an odd number of them.
constexpr int kProcessorCounts[] = {1, 4, 6, 10};

class TileWideTest : public ProductTest {
 protected:
  void SetUp() override {
    ProductTest::SetUp();
    if (!IsSkipped() && !launch_.hopper) GTEST_SKIP() << "tile products are Hopper's";
  }

  // A product, its numbers on the host, its scales in them.
  struct Case {
    Product product;
    Activation y;
    Numbers x, w;
  };
  Case make(DType of, Shape shape, std::int64_t rows) {
    start_over();
    const auto [outputs, columns] = shape;
    const bool scaled = of == DType::kF8E4M3;
    Case made;
    made.w = random(2 * outputs * columns, of, scaled ? 8.0F : 0.1F);
    made.x = random(rows * columns, of, scaled ? 8.0F : 1.0F);
    const Activation input = put(made.x, rows, columns, of, columns + 16);
    const Activation weight = put(made.w, 2 * outputs, columns, of);
    made.y = empty(rows, outputs, type(), outputs + 8);
    made.product = ProductTest::product_of(weight.data, of, input, made.y, ProductOutput::kWork);
    made.product.gate = GateFunction::kSilu;
    if (scaled) {
      made.product.weight_scales = scale(made.w, 2 * outputs);
      made.product.x_scales = scale(made.x, rows);
    }
    return made;
  }

  void check(const Case& made, int processors = 0) {
    ASSERT_TRUE(can_tile(launch_, made.product));
    Launch launch = launch_;
    if (processors > 0) launch.processors = processors;
    tile_matmul(launch, made.product, kWide);
    // Sums of FP8 are kept to about 13 bits within the instruction, from first to last.
    const double inputs = made.product.weight_type == DType::kF8E4M3 ? 2e-3 : 1e-5;
    const std::int64_t outputs = made.product.outputs;
    const Numbers got = get(made.y);
    const Numbers both = product_in_double(made.x, made.w, made.product.rows, made.product.columns);
    for (std::int64_t r = 0; r < made.product.rows; ++r) {
      for (std::int64_t o = 0; o < outputs; ++o) {
        const double gate = both[static_cast<std::size_t>(2 * r * outputs + o)];
        const double up = both[static_cast<std::size_t>((2 * r + 1) * outputs + o)];
        const double inner = made.product.gate == GateFunction::kSilu
                                 ? gate
                                 : 2.0 * 0.7978845608 * (gate + 0.044715 * gate * gate * gate);
        const double want = gate / (1.0 + std::exp(-inner)) * up;
        // As large as sums become by chance; either's error counts as often as the other's size.
        const double sums = inputs * 4.0 * (1.0 + std::abs(gate)) * (1.0 + std::abs(up));
        ASSERT_NEAR(got[static_cast<std::size_t>(r * outputs + o)], want,
                    static_cast<double>(epsilon()) * std::abs(want) + 2e-5 + sums)
            << "row " << r << " output " << o;
      }
    }
  }

 private:
  // Puts a scale for each row on the card, and multiplies the numbers by them.
  const float* scale(Numbers& numbers, std::int64_t rows) {
    std::uniform_real_distribution<float> spread(0.002F, 0.008F);
    Numbers scales(static_cast<std::size_t>(rows));
    for (float& value : scales) value = spread(random_);
    const std::size_t columns = numbers.size() / scales.size();
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] *= scales[i / columns];
    return put(scales, 1, rows, DType::kF32).f32();
  }
};

TEST_P(TileWideTest, TwoBlocksGate) {
  int turn = 0;
  for (const DType of : {type(), DType::kF8E4M3}) {
    for (const Shape shape : {Shape{8, 128}, {40, 640}, {1000, 256}, {64, 2048}}) {
      for (const std::int64_t rows : {257, 300, 520}) {
        SCOPED_TRACE(fmt::format("{} x {}, {} rows", shape.outputs, shape.columns, rows));
        Case made = make(of, shape, rows);
        if (turn % 4 > 1) made.product.gate = GateFunction::kGeluTanh;
        check(made, turn % 2 == 0 ? 0 : kProcessorCounts[turn / 2 % 4]);
        ++turn;
        if (HasFailure()) return;
      }
    }
  }
}

// However many of the tiles are done in halves: the same bits.
TEST_P(TileWideTest, TwoBlocksInHalvesEqualTheWhole) {
  for (const DType of : {type(), DType::kF8E4M3}) {
    for (const std::int64_t rows : {280, 400}) {
      Case made = make(of, {1096, 512}, rows);
      Numbers want;
      for (const int processors : {1, 4, 8, 14, 20, launch_.processors}) {
        Launch launch = launch_;
        launch.processors = processors;
        const Activation y = empty(rows, made.y.columns, type(), made.y.row_stride());
        made.product.y = y.data;
        tile_matmul(launch, made.product, kWide);
        const Numbers got = get(y);
        if (want.empty()) want = got;
        EXPECT_EQ(got, want) << rows << " rows, " << processors << " processors";
      }
    }
  }
}

TEST_P(TileWideTest, TwoBlocksAreOfferedWhereTheyAreRight) {
  Case made = make(type(), {512, 1024}, 400);
  EXPECT_EQ(tile_ways(launch_, made.product), std::vector<TileWay>{kWide});
  made = make(DType::kF8E4M3, {512, 1024}, 400);
  const auto by_two = [&](bool fast_sums) {
    return std::ranges::count(tile_ways(launch_, made.product, fast_sums), kWide);
  };
  EXPECT_EQ(by_two(true), 1);
  EXPECT_EQ(by_two(false), 0);  // sums in float32
  made.product.y_stride -= 1;   // the copy engine cannot write it
  EXPECT_EQ(by_two(true), 0);
  EXPECT_TRUE(can_tile(launch_, made.product));  // three warpgroups can
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, TileWideTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
