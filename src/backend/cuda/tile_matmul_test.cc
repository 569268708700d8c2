// Tile products against products in double: every width, both ways of sharing a tile, ends of tiles
// and of slots; and whatever way was measured.
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

class TileMatmulTest : public ProductTest {
 protected:
  void SetUp() override {
    ProductTest::SetUp();
    if (!IsSkipped() && !launch_.hopper) GTEST_SKIP() << "tile products are Hopper's";
  }

  Product product_of(const Numbers& w, Shape shape, Activation x, Activation y,
                     ProductOutput output) {
    const Activation weight = put(w, std::ssize(w) / shape.columns, shape.columns, type());
    return ProductTest::product_of(weight.data, type(), x, y, output);
  }

  void check(Shape shape, std::int64_t rows, ProductOutput output, TileWay way) {
    SCOPED_TRACE(fmt::format("{} x {}, {} rows, output {}, way {} {} {} {}", shape.outputs,
                             shape.columns, rows, static_cast<int>(output), way.rows, way.boxes,
                             way.memory_kib, way.blocks));
    start_over();
    const auto [outputs, columns] = shape;
    const DType to = output == ProductOutput::kWork ? type() : DType::kF32;
    const Numbers w = random(outputs * columns, type());
    const Numbers x = random(rows * columns, type());
    const Numbers old =
        output == ProductOutput::kAdd ? random(rows * outputs, DType::kF32) : Numbers();
    const Activation input = put(x, rows, columns, type(), columns + 8);
    const Activation y = put(old, rows, outputs, to, outputs + 3);
    const Product product = product_of(w, shape, input, y, output);
    ASSERT_TRUE(can_tile(launch_, product));
    tile_matmul(launch_, product, way);
    expect_product(get(y), x, w, rows, outputs, columns, to, old);
  }
};

constexpr std::int64_t kRowCounts[] = {1, 5, 8, 9, 16, 27, 32, 50, 64, 65, 128};

TEST_P(TileMatmulTest, EqualsTheProduct) {
  constexpr Shape kShapes[] = {{1, 64},     {8, 128},    {33, 192},  {133, 576},
                               {576, 1536}, {2117, 512}, {31, 4096}, {40, 14336}};
  int turn = 0;
  for (const Shape shape : kShapes) {
    for (const std::int64_t rows : kRowCounts) {
      const auto output = static_cast<ProductOutput>(turn++ % 3);
      for (const TileWay way : {TileWay{32, 4, 224, 1},
                                {48, 2, 150, 1},
                                {64, 2, 224, 1},
                                {16, 2, 112, 2},
                                {96, 1, 112, 2},
                                {128, 1, 224, 1}}) {
        check(shape, rows, output, way);
        if (HasFailure()) return;
      }
    }
  }
}

// More tiles than blocks: blocks go on to others, the ring with them.
TEST_P(TileMatmulTest, BlocksTakeSeveralTiles) {
  for (const std::int64_t rows : {1, 16, 40}) {
    for (const TileWay way : {TileWay{16, 4, 112, 2}, {8, 8, 224, 1}, {112, 1, 224, 1}}) {
      check({9000, 128}, rows, ProductOutput::kFull, way);
      check({4100, 320}, rows, ProductOutput::kAdd, way);
      if (HasFailure()) return;
    }
  }
}

// Several tiles of x; columns in parts, whose sums are added up.
TEST_P(TileMatmulTest, TakesMoreRowsThanATileAndPartsOfTheColumns) {
  for (const std::int64_t rows : {129, 256}) {
    for (const ProductOutput output : {ProductOutput::kWork, ProductOutput::kAdd}) {
      check({300, 448}, rows, output, {128, 1, 224, 1});
      check({300, 448}, rows, output, {32, 2, 224, 1});
    }
    check({300, 1792}, rows, ProductOutput::kAdd, {96, 2, 224, 1, 7});
  }
  check({300, 1792}, 40, ProductOutput::kAdd, {64, 2, 224, 1, 2});
}

