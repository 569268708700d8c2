// The streaming kernels against products in double.
#include <tuple>

#include "backend/cuda/matmul_test_support.h"
#include "backend/cuda/stream_matmul.h"

namespace hangar::cuda {
namespace {

struct Shape {
  std::int64_t outputs;
  std::int64_t columns;
};

// Fewer outputs than blocks, shares of one row and of several tiles, less than a slot of columns,
// columns that end within a slot and within a step of 32, inputs that need several chunks.
constexpr Shape kStreamShapes[] = {{1, 8},      {3, 24},     {16, 512},   {17, 520},
                                   {133, 64},   {576, 1536}, {2117, 512}, {31, 4096},
                                   {300, 4104}, {40, 14336}, {4500, 2048}};

class StreamMatmulTest : public ProductTest {
 protected:
  StreamProduct product_of(const CudaWeight& w, Activation x, Activation y, StreamOutput output) {
    StreamProduct product;
    product.type = type();
    product.weight = w.data;
    product.weight_type = w.dtype;
    product.outputs = w.rows;
    product.columns = w.columns;
    product.rows = x.rows;
    product.x = x.data;
    product.x_stride = x.row_stride();
    product.output = output;
    product.y = y.data;
    product.y_stride = y.row_stride();
    return product;
  }

  // One random product, strides wider than the rows; `run` is one of the kernels.
  template <typename Run>
  void check_plain(Shape shape, std::int64_t rows, StreamOutput output, Run&& run,
                   std::int64_t padding = 8, std::int64_t offset = 0) {
    start_over();
    const auto [outputs, columns] = shape;
    const DType y_type = output == StreamOutput::kWork ? type() : DType::kF32;
    const Numbers w = random(outputs * columns, type());
    const Numbers x = random(rows * columns, type());
    const Numbers old =
        output == StreamOutput::kAdd ? random(rows * outputs, DType::kF32) : Numbers();
    auto made = weight(w, outputs, columns);
    if (outputs == 1) {  // as a matrix, which the kernels are made for
      const Activation matrix = put(w, 1, columns, type());
      made->data = matrix.data;
      made->dtype = type();
    }
    const Activation input = put(x, rows, columns, type(), columns + padding, offset);
    const Activation y = put(old, rows, outputs, y_type, outputs + padding + 3, offset);
    run(product_of(*made, input, y, output));
    expect_product(get(y), x, w, rows, outputs, columns, y_type, old);
  }
};

TEST_P(StreamMatmulTest, RingEqualsTheProduct) {
  if (!launch_.hopper) GTEST_SKIP() << "the ring is Hopper's";
  for (const Shape shape : kStreamShapes) {
    for (std::int64_t rows = 1; rows <= kMostStreamRows; ++rows) {
      const auto output = static_cast<StreamOutput>(rows % 3);
      SCOPED_TRACE(fmt::format("{} x {}, {} rows, output {}", shape.outputs, shape.columns, rows,
                               static_cast<int>(output)));
      check_plain(shape, rows, output, [&](const StreamProduct& product) {
        ASSERT_TRUE(can_stream_ring(launch_, product));
        stream_ring(launch_, product);
      });
      if (HasFailure()) return;
    }
  }
}

TEST_P(StreamMatmulTest, DirectEqualsTheProduct) {
  for (const Shape shape : kStreamShapes) {
    for (const std::int64_t rows : {1, 2, 5, 8}) {
      const auto output = static_cast<StreamOutput>(rows % 3);
      SCOPED_TRACE(fmt::format("{} x {}, {} rows", shape.outputs, shape.columns, rows));
      check_plain(shape, rows, output, [&](const StreamProduct& product) {
        ASSERT_TRUE(can_stream_direct(product));
        stream_direct(launch_, product);
      });
      if (HasFailure()) return;
    }
  }
}

TEST_P(StreamMatmulTest, ScalarTakesAnySizesStridesAndPlaces) {
  for (const Shape shape : {Shape{1, 1}, Shape{7, 3}, Shape{33, 65}, Shape{130, 257}}) {
    for (const std::int64_t rows : {1, 2, 8, 9, 40}) {
      const auto output = static_cast<StreamOutput>(rows % 3);
      SCOPED_TRACE(fmt::format("{} x {}, {} rows", shape.outputs, shape.columns, rows));
      check_plain(
          shape, rows, output,
          [&](const StreamProduct& product) {
            EXPECT_FALSE(can_stream_ring(launch_, product));
            EXPECT_FALSE(can_stream_direct(product));
            stream_scalar(launch_, product);
          },
          1, 3);
      if (HasFailure()) return;
    }
  }
}

TEST_P(StreamMatmulTest, RingNormsItsInput) {
  if (!launch_.hopper) GTEST_SKIP() << "the ring is Hopper's";
  for (const Shape shape :
       {Shape{50, 8}, Shape{300, 576}, Shape{140, 4096}, Shape{20, 8192}, Shape{17, 14336}}) {
    for (std::int64_t rows = 1; rows <= kMostStreamRows; ++rows) {
      SCOPED_TRACE(fmt::format("{} x {}, {} rows", shape.outputs, shape.columns, rows));
      start_over();
      const auto [outputs, columns] = shape;
      const float eps = 1e-5F;
      const Numbers w = random(outputs * columns, type());
      const Numbers x = random(rows * columns, DType::kF32, 3.0F);
      const Numbers norm = random(columns, DType::kF32);
      Numbers normed;
      for (std::int64_t r = 0; r < rows; ++r) {
        double squares = 0.0;
        for (std::int64_t c = 0; c < columns; ++c) {
          squares += std::pow(static_cast<double>(x[static_cast<std::size_t>(r * columns + c)]), 2);
        }
        const double factor =
            1.0 / std::sqrt(squares / static_cast<double>(columns) + static_cast<double>(eps));
        for (std::int64_t c = 0; c < columns; ++c) {
          const double value = static_cast<double>(x[static_cast<std::size_t>(r * columns + c)]) *
                               factor * static_cast<double>(norm[static_cast<std::size_t>(c)]);
          normed.push_back(round_to(type(), static_cast<float>(value)));
        }
      }
      const auto made = weight(w, outputs, columns);
      const Activation input = put(x, rows, columns, DType::kF32, columns + 4);
      const Activation y = empty(rows, outputs, type(), outputs + 5);
      StreamProduct product = product_of(*made, input, y, StreamOutput::kWork);
      product.input = StreamInput::kNorm;
      product.norm_weight = put(norm, 1, columns, DType::kF32).f32();
      product.eps = eps;
      ASSERT_TRUE(can_stream_ring(launch_, product));
      stream_ring(launch_, product);
      // Here and there an input is rounded to the other side.
      expect_product(get(y), normed, w, rows, outputs, columns, type(), {},
                     static_cast<double>(epsilon()) / 8);
      if (HasFailure()) return;
    }
  }
}

TEST_P(StreamMatmulTest, RingGatesItsInput) {
  if (!launch_.hopper) GTEST_SKIP() << "the ring is Hopper's";
  for (const GateFunction f : {GateFunction::kSilu, GateFunction::kGeluTanh}) {
    for (const Shape shape : {Shape{50, 8}, Shape{300, 1536}, Shape{40, 14336}}) {
      for (std::int64_t rows = 1; rows <= kMostStreamRows; ++rows) {
        SCOPED_TRACE(fmt::format("{} x {}, {} rows, gate {}", shape.outputs, shape.columns, rows,
                                 static_cast<int>(f)));
        start_over();
        const auto [outputs, columns] = shape;
        const Numbers w = random(outputs * columns, type());
        const Numbers gate = random(rows * columns, type(), 3.0F);
        const Numbers up = random(rows * columns, type());
        const Numbers old = random(rows * outputs, DType::kF32);
        Numbers gated;
        for (std::size_t i = 0; i < gate.size(); ++i) {
          const double g = static_cast<double>(gate[i]);
          const double tanh_of = 0.7978845608 * (g + 0.044715 * g * g * g);
          const double value = f == GateFunction::kSilu ? g / (1.0 + std::exp(-g))
                                                        : 0.5 * g * (1.0 + std::tanh(tanh_of));
          gated.push_back(round_to(type(), static_cast<float>(value * static_cast<double>(up[i]))));
        }
        const auto made = weight(w, outputs, columns);
        // gate and up side by side, as one product makes them
        const Activation both = empty(rows, 2 * columns, type());
        const Activation gates = part(both, 0, columns);
        const Activation ups = part(both, columns, columns);
        for (const auto& [to, values] : {std::pair{gates, gate}, std::pair{ups, up}}) {
          const Activation from = put(values, rows, columns, type());
          HANGAR_CUDA(cudaMemcpy2DAsync(to.data, row_bytes(type(), to.row_stride()), from.data,
                                        row_bytes(type(), columns), row_bytes(type(), columns),
                                        static_cast<std::size_t>(rows), cudaMemcpyDeviceToDevice,
                                        launch_.stream));
        }
        const Activation y = put(old, rows, outputs, DType::kF32, outputs + 5);
        StreamProduct product = product_of(*made, gates, y, StreamOutput::kAdd);
        product.input = StreamInput::kGate;
        product.up = ups.data;
        product.up_stride = ups.row_stride();
        product.gate = f;
        ASSERT_TRUE(can_stream_ring(launch_, product));
        stream_ring(launch_, product);
        expect_product(get(y), gated, w, rows, outputs, columns, DType::kF32, old,
                       static_cast<double>(epsilon()) / 8);
        if (HasFailure()) return;
      }
    }
  }
}

// Each product reads what the one before it wrote; the rings of the later fill meanwhile.
TEST_P(StreamMatmulTest, OverlappedChainsEqualThoseOneByOne) {
  if (!launch_.hopper) GTEST_SKIP() << "the ring is Hopper's";
  constexpr std::int64_t kWidth = 1024;
  constexpr int kLayers = 12;
  std::vector<std::unique_ptr<CudaWeight>> weights;
  for (int i = 0; i < kLayers; ++i) {
    weights.push_back(weight(random(kWidth * kWidth, type(), 0.03F), kWidth, kWidth));
  }
  for (const std::int64_t rows : {1, 3, 8}) {
    const Numbers x = random(rows * kWidth, type());
    const Activation pair[2] = {put(x, rows, kWidth, type()), empty(rows, kWidth, type())};
    const std::size_t bytes = row_bytes(type(), rows * kWidth);
    const Activation first = put(x, rows, kWidth, type());
    const auto chain = [&](const Launch& launch) {
      HANGAR_CUDA(cudaMemcpyAsync(pair[0].data, first.data, bytes, cudaMemcpyDeviceToDevice,
                                  launch.stream));
      for (int i = 0; i < kLayers; ++i) {
        stream_ring(launch, product_of(*weights[static_cast<std::size_t>(i)], pair[i % 2],
                                       pair[(i + 1) % 2], StreamOutput::kWork));
      }
    };
    Launch apart = launch_;
    apart.overlap = false;
    chain(apart);
    const Numbers want = get(pair[kLayers % 2]);
    EXPECT_GT(std::abs(want[0]) + std::abs(want[1]), 0.0F);
    for (int repeat = 0; repeat < 20; ++repeat) {
      chain(launch_);
      ASSERT_EQ(get(pair[kLayers % 2]), want) << rows << " rows, repeat " << repeat;
    }
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t replay = nullptr;
    HANGAR_CUDA(cudaStreamBeginCapture(launch_.stream, cudaStreamCaptureModeThreadLocal));
    chain(launch_);
    HANGAR_CUDA(cudaStreamEndCapture(launch_.stream, &graph));
    HANGAR_CUDA(cudaGraphInstantiate(&replay, graph, 0));
    for (int repeat = 0; repeat < 20; ++repeat) {
      HANGAR_CUDA(cudaGraphLaunch(replay, launch_.stream));
      ASSERT_EQ(get(pair[kLayers % 2]), want) << rows << " rows, replay " << repeat;
    }
    HANGAR_CUDA(cudaGraphExecDestroy(replay));
    HANGAR_CUDA(cudaGraphDestroy(graph));
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, StreamMatmulTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
