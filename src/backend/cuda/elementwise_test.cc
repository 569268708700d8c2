// The passes over rows against the reference, in every layout that rows may have.
#include "backend/cuda/elementwise.h"
#include "backend/cuda/device_arch.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <tuple>

#include "backend/cuda/experts.h"
#include "backend/cuda/testing.h"
#include "backend/ref/ops.h"

namespace hangar::cuda {
namespace {

// How rows lie: one after the other; parts of a wider matrix, at borders of 16 bytes; anywhere.
enum class Layout { kTight, kStrided, kOdd };

using Values = std::vector<float>;
struct Shape {
  std::int64_t rows;
  std::int64_t columns;
};
// Below and beside 8 elements a thread, and more than a block keeps in registers.
constexpr Shape kShapes[] = {{1, 1}, {2, 7}, {3, 16}, {5, 576}, {70, 577}, {3, 4096}, {2, 20000}};

class CudaPassTest : public ::testing::TestWithParam<std::tuple<DType, Layout>> {
 protected:
  void SetUp() override {
    if (!card_present()) GTEST_SKIP() << "no CUDA card here";
    cudaDeviceProp properties{};
    HANGAR_CUDA(cudaGetDeviceProperties(&properties, 0));
    launch_.processors = properties.multiProcessorCount;
    launch_.hopper = properties.major == 9 && runs_hopper_code();
    launch_.overlap = true;
    HANGAR_CUDA(cudaStreamCreateWithFlags(&launch_.stream, cudaStreamNonBlocking));
  }
  void TearDown() override {
    for (const Piece& piece : pieces_) (void)cudaFree(piece.memory);
    if (launch_.stream != nullptr) (void)cudaStreamDestroy(launch_.stream);
  }

  DType work() const { return std::get<0>(GetParam()); }
  Layout layout() const { return std::get<1>(GetParam()); }
  // What one rounding to the type of an output is allowed to change.
  float tolerance(DType type) const {
    if (type == DType::kF32) return 2e-6F;
    return type == DType::kBF16 ? 0x1p-8F : 0x1p-10F;
  }
  static std::size_t bytes_of(DType type) { return type == DType::kF32 ? 4 : 2; }
  static float rounded(float value, DType type) {
    if (type == DType::kBF16) return bfloat16_to_float(float_to_bfloat16(value));
    return type == DType::kF16 ? half_to_float(float_to_half(value)) : value;
  }

  Values random_floats(std::int64_t n, DType type, float deviation = 1.0F) {
    std::normal_distribution<float> normal(0.0F, deviation);
    Values values(static_cast<std::size_t>(n));
    for (float& value : values) value = rounded(normal(random_), type);
    return values;
  }