TEST_P(TileMatmulTest, EveryWayThatIsOfferedIsRight) {
  for (const std::int64_t rows : {1, 24, 64, 128, 200}) {
    for (const auto& [shape, output] : {std::pair{Shape{768, 576}, ProductOutput::kWork},
                                        {Shape{4096, 256}, ProductOutput::kWork},
                                        {Shape{4096, 1792}, ProductOutput::kAdd}}) {
      Product product;
      product.output = output;
      product.type = product.weight_type = type();
      product.outputs = shape.outputs;
      product.columns = shape.columns;
      product.rows = rows;
      product.x_stride = shape.columns;
      const std::vector<TileWay> ways = tile_ways(launch_, product);
      EXPECT_FALSE(ways.empty());
      for (const TileWay& way : ways) {
        check(shape, rows, output, way);
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(TileMatmulTest, GatesWhatItMultiplies) {
  for (const GateFunction f : {GateFunction::kSilu, GateFunction::kGeluTanh}) {
    for (const Shape shape : {Shape{8, 64}, Shape{40, 576}, Shape{1536, 576}, Shape{5000, 256}}) {
      for (const std::int64_t rows : {1, 9, 32, 61, 128, 190}) {
        for (const TileWay way : {TileWay{32, 4, 224, 1}, {64, 2, 224, 1}, {128, 1, 112, 2}}) {
          SCOPED_TRACE(fmt::format("{} x {}, {} rows, tiles of {}", shape.outputs, shape.columns,
                                   rows, way.rows));
          start_over();
          const auto [outputs, columns] = shape;
          const Numbers w = random(2 * outputs * columns, type(), 0.1F);
          const Numbers x = random(rows * columns, type());
          const Activation input = put(x, rows, columns, type());
          const Activation y = empty(rows, outputs, type(), outputs + 5);
          Product product = product_of(w, shape, input, y, ProductOutput::kWork);
          product.gate = f;
          ASSERT_TRUE(can_tile(launch_, product));
          tile_matmul(launch_, product, way);
          const Numbers got = get(y);
          for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t o = 0; o < outputs; ++o) {
              double gate = 0.0;
              double up = 0.0;
              for (std::int64_t c = 0; c < columns; ++c) {
                const auto at = static_cast<double>(x[static_cast<std::size_t>(r * columns + c)]);
                gate += at * static_cast<double>(w[static_cast<std::size_t>(o * columns + c)]);
                up += at *
                      static_cast<double>(w[static_cast<std::size_t>((outputs + o) * columns + c)]);
              }
              const double inner =
                  f == GateFunction::kSilu
                      ? gate
                      : 2.0 * 0.7978845608 * (gate + 0.044715 * gate * gate * gate);
              const double want = gate / (1.0 + std::exp(-inner)) * up;
              ASSERT_NEAR(got[static_cast<std::size_t>(r * outputs + o)], want,
                          static_cast<double>(epsilon()) * std::abs(want) + 2e-5)
                  << "row " << r << " output " << o;
            }
          }
        }
      }
    }
  }
}

// The same bits, however many rows there are beside: of a width and of a wider one.
TEST_P(TileMatmulTest, ARowDoesNotDependOnItsNeighbours) {
  const Shape shape{200, 1024};
  const Numbers w = random(shape.outputs * shape.columns, type());
  const Numbers x = random(128 * shape.columns, type());
  Numbers want;
  for (const std::int64_t rows : {1, 8, 16, 32, 64, 128}) {
    start_over();
    const Activation y = empty(rows, shape.outputs, DType::kF32);
    const Numbers some(x.begin(), x.begin() + rows * shape.columns);
    tile_matmul(
        launch_,
        product_of(w, shape, put(some, rows, shape.columns, type()), y, ProductOutput::kFull),
        {64, 2, 224, 1});
    Numbers got = get(y);
    got.resize(static_cast<std::size_t>(shape.outputs));
    if (want.empty()) want = got;
    EXPECT_EQ(got, want) << rows << " rows";
  }
}

// Each product reads what the one before it wrote; the rings of the later fill meanwhile.
TEST_P(TileMatmulTest, OverlappedChainsEqualThoseOneByOne) {
  constexpr std::int64_t kWidth = 1024;
  constexpr int kLayers = 12;
  constexpr int kRepeats = kFewLaunches ? 2 : 20;
  std::vector<Numbers> weights;
  for (int i = 0; i < kLayers; ++i) {
    weights.push_back(random(kWidth * kWidth, type(), 0.03F));
  }
  for (const std::int64_t rows : {1, 3, 8}) {
    const Numbers x = random(rows * kWidth, type());
    const Activation pair[2] = {put(x, rows, kWidth, type()), empty(rows, kWidth, type())};
    const std::size_t bytes = row_bytes(type(), rows * kWidth);
    const Activation first = put(x, rows, kWidth, type());
    std::vector<Product> products;
    for (int i = 0; i < kLayers; ++i) {
      products.push_back(product_of(weights[static_cast<std::size_t>(i)], {kWidth, kWidth},
                                    pair[i % 2], pair[(i + 1) % 2], ProductOutput::kWork));
    }
    const auto chain = [&](const Launch& launch) {
      HANGAR_CUDA(cudaMemcpyAsync(pair[0].data, first.data, bytes, cudaMemcpyDeviceToDevice,
                                  launch.stream));
      for (int i = 0; i < kLayers; ++i) {
        tile_matmul(launch, products[static_cast<std::size_t>(i)], {32, 4, 104, 1});
      }
    };
    Launch apart = launch_;
    apart.overlap = false;
    chain(apart);
    const Numbers want = get(pair[kLayers % 2]);
    EXPECT_GT(std::abs(want[0]) + std::abs(want[1]), 0.0F);
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      chain(launch_);
      ASSERT_EQ(get(pair[kLayers % 2]), want) << rows << " rows, repeat " << repeat;
    }
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t replay = nullptr;
    HANGAR_CUDA(cudaStreamBeginCapture(launch_.stream, cudaStreamCaptureModeThreadLocal));
    chain(launch_);
    HANGAR_CUDA(cudaStreamEndCapture(launch_.stream, &graph));
    HANGAR_CUDA(cudaGraphInstantiate(&replay, graph, 0));
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      HANGAR_CUDA(cudaGraphLaunch(replay, launch_.stream));
      ASSERT_EQ(get(pair[kLayers % 2]), want) << rows << " rows, replay " << repeat;
    }
    HANGAR_CUDA(cudaGraphExecDestroy(replay));
    HANGAR_CUDA(cudaGraphDestroy(graph));
  }
}

