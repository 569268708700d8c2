// Products of 4-bit weights against sums in double: of inputs that 8 bits hold exactly, by every
// way of cutting; and of ordinary inputs, within what their rounding costs.
#include "backend/cuda/int4_matmul.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/int4_product_test_support.h"
#include "backend/cuda/matmul.h"

namespace hangar::cuda {
namespace {

// More than a few rows: a group's sums keep 13 bits of their largest term.
constexpr double kMoreRowsError = 1e-3;

class Int4MatmulTest : public Int4ProductTest {
 protected:
  bool few(std::int64_t rows) const { return takes_few(launch_, rows); }
  // Numbers that their 8 bits, or 16, hold as they are: whole ones up to 127, which each block of
  // columns has; or e4m3's, up to 448, which each row has.
  Numbers exact_inputs(std::int64_t rows, std::int64_t columns) {
    Numbers x(static_cast<std::size_t>(rows * columns));
    for (std::int64_t at = 0; at < rows * columns; ++at) {
      const std::int64_t c = at % columns;
      float& value = x[static_cast<std::size_t>(at)];
      if (few(rows)) {
        value = c % 128 == 0 ? 127.0F : static_cast<float>(random_int(-127, 127));
      } else {
        value = c == 0 ? -448.0F
                       : float8_e4m3_to_float(static_cast<std::uint8_t>(random_int(0, 0x7E) |
                                                                        (random_int(0, 1) << 7)));
      }
    }
    return x;
  }
  // Of more than a few rows, for each: minimums and sums of x are both rounded to 11 bits.
  static std::vector<double> minimums_error(Int4Form form, const Numbers& x, std::int64_t rows,
                                            std::int64_t columns) {
    const std::int64_t group = form == Int4Form::kZero128 ? 128 : 32;
    std::vector<double> errors(static_cast<std::size_t>(rows));
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t first = 0; first < columns; first += group) {
        double sum = 0.0;
        for (std::int64_t c = first; c < std::min(columns, first + group); ++c) {
          sum += static_cast<double>(x[static_cast<std::size_t>(r * columns + c)]);
        }
        errors[static_cast<std::size_t>(r)] += 0x1p-11 * kLargestMinimum * std::abs(sum);
      }
    }
    return errors;
  }
  // x as these products take it.
  Product product_of_rows(Activation x, Activation y, Int4Form form, const void* weight) {
    Product product = ProductTest::product_of(weight, type(), x, y, ProductOutput::kWork);
    product.int4 = form;
    if (takes_int4_direct(launch_, x.rows, x.columns)) return product;
    void* room = take(int4_input_bytes(x.rows, x.columns), 256);
    HANGAR_CUDA(cudaMemsetAsync(room, 0xFF, int4_input_bytes(x.rows, x.columns), launch_.stream));
    const Int4Rows rows = quantize_inputs(launch_, room, x, int4_groups(form), {});
    product.x = rows.data;
    product.x_stride = rows.stride;
    product.x_scales = rows.scales;
    product.x_sums = rows.sums;
    return product;
  }

  // By each of these ways, or by every one that is offered; few rows' sums are exact but for
  // float32.
  void expect_ways(Int4Form form, std::int64_t rows, std::int64_t outputs, std::int64_t columns,
                   ProductOutput output, std::vector<Int4Way> ways = {}) {
    start_over();
    const HostStrips strips = random_strips(form, outputs, columns);
    HostStrips readable = strips;
    const Numbers w = readable.values();
    const Numbers x = exact_inputs(rows, columns);
    const DType to = output == ProductOutput::kWork ? type() : DType::kF32;
    const Numbers old =
        output == ProductOutput::kAdd ? random(rows * outputs, to, 10.0F) : Numbers();
    const Activation input = put(x, rows, columns, type());
    Product product =
        product_of_rows(input, {nullptr, rows, outputs, to, 0}, form, put_strips(strips));
    product.output = output;
    if (ways.empty()) ways = int4_ways(launch_, product);
    ASSERT_FALSE(ways.empty());
    for (const Int4Way& way : ways) {
      SCOPED_TRACE(fmt::format("strips {}, parts {}, {} a slot, {} KiB, split {}", way.strips,
                               way.parts, way.per_slot, way.memory_kib, way.split));
      const Activation y = put(old, rows, outputs, to, outputs + 8);
      product.y = y.data;
      product.y_stride = y.row_stride();
      int4_matmul(launch_, product, way);
      expect_product(get(y), x, w, rows, outputs, columns, to, old,
                     few(rows) ? 0.0 : kMoreRowsError,
                     few(rows) ? std::vector<double>() : minimums_error(form, x, rows, columns));
      if (HasFatalFailure()) return;
    }
  }
};

