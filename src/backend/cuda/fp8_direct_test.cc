// FP8 products of one or two rows in 16 bits against sums in double: by every way of cutting,
// plain, gated, normed; that rows do not know of one another; and as the backend asks for them.
#include "backend/cuda/fp8_direct.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "backend/cuda/direct_test_support.h"
#include "backend/cuda/matmul.h"

namespace hangar::cuda {
namespace {

using Shape = DirectShape;

// As F16 has them after a power of two that takes the largest of 128 columns to 2^13 or more.
Numbers taken(const Numbers& x) {
  constexpr std::size_t kGroup = 128;
  Numbers all;
  for (std::size_t first = 0; first < x.size(); first += kGroup) {
    float largest = 0.0F;
    for (std::size_t c = 0; c < kGroup; ++c) largest = std::max(largest, std::abs(x[first + c]));
    const int power = std::min(largest > 0.0F ? 13 - std::ilogb(largest) : 126, 126);
    for (std::size_t c = 0; c < kGroup; ++c) {
      const float value = x[first + c];
      all.push_back(std::ldexp(round_to(DType::kF16, std::ldexp(value, power)), -power));
    }
  }
  return all;
}

class Fp8DirectTest : public ProductTest {
 protected:
  void SetUp() override {
    ProductTest::SetUp();
    if (IsSkipped()) return;
    if (!launch_.hopper) GTEST_SKIP() << "a Hopper card's";
  }

  struct Weights {
    Numbers codes;   // as e4m3 has them
    Numbers scales;  // of rows
    std::int64_t columns;
    Numbers values() const {
      Numbers all = codes;
      for (std::size_t i = 0; i < all.size(); ++i) {
        all[i] *= scales[i / static_cast<std::size_t>(columns)];
      }
      return all;
    }
  };
  Weights random_weights(std::int64_t rows, std::int64_t columns) {
    std::uniform_real_distribution<float> spread(1e-4F, 1e-3F);
    Weights w{random(rows * columns, DType::kF8E4M3, 30.0F), {}, columns};
    for (std::int64_t r = 0; r < rows; ++r) w.scales.push_back(spread(random_));
    return w;
  }

  // x: of the work type, or, with a norm, of float32.
  Product product_of(const Shape& shape, const Weights& w, bool gate, const Numbers& x,
                     const Numbers& norm, ProductOutput output) {
    const auto rows = std::ssize(w.scales);
    const void* weight = put(w.codes, rows, shape.columns, DType::kF8E4M3).data;
    Product product = product_on_the_way(weight, DType::kF8E4M3, x, shape.rows, shape.outputs, norm,
                                         kDirectEps, gate, output);
    product.weight_scales = put(w.scales, 1, rows, DType::kF32).f32();
    return product;
  }
  // What is multiplied of x: what a norm makes the same of all of a row comes after it is taken.
  static Numbers multiplied(const Numbers& x, const Numbers& norm) {
    if (norm.empty()) return taken(x);
    Numbers by = x;
    for (std::size_t i = 0; i < x.size(); ++i) by[i] *= norm[i % norm.size()];
    Numbers all = taken(by);
    const Numbers factors = norm_factors(x, std::ssize(norm));
    for (std::size_t i = 0; i < x.size(); ++i) all[i] *= factors[i / norm.size()];
    return all;
  }

  Numbers run(Product product, const Fp8DirectWay& way, const Numbers& old) {
    const Activation y =
        put(old, product.rows, product.outputs, product.y_type(), product.outputs + 3);
    product.y = y.data;
    product.y_stride = y.row_stride();
    fp8_direct_matmul(launch_, product, way);
    return get(y);
  }