constexpr TileWay kByThree = {192, 1, 224, 1};

// FP8: numbers that e4m3 has, a scale for each row of both.
TEST_P(TileMatmulTest, MultipliesFp8) {
  constexpr Shape kShapes[] = {{8, 128}, {133, 384}, {1000, 512}, {64, 14336}};
  std::uniform_real_distribution<float> spread(0.01F, 0.1F);
  int turn = 0;
  for (const Shape shape : kShapes) {
    for (const std::int64_t rows : {1, 5, 8, 9, 16, 27, 32, 50, 64, 65, 128, 300}) {
      for (const TileWay way :
           {TileWay{32, 4, 224, 1}, {64, 2, 224, 1}, {128, 1, 224, 1}, kByThree}) {
        if (way == kByThree ? rows <= 64 : rows > kMostTileRows) continue;
        const auto output = static_cast<ProductOutput>(turn++ % 3);
        SCOPED_TRACE(fmt::format("{} x {}, {} rows, tiles of {}", shape.outputs, shape.columns,
                                 rows, way.rows));
        start_over();
        const auto [outputs, columns] = shape;
        const DType to = output == ProductOutput::kWork ? type() : DType::kF32;
        Numbers w = random(outputs * columns, DType::kF8E4M3, 8.0F);
        Numbers x = random(rows * columns, DType::kF8E4M3, 8.0F);
        const Numbers old =
            output == ProductOutput::kAdd ? random(rows * outputs, DType::kF32) : Numbers();
        const Activation input = put(x, rows, columns, DType::kF8E4M3, columns + 16);
        const Activation weight = put(w, outputs, columns, DType::kF8E4M3);
        const Activation y = put(old, rows, outputs, to, outputs + 3);
        Numbers weight_scales(static_cast<std::size_t>(outputs));
        Numbers x_scales(static_cast<std::size_t>(rows));
        for (float& scale : weight_scales) scale = spread(random_);
        for (float& scale : x_scales) scale = spread(random_);
        Product product = ProductTest::product_of(weight.data, DType::kF8E4M3, input, y, output);
        product.weight_scales = put(weight_scales, 1, outputs, DType::kF32).f32();
        product.x_scales = put(x_scales, 1, rows, DType::kF32).f32();
        ASSERT_TRUE(can_tile(launch_, product));
        Launch launch = launch_;
        if (rows % 2 == 0) launch.processors = 4;  // several tiles to a block, and halves of some
        tile_matmul(launch, product, way);
        for (std::size_t i = 0; i < w.size(); ++i) {
          w[i] *= weight_scales[i / static_cast<std::size_t>(columns)];
        }
        for (std::size_t i = 0; i < x.size(); ++i) {
          x[i] *= x_scales[i / static_cast<std::size_t>(columns)];
        }
        // Within the instruction sums are kept to about 13 bits.
        expect_product(get(y), x, w, rows, outputs, columns, to, old, 3e-4);
        if (HasFailure()) return;
      }
    }
  }
}