TEST_P(Int4MatmulTest, EqualsSumsInDoubleByEveryWay) {
  int turn = 0;
  for (const Int4Form form : kInt4Forms) {
    for (const std::int64_t rows : {1, 2, 3, 5, 8, 9, 16, 27, 64, 65, 128, 200}) {
      for (const auto& [outputs, columns] :
           {std::pair<std::int64_t, std::int64_t>{16, 32}, {48, 576}, {208, 1024}}) {
        if (left_out(turn++, 5)) continue;
        SCOPED_TRACE(fmt::format("form {}, {} rows, {} x {}", static_cast<int>(form), rows, outputs,
                                 columns));
        const auto output = static_cast<ProductOutput>((rows + outputs / 16) % 3);
        expect_ways(form, rows, outputs, columns, output);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// int4_tile_halves.cuh: strips that a tile lacks or that W lacks, several tiles, parts of the
// columns that begin in the middle of eight.
TEST_P(Int4MatmulTest, ManyRowsInHalves) {
  for (const std::int64_t rows : {33, 64, 65, 128, 200, 257}) {
    std::vector<std::int32_t> counts = {4, 3, 1};
    if (rows <= 64) counts.insert(counts.end(), {8, 7, 5});
    for (const auto& [outputs, columns] :
         {std::pair<std::int64_t, std::int64_t>{16, 512}, {208, 1536}, {1040, 2048}}) {
      for (const std::int32_t split : {1, 2, 3, 4}) {
        if (columns % (512 * split) != 0) continue;
        SCOPED_TRACE(fmt::format("{} rows, {} x {}", rows, outputs, columns));
        const ProductOutput output = split > 1       ? ProductOutput::kAdd
                                     : rows % 2 == 0 ? ProductOutput::kFull
                                                     : ProductOutput::kWork;
        const int processors = launch_.processors;
        // Few: several tiles to a block, and halves of some.
        for (const int some : {processors, 4}) {
          launch_.processors = some;
          std::vector<Int4Way> ways;
          for (const std::int32_t count : counts) ways.push_back({count, 2, 1, 224, split});
          expect_ways(Int4Form::kZero128, rows, outputs, columns, output, ways);
          if (HasFatalFailure()) return;
        }
        launch_.processors = processors;
      }
    }
  }
}

// Against the tiles' other kernel, which is held to an MLP's parts elsewhere: the same sums.
TEST_P(Int4MatmulTest, ManyGatedRowsInHalves) {
  for (const std::int64_t rows : {40, 64, 65, 200, 257}) {
    std::vector<std::int32_t> counts = {4, 3, 1};
    if (rows <= 64) counts.insert(counts.end(), {8, 7, 5});
    for (const auto& [outputs, columns] :
         {std::pair<std::int64_t, std::int64_t>{16, 512}, {208, 1536}, {560, 1024}}) {
      start_over();
      const HostStrips strips = random_strips(Int4Form::kZero128, 2 * outputs, columns);
      const Activation input = put(exact_inputs(rows, columns), rows, columns, type());
      Product product = product_of_rows(input, {nullptr, rows, outputs, DType::kF32, 0},
                                        Int4Form::kZero128, put_strips(strips));
      product.outputs = outputs;
      product.output = ProductOutput::kFull;
      product.gate = GateFunction::kSilu;
      Launch launch = launch_;
      const auto run = [&](const Int4Way& way) {
        const Activation y = put({}, rows, outputs, DType::kF32, outputs + 8);
        product.y = y.data;
        product.y_stride = y.row_stride();
        int4_matmul(launch, product, way);
        return get(y);
      };
      const Numbers want = run({8, 2, 2, 224, 1});
      double largest = 0.0;
      for (const float value : want) largest = std::max(largest, std::abs(double{value}));
      for (const std::int32_t count : counts) {
        const Numbers got = run({count, 2, 1, 224, 1});
        for (std::size_t i = 0; i < want.size(); ++i) {
          ASSERT_NEAR(got[i], want[i], 1e-4 * largest)
              << count << " strips, " << rows << " rows, " << outputs << " x " << columns
              << ", output " << i;
        }
        // However many of the tiles are done in halves: the same bits.
        for (const int processors : {1, 4, 5}) {
          launch.processors = processors;
          EXPECT_EQ(run({count, 2, 1, 224, 1}), got) << processors << " processors";
        }
        launch.processors = launch_.processors;
      }
    }
  }
}

// Their numbers would not find room in shared memory.
TEST_P(Int4MatmulTest, OneOrTwoLongRowsAreFewRows) {
  const std::int64_t columns = kInt4NumbersTakenDirectly / 2 + 160;
  EXPECT_TRUE(takes_int4_direct(launch_, 1, columns));
  EXPECT_FALSE(takes_int4_direct(launch_, 2, columns));
  int turn = 0;
  for (const Int4Form form : kInt4Forms) {
    for (const std::int64_t rows : {1, 2}) {
      if (left_out(turn++, 5)) continue;
      expect_ways(form, rows, 16, columns, ProductOutput::kFull);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(Int4MatmulTest, DeterministicRowsDoNotDependOnTheirNeighbours) {
  launch_.deterministic = true;
  int turn = 0;
  for (const Int4Form form : kInt4Forms) {
    for (const ProductOutput output : {ProductOutput::kWork, ProductOutput::kFull}) {
      if (left_out(turn++, 3)) continue;
      start_over();
      const std::int64_t columns = 1120;
      const std::int64_t outputs = 80;
      const void* weight = put_strips(random_strips(form, outputs, columns));
      const Numbers x = random(300 * columns, type());
      const DType to = output == ProductOutput::kWork ? type() : DType::kF32;
      const auto run = [&](std::int64_t rows) {
        const Activation y = empty(rows, outputs, to);
        Product product = product_of_rows(put(x, rows, columns, type()), y, form, weight);
        product.output = output;
        int4_matmul(launch_, product, int4_ways(launch_, product).front());
        return get(y);
      };
      const Numbers all = run(300);
      for (const std::int64_t rows : {1, 7, 17, 64, 65, 129}) {
        const Numbers part = run(rows);
        for (std::size_t i = 0; i < part.size(); ++i) {
          ASSERT_EQ(part[i], all[i]) << rows << " rows, " << i;
        }
      }
    }
  }
}

// The whole way of the backend: inputs rounded to 8 bits, a norm on the way, gate and up together.
class Int4BackendTest : public Int4MatmulTest {
 protected:
  void SetUp() override {
    Int4MatmulTest::SetUp();
    if (IsSkipped()) return;
    matmul_ = std::make_unique<Matmul>(take(kMatmulWorkspaceBytes, 256), kMatmulWorkspaceBytes);
    matmul_->set_input_room(take(input_room_bytes(300, 1536), 256), 300, 1536);
  }
  CudaWeight weight_of(Int4Form form, std::int64_t rows, std::int64_t columns, Numbers& values) {
    HostStrips strips = random_strips(form, rows, columns);
    const Numbers more = strips.values();
    values.insert(values.end(), more.begin(), more.end());
    CudaWeight weight;
    weight.rows = rows;
    weight.columns = columns;
    weight.layout = WeightForm::kInt4;
    weight.dtype = DType::kInt4G32;
    weight.int4 = form;
    weight.data = put_strips(strips);
    return weight;
  }

  std::unique_ptr<Matmul> matmul_;
};

// Of e4m3 (3 bits of mantissa) 2.6% of a number; of int8 in blocks, whose largest is seven times
// the usual here, 7 / 127 / sqrt(12); of BF16 as input and as output, 1 / 256 / sqrt(3) at most
// each.
double allowed_off(std::int64_t rows) {
  if (rows <= kRowsTakenDirectly) return 0.0035;
  return rows <= kInt4FewRows ? 0.025 : 0.035;
}

TEST_P(Int4BackendTest, ANormAndThreeWeightsBesideOneAnother) {
  for (const Int4Form form : {Int4Form::kZero128, Int4Form::kMin32}) {
    for (const std::int64_t rows : {1, 2, 8, 9, 65, 300}) {
      const std::int64_t columns = 576;
      Numbers w;
      const CudaWeight q = weight_of(form, 64, columns, w);
      const CudaWeight k = weight_of(form, 32, columns, w);
      const CudaWeight v = weight_of(form, 32, columns, w);
      const CudaWeight* const all[] = {&q, &k, &v};
      const Numbers x = random(rows * columns, DType::kF32, 2.0F);
      const Numbers norm = random(columns, DType::kF32);
      Numbers normed = x;
      for (std::int64_t r = 0; r < rows; ++r) {
        double squares = 0.0;
        float* row = normed.data() + r * columns;
        for (std::int64_t c = 0; c < columns; ++c)
          squares += static_cast<double>(row[c]) * static_cast<double>(row[c]);
        const double factor = 1.0 / std::sqrt(squares / static_cast<double>(columns) + 1e-5);
        for (std::int64_t c = 0; c < columns; ++c) {
          row[c] = static_cast<float>(static_cast<double>(row[c]) * factor) *
                   norm[static_cast<std::size_t>(c)];
        }
      }
      const Activation y = empty(rows, 128, type());
      const Activation ys[] = {part(y, 0, 64), part(y, 64, 32), part(y, 96, 32)};
      matmul_->norm_matmul(launch_, ys, put(x, rows, columns, DType::kF32),
                           put(norm, 1, columns, DType::kF32).f32(), 1e-5F, all,
                           empty(rows, columns, type()));
      EXPECT_LT(off(get(y), product_in_double(normed, w, rows, columns)), allowed_off(rows))
          << "form " << static_cast<int>(form) << ", " << rows << " rows";
    }
  }
}

TEST_P(Int4BackendTest, AGatedMlpIsItsParts) {
  for (const GateFunction f : {GateFunction::kSilu, GateFunction::kGelu}) {
    for (const std::int64_t rows : {1, 2, 8, 9, 64, 130}) {
      const std::int64_t hidden = 576;
      const std::int64_t inner = 1536;
      Numbers values;
      const CudaWeight gate = weight_of(Int4Form::kZero128, inner, hidden, values);
      const CudaWeight up = weight_of(Int4Form::kZero128, inner, hidden, values);
      const CudaWeight down = weight_of(Int4Form::kSuper32, hidden, inner, values);
      const CudaWeight* const both[] = {&gate, &up};
      const Numbers x = random(rows * hidden, DType::kF32, 2.0F);
      const float* norm =
          put(Numbers(static_cast<std::size_t>(hidden), 1.0F), 1, hidden, DType::kF32).f32();
      const auto run = [&](bool whole) {
        const Activation sum = put(x, rows, hidden, DType::kF32);
        const Activation wide = empty(rows, 2 * inner, type());
        const MlpScratch scratch{
            empty(rows, hidden, type()), part(wide, 0, inner), part(wide, inner, inner), {}};
        if (whole) {
          matmul_->gated_mlp_add(launch_, sum, norm, 1e-5F, gate, up, down, f, scratch);
        } else {
          const Activation ys[] = {scratch.gate, scratch.up};
          matmul_->norm_matmul(launch_, ys, sum, norm, 1e-5F, both, scratch.normed);
          matmul_->gate_matmul_add(launch_, sum, scratch.gate, scratch.up, f, down);
        }
        Numbers got = get(sum);
        for (std::size_t i = 0; i < got.size(); ++i) got[i] -= x[i];
        return got;
      };
      EXPECT_LT(off(run(true), run(false)), 0.02) << rows << " rows";
    }
  }
}

TEST_P(Int4BackendTest, TuningChoosesForEveryNumberOfRows) {
  Numbers values;
  const CudaWeight weight = weight_of(Int4Form::kZero128, 256, 1024, values);
  const CudaWeight* const one[] = {&weight};
  matmul_->note(one, type(), DType::kF32, true);
  const std::int64_t row_counts[] = {1, 2, 8, 64, 300};
  const auto scratch_bytes = std::size_t{16} << 20U;
  EXPECT_EQ(matmul_->tune(launch_, row_counts, {take(scratch_bytes, 256), scratch_bytes}), 5);
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, Int4MatmulTest, kWorkTypes, work_type_name);
INSTANTIATE_TEST_SUITE_P(WorkTypes, Int4BackendTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