  void expect_all_ways(const Product& product, const std::vector<DirectSum>& sums) {
    ASSERT_TRUE(can_multiply_fp8_direct(launch_, product));
    const DType to = product.y_type();
    const Numbers old = product.output == ProductOutput::kAdd
                            ? random(product.rows * product.outputs, to, 10.0F)
                            : Numbers();
    const std::vector<Fp8DirectWay> ways = fp8_direct_ways(launch_, product);
    ASSERT_FALSE(ways.empty());
    for (const Fp8DirectWay& way : ways) {
      SCOPED_TRACE(fmt::format("strips {}, parts {}, {} a slot, {} KiB", way.strips, way.parts,
                               way.boxes, way.memory_kib));
      expect_sums(run(product, way, old), sums, old, to, epsilon());
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
};

TEST_P(Fp8DirectTest, EqualsSumsInDoubleByEveryWay) {
  constexpr std::pair<std::int64_t, std::int64_t> kSizes[] = {
      {8, 128}, {40, 384}, {133, 512}, {2117, 256}, {208, 4096}, {32, 14336}};
  int turn = 0;
  for (const auto& [outputs, columns] : kSizes) {
    for (const std::int64_t rows : {1, 2}) {
      for (const bool gate : {false, true}) {
        if (gate && outputs % 8 != 0) continue;
        for (const bool with_norm : {false, true}) {
          const auto output = static_cast<ProductOutput>(turn++ % 3);
          if (left_out(turn, 5)) continue;
          start_over();
          SCOPED_TRACE(fmt::format("{} rows, {} x {}{}{}, output {}", rows, outputs, columns,
                                   gate ? ", gated" : "", with_norm ? ", normed" : "",
                                   static_cast<int>(output)));
          const Shape shape{rows, outputs, columns};
          const Weights w = random_weights(gate ? 2 * outputs : outputs, columns);
          const Numbers x =
              random(rows * columns, with_norm ? DType::kF32 : type(), with_norm ? 20.0F : 1.0F);
          const Numbers norm = with_norm ? random(columns, DType::kF32) : Numbers();
          const std::vector<DirectSum> sums = sums_of(multiplied(x, norm), w.values(), shape, 0.0);
          expect_all_ways(product_of(shape, w, gate, x, norm, output), sums);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// More tiles than blocks: blocks go on to others, the ring with them.
TEST_P(Fp8DirectTest, BlocksTakeSeveralTiles) {
  for (const bool gate : {false, true}) {
    start_over();
    const Shape shape{2, 9000, 256};
    const Weights w = random_weights(gate ? 2 * shape.outputs : shape.outputs, shape.columns);
    const Numbers x = random(shape.rows * shape.columns, type());
    const std::vector<DirectSum> sums = sums_of(multiplied(x, {}), w.values(), shape, 0.0);
    const Product product = product_of(shape, w, gate, x, {}, ProductOutput::kFull);
    for (const Fp8DirectWay& way :
         {Fp8DirectWay{1, 1, 1, 112}, {1, 2, 2, 16}, {2, 3, 2, 40}, {12, 1, 1, 112}}) {
      expect_sums(run(product, way, {}), sums, {}, DType::kF32, epsilon());
      if (HasFatalFailure()) return;
    }
  }
}

// Rows that F16 could not have, one large and one tiny; every code of e4m3; large and small scales.
TEST_P(Fp8DirectTest, NumbersAtTheEndsOfTheirRanges) {
  const Shape shape{2, 48, 512};
  const bool halves = type() == DType::kF16;
  std::uniform_int_distribution<int> code(0, 0xFF);
  Weights w{{}, {}, shape.columns};
  for (std::int64_t i = 0; i < shape.outputs * shape.columns; ++i) {
    const auto bits = static_cast<std::uint8_t>(code(random_));
    w.codes.push_back((bits & 0x7FU) == 0x7F ? 448.0F : float8_e4m3_to_float(bits));
  }
  for (std::int64_t r = 0; r < shape.outputs; ++r) {
    w.scales.push_back(r % 3 == 0 ? 0x1p20F : r % 3 == 1 ? 0x1p-20F : 0.0F);
  }
  Numbers x;
  for (std::int64_t r = 0; r < shape.rows; ++r) {
    const int lowest = halves ? -24 : r == 0 ? 30 : -126;
    std::uniform_int_distribution<int> exponent(lowest, halves ? 15 : r == 0 ? 80 : -95);
    for (std::int64_t c = 0; c < shape.columns; ++c) {
      const float size = std::ldexp(c % 2 == 0 ? 1.98F : -1.0F, exponent(random_));
      x.push_back(c % 7 == 0 ? 0.0F : round_to(type(), size));
    }
  }
  if (halves) x[3] = 65504.0F;
  const std::vector<DirectSum> sums = sums_of(multiplied(x, {}), w.values(), shape, 0.0);
  expect_all_ways(product_of(shape, w, false, x, {}, ProductOutput::kFull), sums);
}

TEST_P(Fp8DirectTest, ARowOfZerosIsZeros) {
  for (const bool with_norm : {false, true}) {
    start_over();
    const Shape shape{2, 16, 256};
    Numbers x = random(shape.rows * shape.columns, type());
    std::fill_n(x.begin(), shape.columns, 0.0F);
    const Numbers norm = with_norm ? random(shape.columns, DType::kF32) : Numbers();
    const Product product = product_of(shape, random_weights(shape.outputs, shape.columns), false,
                                       x, norm, ProductOutput::kFull);
    const Numbers got = run(product, fp8_direct_ways(launch_, product).front(), {});
    for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(got[i], 0.0F);
    for (std::size_t i = 16; i < 32; ++i) EXPECT_NE(got[i], 0.0F);
  }
}

TEST_P(Fp8DirectTest, ANormTakesLargeAndSmallRows) {
  const Shape shape{2, 48, 640};
  for (const float size : {1e-6F, 3e6F}) {
    for (const float norm_size : {1e-4F, 1e6F}) {
      start_over();
      const Weights w = random_weights(shape.outputs, shape.columns);
      const Numbers x = random(shape.rows * shape.columns, DType::kF32, size);
      const Numbers norm = random(shape.columns, DType::kF32, norm_size);
      const std::vector<DirectSum> sums = sums_of(multiplied(x, norm), w.values(), shape, 0.0);
      expect_all_ways(product_of(shape, w, false, x, norm, ProductOutput::kFull), sums);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(Fp8DirectTest, ARowDoesNotDependOnTheOther) {
  for (const bool with_norm : {false, true}) {
    start_over();
    const Shape shape{2, 80, 5120};
    const DType x_type = with_norm ? DType::kF32 : type();
    const Numbers norm = with_norm ? random(shape.columns, DType::kF32) : Numbers();
    const Weights w = random_weights(shape.outputs, shape.columns);
    const Numbers row = random(shape.columns, x_type);
    const auto beside = [&](const Numbers& other) {
      Numbers x = row;
      x.insert(x.end(), other.begin(), other.end());
      return product_of(shape, w, false, x, norm, ProductOutput::kFull);
    };
    const Product one = beside(random(shape.columns, x_type));
    const Product other = beside(random(shape.columns, x_type, 100.0F));
    for (const Fp8DirectWay& way : fp8_direct_ways(launch_, one)) {
      Numbers first = run(one, way, {});
      Numbers second = run(other, way, {});
      first.resize(static_cast<std::size_t>(shape.outputs));
      second.resize(first.size());
      ASSERT_EQ(first, second);
    }
  }
}

TEST_P(Fp8DirectTest, SaysWhatItDoesNotTake) {
  EXPECT_TRUE(takes_fp8_direct(launch_, 2, 4096));
  EXPECT_FALSE(takes_fp8_direct(launch_, 3, 4096));
  EXPECT_FALSE(takes_fp8_direct(launch_, 1, 576));
  EXPECT_FALSE(takes_fp8_direct(launch_, 2, kNumbersTakenDirectly / 2 + 128));
  Launch deterministic = launch_;
  deterministic.deterministic = true;
  EXPECT_FALSE(takes_fp8_direct(deterministic, 1, 4096));
  const Shape shape{2, 16, 128};
  const Numbers x = random(shape.rows * shape.columns, type());
  Product product =
      product_of(shape, random_weights(32, shape.columns), true, x, {}, ProductOutput::kFull);
  const Fp8DirectWay way = fp8_direct_ways(launch_, product).front();
  Product other = product;
  other.gate = GateFunction::kGelu;
  EXPECT_TRUE(fp8_direct_ways(launch_, other).empty());
  EXPECT_THROW(run(other, way, {}), std::invalid_argument);
  other = product;
  other.x_stride = shape.columns + 4;
  EXPECT_THROW(run(other, way, {}), std::invalid_argument);
  product.leaves_room = true;
  for (const Fp8DirectWay& one : fp8_direct_ways(launch_, product)) EXPECT_LE(one.memory_kib, 112);
}

// The whole way of the backend: x as it is, or rounded to 8 bits where columns or rows want it.
class Fp8BackendTest : public Fp8DirectTest {
 protected:
  void SetUp() override {
    Fp8DirectTest::SetUp();
    if (IsSkipped()) return;
    matmul_ = std::make_unique<Matmul>(take(kMatmulWorkspaceBytes, 256), kMatmulWorkspaceBytes);
    matmul_->set_input_room(take(input_room_bytes(300, 1536), 256), 300, 1536);
  }

  // Together in memory, and their numbers one behind the other.
  struct Loaded {
    std::vector<CudaWeight> weights;
    Numbers values;
  };
  Loaded load(std::initializer_list<std::int64_t> outputs, std::int64_t columns) {
    std::int64_t rows = 0;
    for (const std::int64_t one : outputs) rows += one;
    const Weights w = random_weights(rows, columns);
    auto* codes = static_cast<std::byte*>(put(w.codes, rows, columns, DType::kF8E4M3).data);
    float* scales = static_cast<float*>(put(w.scales, 1, rows, DType::kF32).data);
    Loaded loaded{{}, w.values()};
    for (const std::int64_t one : outputs) {
      CudaWeight weight;
      weight.rows = one;
      weight.columns = columns;
      weight.layout = WeightForm::kFp8;
      weight.dtype = DType::kF8E4M3;
      weight.data = codes;
      weight.scales = scales;
      loaded.weights.push_back(std::move(weight));
      codes += one * columns;
      scales += one;
    }
    return loaded;
  }
  // Of e4m3 (3 bits of mantissa) 2.6% of a number; else what y is rounded by.
  double allowed_off(std::int64_t rows, std::int64_t columns) const {
    return takes_fp8_direct(launch_, rows, columns) ? static_cast<double>(epsilon()) : 0.035;
  }

  std::unique_ptr<Matmul> matmul_;
};

TEST_P(Fp8BackendTest, ANormAndThreeWeightsBesideOneAnother) {
  for (const std::int64_t columns : {512, 576}) {
    for (const std::int64_t rows : {1, 2, 3, 16}) {
      const Loaded loaded = load({64, 32, 32}, columns);
      const CudaWeight* const all[] = {&loaded.weights[0], &loaded.weights[1], &loaded.weights[2]};
      const Numbers x = random(rows * columns, DType::kF32, 2.0F);
      const Numbers norm = random(columns, DType::kF32);
      const Activation y = empty(rows, 128, type());
      const Activation ys[] = {part(y, 0, 64), part(y, 64, 32), part(y, 96, 32)};
      matmul_->norm_matmul(launch_, ys, put(x, rows, columns, DType::kF32),
                           put(norm, 1, columns, DType::kF32).f32(), kDirectEps, all,
                           empty(rows, columns, type()));
      EXPECT_LT(off(get(y), product_in_double(normed_rows(x, norm), loaded.values, rows, columns)),
                allowed_off(rows, columns))
          << rows << " rows, " << columns << " columns";
    }
  }
}

TEST_P(Fp8BackendTest, AddsToWhatIsThere) {
  for (const std::int64_t columns : {768, 800}) {
    for (const std::int64_t rows : {1, 2, 3}) {
      const Loaded loaded = load({96}, columns);
      const Numbers y = random(rows * columns, type());
      const Numbers old = random(rows * 96, DType::kF32);
      const Activation x = put(old, rows, 96, DType::kF32);
      matmul_->matmul_add(launch_, x, put(y, rows, columns, type()), loaded.weights[0]);
      Numbers got = get(x);
      for (std::size_t i = 0; i < got.size(); ++i) got[i] -= old[i];
      EXPECT_LT(off(got, product_in_double(y, loaded.values, rows, columns)),
                allowed_off(rows, columns))
          << rows << " rows, " << columns << " columns";
    }
  }
}

TEST_P(Fp8BackendTest, AGatedMlpIsItsParts) {
  for (const GateFunction f : {GateFunction::kSilu, GateFunction::kGeluTanh, GateFunction::kGelu}) {
    for (const std::int64_t hidden : {512, 576}) {
      for (const std::int64_t rows : {1, 2, 3}) {
        const std::int64_t inner = 1536;
        const Loaded both = load({inner, inner}, hidden);
        const Loaded down = load({hidden}, inner);
        const CudaWeight* const two[] = {&both.weights[0], &both.weights[1]};
        const Numbers x = random(rows * hidden, DType::kF32, 2.0F);
        const float* norm =
            put(Numbers(static_cast<std::size_t>(hidden), 1.0F), 1, hidden, DType::kF32).f32();
        const auto run = [&](bool whole) {
          const Activation sum = put(x, rows, hidden, DType::kF32);
          const Activation wide = empty(rows, 2 * inner, type());
          const MlpScratch scratch{
              empty(rows, hidden, type()), part(wide, 0, inner), part(wide, inner, inner), {}};
          if (whole) {
            matmul_->gated_mlp_add(launch_, sum, norm, kDirectEps, *two[0], *two[1],
                                   down.weights[0], f, scratch);
          } else {
            const Activation ys[] = {scratch.gate, scratch.up};
            matmul_->norm_matmul(launch_, ys, sum, norm, kDirectEps, two, scratch.normed);
            matmul_->gate_matmul_add(launch_, sum, scratch.gate, scratch.up, f, down.weights[0]);
          }
          Numbers got = get(sum);
          for (std::size_t i = 0; i < got.size(); ++i) got[i] -= x[i];
          return got;
        };
        const bool direct = takes_fp8_direct(launch_, rows, hidden);
        EXPECT_LT(off(run(true), run(false)), direct ? 1.5 * static_cast<double>(epsilon()) : 0.05)
            << rows << " rows, " << hidden << " columns";
      }
    }
  }
}

TEST_P(Fp8BackendTest, TuningChoosesForEveryNumberOfRows) {
  const std::int64_t columns = 1024;
  const Loaded loaded = load({256}, columns);
  const CudaWeight* const one[] = {&loaded.weights[0]};
  matmul_->note(one, type(), DType::kF32, true);
  const std::int64_t row_counts[] = {1, 2, 8, 64, 300};  // the last by cuBLASLt alone
  const auto scratch_bytes = std::size_t{16} << 20U;
  EXPECT_EQ(matmul_->tune(launch_, row_counts, {take(scratch_bytes, 256), scratch_bytes}), 5);
  for (const std::int64_t rows : {1, 2, 8, 300}) {
    const Numbers y = random(rows * columns, type());
    const Activation x =
        put(Numbers(static_cast<std::size_t>(rows * 256), 0.0F), rows, 256, DType::kF32);
    matmul_->matmul_add(launch_, x, put(y, rows, columns, type()), loaded.weights[0]);
    EXPECT_LT(off(get(x), product_in_double(y, loaded.values, rows, columns)),
              allowed_off(rows, columns))
        << rows << " rows";
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, Fp8DirectTest, kWorkTypes, work_type_name);
INSTANTIATE_TEST_SUITE_P(WorkTypes, Fp8BackendTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