// However many of the tiles are done in halves: the same bits.
TEST_P(TileMatmulTest, HalvesEqualTheWhole) {
  for (const std::int64_t rows : {129, 190, 256, 400}) {
    for (const bool gated : {false, true}) {
      start_over();
      constexpr std::int64_t kOutputs = 1096;
      constexpr std::int64_t kColumns = 768;
      const std::int64_t weight_rows = (gated ? 2 : 1) * kOutputs;
      const Activation input =
          put(random(rows * kColumns, DType::kF8E4M3, 8.0F), rows, kColumns, DType::kF8E4M3);
      const Activation weight = put(random(weight_rows * kColumns, DType::kF8E4M3, 8.0F),
                                    weight_rows, kColumns, DType::kF8E4M3);
      const Activation y = empty(rows, kOutputs, type());
      Product product =
          ProductTest::product_of(weight.data, DType::kF8E4M3, input, y, ProductOutput::kWork);
      product.weight_scales =
          put(random(weight_rows, DType::kF32), 1, weight_rows, DType::kF32).f32();
      product.x_scales = put(random(rows, DType::kF32), 1, rows, DType::kF32).f32();
      if (gated) product.gate = GateFunction::kSilu;
      Numbers want;
      for (const TileWay way : {TileWay{128, 1, 224, 1}, kByThree}) {
        if (way != kByThree && rows > kMostTileRows) continue;
        for (const int processors : {1, 4, 5, 7, launch_.processors}) {
          Launch launch = launch_;
          launch.processors = processors;
          tile_matmul(launch, product, way);
          const Numbers got = get(y);
          if (want.empty()) want = got;
          EXPECT_EQ(got, want) << rows << " rows by " << way.rows << ", " << processors
                               << " processors, gated: " << gated;
        }
      }
    }
  }
}

TEST_P(TileMatmulTest, SaysWhatItDoesNotTake) {
  alignas(16) std::byte memory[32];
  Product product;
  product.type = product.weight_type = type();
  product.weight = product.x = memory;
  product.outputs = 64;
  product.columns = product.x_stride = 128;
  product.rows = 8;
  EXPECT_TRUE(can_tile(launch_, product));
  const auto refuses = [&](auto&& change) {
    Product other = product;
    change(other);
    return !can_tile(launch_, other) && tile_ways(launch_, other).empty();
  };
  EXPECT_TRUE(refuses([](Product& p) { p.rows = 257; }));
  EXPECT_TRUE(refuses([](Product& p) { p.columns = 96; }));
  EXPECT_TRUE(refuses([](Product& p) { p.x_stride = 132; }));
  EXPECT_TRUE(refuses([&](Product& p) { p.x = memory + 8; }));
  EXPECT_TRUE(refuses([](Product& p) { p.weight_type = DType::kF32; }));
  EXPECT_TRUE(refuses([](Product& p) { p.gate = GateFunction::kGelu; }));
  EXPECT_TRUE(refuses([](Product& p) {
    p.gate = GateFunction::kSilu;
    p.outputs = 60;
  }));
  Product many = product;
  many.rows = 257;
  many.y_stride = 64;
  many.gate = GateFunction::kSilu;
  EXPECT_TRUE(can_tile(launch_, many));
  many.y_stride = 65;
  EXPECT_FALSE(can_tile(launch_, many));
  Launch other = launch_;
  other.hopper = false;
  EXPECT_FALSE(can_tile(other, product));
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, TileMatmulTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