  template <typename T>
  const T* on_card(const std::vector<T>& values) {
    void* memory = nullptr;
    HANGAR_CUDA(cudaMalloc(&memory, std::max<std::size_t>(values.size() * sizeof(T), 16)));
    pieces_.push_back({memory, {}, 0, 0});
    HANGAR_CUDA(
        cudaMemcpy(memory, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
    HANGAR_CUDA(cudaDeviceSynchronize());  // a copy from pageable memory may end after its call
    return static_cast<const T*>(memory);
  }

  // In this test's layout; every element that belongs to no row is NaN.
  Activation make(Shape shape, DType type, const Values& values) {
    const std::int64_t gap = layout() == Layout::kTight ? 0 : layout() == Layout::kOdd ? 3 : 24;
    const std::int64_t before = layout() == Layout::kTight ? 0 : layout() == Layout::kOdd ? 1 : 16;
    const std::int64_t aligned_gap =
        layout() == Layout::kStrided ? gap + (8 - shape.columns % 8) % 8 : gap;
    const std::int64_t stride = shape.columns + aligned_gap;
    Piece piece;
    piece.type_bytes = bytes_of(type);
    piece.floats.assign(static_cast<std::size_t>(before + shape.rows * stride + 8), std::nanf(""));
    for (std::int64_t r = 0; r < shape.rows; ++r) {
      std::copy_n(values.begin() + r * shape.columns, shape.columns,
                  piece.floats.begin() + before + r * stride);
    }
    std::vector<std::byte> bytes(piece.floats.size() * piece.type_bytes);
    for (std::size_t i = 0; i < piece.floats.size(); ++i) {
      write_element(bytes.data() + i * piece.type_bytes, piece.floats[i], type);
    }
    HANGAR_CUDA(cudaMalloc(&piece.memory, bytes.size()));
    HANGAR_CUDA(cudaMemcpy(piece.memory, bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
    HANGAR_CUDA(cudaDeviceSynchronize());
    piece.before = static_cast<std::size_t>(before);
    auto* data = static_cast<std::byte*>(piece.memory) + piece.before * piece.type_bytes;
    pieces_.push_back(std::move(piece));
    return {data, shape.rows, shape.columns, type, stride};
  }
  Activation make_empty(Shape shape, DType type) {
    return make(shape, type,
                Values(static_cast<std::size_t>(shape.rows * shape.columns), std::nanf("")));
  }

  // The rows; and checks that what lies between them is what it was.
  Values values_of(const Activation& x) {
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    const std::size_t bytes_each = bytes_of(x.dtype);
    const auto piece = std::ranges::find_if(pieces_, [&](const Piece& p) {
      return static_cast<std::byte*>(p.memory) + p.before * p.type_bytes == x.data;
    });
    std::vector<std::byte> bytes(piece->floats.size() * bytes_each);
    HANGAR_CUDA(cudaMemcpy(bytes.data(), piece->memory, bytes.size(), cudaMemcpyDeviceToHost));
    Values values;
    std::size_t next = piece->before;
    for (std::int64_t r = 0; r < x.rows; ++r) {
      for (std::int64_t c = 0; c < x.row_stride(); ++c, ++next) {
        const float value = read_element(bytes.data() + next * bytes_each, x.dtype);
        if (c < x.columns) {
          values.push_back(value);
        } else {
          EXPECT_TRUE(std::isnan(value)) << "written behind row " << r;
        }
      }
    }
    for (std::size_t i = 0; i < piece->before; ++i) {
      EXPECT_TRUE(std::isnan(read_element(bytes.data() + i * bytes_each, x.dtype)));
    }
    return values;
  }

  void expect_near(const Values& got, const Values& want, float absolute, float relative) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], absolute + relative * std::abs(want[i])) << "element " << i;
    }
  }
  void expect_rounded(const Values& got, const Values& want, DType type) {
    expect_near(got, want, type == DType::kF32 ? 1e-7F : 1e-6F, tolerance(type));
  }

  static Activation host(Values& values, Shape shape) {
    return {values.data(), shape.rows, shape.columns, DType::kF32};
  }

  Launch launch_;
  std::mt19937 random_{77};

 private:
  struct Piece {
    void* memory = nullptr;
    Values floats;
    std::size_t type_bytes = 4;
    std::size_t before = 0;
  };
  static void write_element(std::byte* to, float value, DType type) {
    if (type == DType::kF32) {
      std::memcpy(to, &value, 4);
      return;
    }
    const std::uint16_t bits =
        type == DType::kBF16 ? float_to_bfloat16(value) : float_to_half(value);
    std::memcpy(to, &bits, 2);
  }
  static float read_element(const std::byte* from, DType type) {
    float value = 0.0F;
    std::uint16_t bits = 0;
    if (type == DType::kF32) {
      std::memcpy(&value, from, 4);
      return value;
    }
    std::memcpy(&bits, from, 2);
    return type == DType::kBF16 ? bfloat16_to_float(bits) : half_to_float(bits);
  }
  std::deque<Piece> pieces_;
};

TEST_P(CudaPassTest, RmsNormOfEveryPairOfTypes) {
  for (const Shape shape : kShapes) {
    const Values weight = random_floats(shape.columns, DType::kF32);
    for (const DType from : {DType::kF32, work()}) {
      for (const DType to : {DType::kF32, work()}) {
        Values x = random_floats(shape.rows * shape.columns, from, 3.0F);
        Values want(x.size());
        ref::rms_norm(host(want, shape), host(x, shape), weight.data(), 1e-5F);
        const Activation out = make_empty(shape, to);
        rms_norm(launch_, out, make(shape, from, x), on_card(weight), 1e-5F);
        expect_rounded(values_of(out), want, to);
      }
    }
    Values x = random_floats(shape.rows * shape.columns, work(), 3.0F);
    Values want(x.size());
    ref::rms_norm(host(want, shape), host(x, shape), weight.data(), 1e-5F);
    const Activation in_place = make(shape, work(), x);
    rms_norm(launch_, in_place, in_place, on_card(weight), 1e-5F);
    expect_rounded(values_of(in_place), want, work());
  }
}

TEST_P(CudaPassTest, ARowsNormDoesNotDependOnTheRowsBesideIt) {
  const Shape shape{9, 1208};
  const Values x = random_floats(shape.rows * shape.columns, DType::kF32);
  const float* weight = on_card(random_floats(shape.columns, DType::kF32));
  const Activation together = make_empty(shape, DType::kF32);
  rms_norm(launch_, together, make(shape, DType::kF32, x), weight, 1e-6F);
  const Values all = values_of(together);
  for (std::int64_t r = 0; r < shape.rows; ++r) {
    const Shape one{1, shape.columns};
    const auto begin = x.begin() + r * shape.columns;
    const Activation alone = make_empty(one, DType::kF32);
    rms_norm(launch_, alone, make(one, DType::kF32, {begin, begin + shape.columns}), weight, 1e-6F);
    const Values got = values_of(alone);
    EXPECT_TRUE(std::equal(got.begin(), got.end(), all.begin() + r * shape.columns)) << r;
  }
}

TEST_P(CudaPassTest, HeadNorm) {
  // head_dim, heads; the last is more than a group of lanes keeps.
  for (const auto& [dim, heads] :
       {std::pair{64, 9}, {128, 4}, {256, 1}, {6, 3}, {80, 2}, {520, 2}}) {
    for (const DType type : {DType::kF32, work()}) {
      const Shape shape{5, std::int64_t{dim} * heads};
      Values x = random_floats(shape.rows * shape.columns, type, 2.0F);
      const Values weight = random_floats(dim, DType::kF32);
      const Activation y = make(shape, type, x);
      head_norm(launch_, y, dim, on_card(weight), 1e-6F);
      const Shape by_head{shape.rows * heads, dim};
      Values want(x.size());
      ref::rms_norm(host(want, by_head), host(x, by_head), weight.data(), 1e-6F);
      expect_rounded(values_of(y), want, type);
    }
  }
}

TEST_P(CudaPassTest, GateMul) {
  for (const auto f : {GateFunction::kSilu, GateFunction::kGeluTanh, GateFunction::kGelu}) {
    for (const Shape shape : kShapes) {
      for (const DType type : {DType::kF32, work()}) {
        Values gate = random_floats(shape.rows * shape.columns, type, 4.0F);
        const float extremes[] = {0.0F, -0.0F, 88.0F, -88.0F, -89.0F, 1000.0F, -1000.0F, 1e-5F};
        for (std::size_t i = 0; i < gate.size() && i < std::size(extremes); ++i) {
          gate[i] = rounded(extremes[i], type);
        }
        Values up = random_floats(shape.rows * shape.columns, type);
        Values want(gate.size());
        ref::gate_mul(host(want, shape), host(gate, shape), host(up, shape), f);
        const Activation out = make_empty(shape, type);
        const Activation g = make(shape, type, gate);
        const Activation u = make(shape, type, up);
        gate_mul(launch_, out, g, u, f);
        gate_mul(launch_, g, g, u, f);
        const Values got = values_of(out);
        // A half below 2^-14 keeps fewer digits.
        expect_near(got, want, type == DType::kF16 ? 1e-7F : 1e-11F,
                    type == DType::kF32 ? 1e-5F : tolerance(type));
        EXPECT_EQ(values_of(g), got);
      }
    }
  }
}

TEST_P(CudaPassTest, GeluIsExactInItsTails) {
  Values gate;
  for (float x = -12.0F; x < 6.0F; x += 0.013F) gate.push_back(x);
  const Shape shape{1, std::ssize(gate)};
  Values ones(gate.size(), 1.0F);
  for (const auto f : {GateFunction::kGelu, GateFunction::kGeluTanh}) {
    Values want(gate.size());
    ref::gate_mul(host(want, shape), host(gate, shape), host(ones, shape), f);
    const Activation out = make_empty(shape, DType::kF32);
    gate_mul(launch_, out, make(shape, DType::kF32, gate), make(shape, DType::kF32, ones), f);
    expect_near(values_of(out), want, 1e-36F, 3e-5F);
  }
}

TEST_P(CudaPassTest, ScaleSoftcapAddAndBias) {
  for (const Shape shape : kShapes) {
    for (const DType type : {DType::kF32, work()}) {
      Values x = random_floats(shape.rows * shape.columns, type, 40.0F);
      Values y = random_floats(shape.rows * shape.columns, work());
      const Values bias = random_floats(shape.columns, DType::kF32);
      const auto expect = [&](const Activation& got, auto change) {
        Values want = x;
        change(host(want, shape));
        expect_rounded(values_of(got), want, type);
      };
      const Activation scaled = make(shape, type, x);
      scale(launch_, scaled, 1.7F);
      expect(scaled, [&](Activation to) { ref::scale(to, 1.7F); });
      const Activation capped = make(shape, type, x);
      softcap(launch_, capped, 30.0F);
      expect(capped, [&](Activation to) { ref::softcap(to, 30.0F); });
      const Activation sum = make(shape, type, x);
      add(launch_, sum, make(shape, work(), y));
      expect(sum, [&](Activation to) { ref::add(to, host(y, shape)); });
      const Activation biased = make(shape, type, x);
      add_bias(launch_, biased, on_card(bias));
      expect(biased, [&](Activation to) { ref::add_bias(to, bias.data()); });
    }
  }
}

TEST_P(CudaPassTest, RowsAreCopiedGatheredAndEmbedded) {
  for (const std::int64_t columns : {1, 33, 64, 5000}) {
    for (const DType from : {DType::kF32, work()}) {
      for (const DType to : {DType::kF32, work()}) {
        const Shape table{6, columns};
        const Values x = random_floats(table.rows * columns, from);
        const Activation source = make(table, from, x);
        const auto expect_rows = [&](const Activation& got, const std::vector<std::int32_t>& rows) {
          Values want;
          for (const std::int32_t r : rows) {
            for (std::int64_t c = 0; c < columns; ++c) {
              want.push_back(rounded(x[static_cast<std::size_t>(r * columns + c)], to));
            }
          }
          EXPECT_EQ(values_of(got), want);
        };
        const Activation same = make_empty(table, to);
        copy(launch_, same, source);
        expect_rows(same, {0, 1, 2, 3, 4, 5});
        const Activation gathered = make_empty({3, columns}, to);
        gather_rows(launch_, gathered, source, on_card<std::int32_t>({4, 0, 4}));
        expect_rows(gathered, {4, 0, 4});
        const Activation embedded = make_empty({4, columns}, to);
        embed(launch_, embedded, source, on_card<std::int32_t>({5, -1, -3, 0}),
              on_card<std::int32_t>({3, 9, 1}));
        expect_rows(embedded, {5, 3, 1, 0});
      }
    }
  }
}

TEST_P(CudaPassTest, ScatterAddsRowsInOrder) {
  // The list is longer than a block's window; row 1 never comes.
  for (const std::int64_t columns : {1, 33, 2000}) {
    for (const DType to : {DType::kF32, work()}) {
      const Shape x_shape{4, columns};
      const Shape y_shape{700, columns};
      std::vector<std::int32_t> rows;
      std::vector<float> weights;
      for (int i = 0; i < 700; ++i) {
        const std::int32_t choices[] = {0, 2, 3};
        rows.push_back(choices[random_() % 3]);
        weights.push_back(random_floats(1, DType::kF32, 0.05F)[0]);
      }
      Values x = random_floats(4 * columns, to);
      Values y = random_floats(700 * columns, work());
      const Values before = x;
      const Activation sum = make(x_shape, to, x);
      scatter_add_rows(launch_, sum, make(y_shape, work(), y), on_card(rows), on_card(weights));
      const Values got = values_of(sum);
      ref::scatter_add_rows(host(x, x_shape), host(y, y_shape), rows, weights);
      expect_near(got, x, 1e-5F, to == DType::kF32 ? 1e-5F : tolerance(to));
      EXPECT_TRUE(std::equal(before.begin() + columns, before.begin() + 2 * columns,
                             got.begin() + columns));
      const Activation again = make(x_shape, to, before);
      scatter_add_rows(launch_, again, make(y_shape, work(), y), on_card(rows), on_card(weights));
      EXPECT_EQ(values_of(again), got);
    }
  }
}

TEST_P(CudaPassTest, NoRowsAndNoColumnsChangeNothing) {
  const Values x = random_floats(2 * 8, work());
  const Activation y = make({2, 8}, work(), x);
  const float* weight = on_card(random_floats(8, DType::kF32));
  const Activation none = y.first_rows(0);
  rms_norm(launch_, none, none, weight, 1e-5F);
  head_norm(launch_, none, 4, weight, 1e-5F);
  gate_mul(launch_, none, none, none, GateFunction::kSilu);
  add(launch_, none, none);
  scale(launch_, none, 2.0F);
  copy(launch_, none, none);
  scatter_add_rows(launch_, y, none, nullptr, nullptr);
  EXPECT_EQ(values_of(y), x);
}

TEST_P(CudaPassTest, TwoTypesOf16BitsAreRefused) {
  const Activation a = make_empty({1, 8}, DType::kBF16);
  const Activation b = make_empty({1, 8}, DType::kF16);
  EXPECT_THROW(add(launch_, a, b), std::invalid_argument);
  EXPECT_THROW(copy(launch_, a, b), std::invalid_argument);
  EXPECT_THROW(gate_mul(launch_, a, a, b, GateFunction::kSilu), std::invalid_argument);
}

TEST_P(CudaPassTest, TopExpertsInTheReferencesOrder) {
  for (const auto& [rows, experts, k] :
       {std::tuple{1, 1, 1}, {3, 8, 2}, {5, 8, 8}, {4, 60, 4}, {300, 128, 8}, {2, 1024, 16}}) {
    const Shape shape{rows, experts};
    Values scores = random_floats(std::int64_t{rows} * experts, DType::kF32, 2.0F);
    // Many ties, of both zeros too.
    for (std::size_t i = 0; i < scores.size(); i += 2) scores[i] = std::round(scores[i] * 4) / 4;
    for (const bool normalize : {false, true}) {
      const auto count = static_cast<std::size_t>(rows * k);
      const auto* ids = const_cast<std::int32_t*>(on_card(std::vector<std::int32_t>(count, -1)));
      const auto* weights = const_cast<float*>(on_card(Values(count)));
      top_experts(launch_, make(shape, DType::kF32, scores), k, normalize,
                  const_cast<std::int32_t*>(ids), const_cast<float*>(weights));
      HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
      std::vector<std::int32_t> got_ids(count);
      Values got(count);
      HANGAR_CUDA(cudaMemcpy(got_ids.data(), ids, count * 4, cudaMemcpyDeviceToHost));
      HANGAR_CUDA(cudaMemcpy(got.data(), weights, count * 4, cudaMemcpyDeviceToHost));
      std::vector<std::int32_t> want_ids(count, -2);
      Values want(count);
      ref::top_experts(host(scores, shape), k, normalize, want_ids, want);
      EXPECT_EQ(got_ids, want_ids);
      expect_near(got, want, 0.0F, 2e-6F);
    }
  }
}

std::string pass_name(const ::testing::TestParamInfo<std::tuple<DType, Layout>>& info) {
  const char* const layouts[] = {"Tight", "Strided", "Odd"};
  return std::string(dtype_name(std::get<0>(info.param))) +
         layouts[static_cast<int>(std::get<1>(info.param))];
}
INSTANTIATE_TEST_SUITE_P(Layouts, CudaPassTest,
                         ::testing::Combine(kWorkTypes,
                                            ::testing::Values(Layout::kTight, Layout::kStrided,
                                                              Layout::kOdd)),
                         pass_name);

}  // namespace
}  // namespace hangar::cuda
