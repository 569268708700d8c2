// Products as the backend asks for them, whatever way they go; and deterministic ones.
#include "backend/cuda/matmul.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "backend/cuda/matmul_test_support.h"

namespace hangar::cuda {
namespace {

constexpr std::int64_t kManyRows = 300;

class MatmulTest : public ProductTest {
 protected:
  void SetUp() override {
    ProductTest::SetUp();
    if (IsSkipped()) return;
    HANGAR_CUDA(cudaMalloc(&workspace_, kMatmulWorkspaceBytes));
    matmul_ = std::make_unique<Matmul>(workspace_, kMatmulWorkspaceBytes);
  }
  void TearDown() override {
    ProductTest::TearDown();
    matmul_.reset();
    (void)cudaFree(workspace_);
  }

  // Weights of the same columns, taken one after the other.
  struct Weights {
    std::vector<std::unique_ptr<CudaWeight>> owned;
    std::vector<const CudaWeight*> all;
    std::vector<Numbers> numbers;
  };
  Weights weights(std::initializer_list<std::int64_t> outputs, std::int64_t columns) {
    Weights made;
    for (const std::int64_t rows : outputs) {
      made.numbers.push_back(random(rows * columns, type(), 0.1F));
      if (rows == 1) made.numbers.back() = random(columns, DType::kF32, 0.1F);
      made.owned.push_back(weight(made.numbers.back(), rows, columns));
      made.all.push_back(made.owned.back().get());
    }
    return made;
  }
  // Side by side in rows of one stride.
  std::vector<Activation> outputs_of(const Weights& w, std::int64_t rows, DType to) {
    std::int64_t width = 0;
    for (const CudaWeight* one : w.all) width += one->rows;
    const Activation whole = empty(rows, width, to, (width + 7) / 8 * 8);
    std::vector<Activation> ys;
    std::int64_t at = 0;
    for (const CudaWeight* one : w.all) {
      ys.push_back(part(whole, at, one->rows));
      at += one->rows;
    }
    return ys;
  }
  Numbers numbers_of(Activation y) {
    std::vector<std::byte> bytes(row_bytes(y.dtype, (y.rows - 1) * y.row_stride() + y.columns));
    HANGAR_CUDA(cudaMemcpyAsync(bytes.data(), y.data, bytes.size(), cudaMemcpyDeviceToHost,
                                launch_.stream));
    HANGAR_CUDA(cudaStreamSynchronize(launch_.stream));
    const Numbers all = decode(y.dtype, bytes);
    Numbers values;
    for (std::int64_t r = 0; r < y.rows; ++r) {
      const auto at = all.begin() + r * y.row_stride();
      values.insert(values.end(), at, at + y.columns);
    }
    return values;
  }

  void* workspace_ = nullptr;
  std::unique_ptr<Matmul> matmul_;
};

constexpr std::int64_t kRowCounts[] = {1, 2, 4, 5, 8, 9, 17, 64, kManyRows};

TEST_P(MatmulTest, SeveralWeightsShareOneX) {
  for (const std::int64_t columns : {64, 576, 1000, 1001, 4096}) {
    for (const std::int64_t rows : kRowCounts) {
      for (const DType to : {type(), DType::kF32}) {
        SCOPED_TRACE(fmt::format("{} columns, {} rows, to {}", columns, rows, dtype_name(to)));
        start_over();
        const Weights w = weights({96, 32, 17, 1}, columns);
        const Numbers x = random(rows * columns, type());
        const std::vector<Activation> ys = outputs_of(w, rows, to);
        matmul_->matmul(launch_, ys, put(x, rows, columns, type()), w.all);
        for (std::size_t i = 0; i < ys.size(); ++i) {
          expect_product(numbers_of(ys[i]), x, w.numbers[i], rows, ys[i].columns, columns, to);
        }
        if (HasFailure()) return;
      }
    }
  }
}

// As the CPU's tests have it: one product where the weights lie together.
TEST_P(MatmulTest, WeightsThatLieTogetherAreOneProduct) {
  const Weights w = weights({64, 16, 16}, 512);
  EXPECT_TRUE(lie_together(w.all));
  const CudaWeight* apart[] = {w.all[0], w.all[2]};
  EXPECT_FALSE(lie_together(apart));
  for (const std::int64_t rows : {1, 12}) {
    const Numbers x = random(rows * 512, type());
    const Activation input = put(x, rows, 512, type());
    const std::vector<Activation> beside = outputs_of(w, rows, type());
    matmul_->matmul(launch_, beside, input, w.all);
    for (std::size_t i = 0; i < w.all.size(); ++i) {
      const Activation alone = empty(rows, w.all[i]->rows, type());
      matmul_->matmul(launch_, std::span(&alone, 1), input, std::span(&w.all[i], 1));
      expect_product(get(alone), x, w.numbers[i], rows, alone.columns, 512, type());
      expect_product(numbers_of(beside[i]), x, w.numbers[i], rows, alone.columns, 512, type());
    }
  }
}

TEST_P(MatmulTest, AddsToWhatIsThere) {
  for (const std::int64_t columns : {64, 1001, 1536}) {
    for (const std::int64_t rows : kRowCounts) {
      SCOPED_TRACE(fmt::format("{} columns, {} rows", columns, rows));
      start_over();
      const Weights w = weights({328}, columns);
      const Numbers y = random(rows * columns, type());
      const Numbers old = random(rows * 328, DType::kF32, 5.0F);
      const Activation x = put(old, rows, 328, DType::kF32, 332);
      matmul_->matmul_add(launch_, x, put(y, rows, columns, type()), *w.all[0]);
      expect_product(get(x), y, w.numbers[0], rows, 328, columns, DType::kF32, old);
      if (HasFailure()) return;
    }
  }
}

TEST_P(MatmulTest, NormsBeforeTheProduct) {
  for (const std::int64_t columns : {64, 1001, 4096}) {
    for (const std::int64_t rows : kRowCounts) {
      SCOPED_TRACE(fmt::format("{} columns, {} rows", columns, rows));
      start_over();
      const Weights w = weights({96, 32, 1}, columns);
      const Numbers x = random(rows * columns, DType::kF32, 2.0F);
      const Numbers norm = random(columns, DType::kF32);
      Numbers normed;
      for (std::int64_t r = 0; r < rows; ++r) {
        const float* row = x.data() + r * columns;
        double squares = 0.0;
        for (std::int64_t c = 0; c < columns; ++c) squares += static_cast<double>(row[c]) * row[c];
        const double factor = 1.0 / std::sqrt(squares / static_cast<double>(columns) + 1e-6);
        for (std::int64_t c = 0; c < columns; ++c) {
          const double value =
              row[c] * factor * static_cast<double>(norm[static_cast<std::size_t>(c)]);
          normed.push_back(round_to(type(), static_cast<float>(value)));
        }
      }
      const std::vector<Activation> ys = outputs_of(w, rows, type());
      matmul_->norm_matmul(launch_, ys, put(x, rows, columns, DType::kF32),
                           put(norm, 1, columns, DType::kF32).f32(), 1e-6F, w.all,
                           empty(rows, columns, type()));
      for (std::size_t i = 0; i < ys.size(); ++i) {
        expect_product(numbers_of(ys[i]), normed, w.numbers[i], rows, ys[i].columns, columns,
                       type(), {}, static_cast<double>(epsilon()) / 8);
      }
      if (HasFailure()) return;
    }
  }
}

double gate_of(GateFunction f, double x) {
  switch (f) {
    case GateFunction::kSilu:
      return x / (1.0 + std::exp(-x));
    case GateFunction::kGelu:
      return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    case GateFunction::kGeluTanh:
      break;
  }
  return 0.5 * x * (1.0 + std::tanh(0.7978845608 * (x + 0.044715 * x * x * x)));
}

TEST_P(MatmulTest, GatesBeforeTheProduct) {
  for (const GateFunction f : {GateFunction::kSilu, GateFunction::kGelu, GateFunction::kGeluTanh}) {
    for (const std::int64_t columns : {64, 1001, 2048}) {
      for (const std::int64_t rows : kRowCounts) {
        SCOPED_TRACE(
            fmt::format("gate {}, {} columns, {} rows", static_cast<int>(f), columns, rows));
        start_over();
        const Weights w = weights({328}, columns);
        const Numbers gate = random(rows * columns, type(), 2.0F);
        const Numbers up = random(rows * columns, type());
        const Numbers old = random(rows * 328, DType::kF32);
        Numbers gated;
        for (std::size_t i = 0; i < gate.size(); ++i) {
          const double value = gate_of(f, static_cast<double>(gate[i]));
          gated.push_back(round_to(type(), static_cast<float>(value * static_cast<double>(up[i]))));
        }
        const Activation x = put(old, rows, 328, DType::kF32);
        matmul_->gate_matmul_add(launch_, x, put(gate, rows, columns, type()),
                                 put(up, rows, columns, type()), f, *w.all[0]);
        expect_product(get(x), gated, w.numbers[0], rows, 328, columns, DType::kF32, old,
                       static_cast<double>(epsilon()) / 2);  // an input may round the other way
        if (HasFailure()) return;
      }
    }
  }
}

// In one product where that can be, else gate and up one after the other.
TEST_P(MatmulTest, AGatedMlpIsItsParts) {
  int turn = 0;
  for (const GateFunction f : {GateFunction::kSilu, GateFunction::kGelu, GateFunction::kGeluTanh}) {
    for (const auto& [hidden, inner] :
         {std::pair<std::int64_t, std::int64_t>{128, 40}, {576, 1536}, {96, 64}, {1024, 2056}}) {
      for (const std::int64_t rows : {1, 3, 8, 9, 33, 64, 100, 128, 129}) {
        if (left_out(turn++, 5)) continue;
        SCOPED_TRACE(
            fmt::format("gate {}, {} -> {}, {} rows", static_cast<int>(f), hidden, inner, rows));
        start_over();
        const Weights w = weights({inner, inner}, hidden);
        const Weights down = weights({hidden}, inner);
        const Numbers x = random(rows * hidden, DType::kF32);
        const Numbers norm(static_cast<std::size_t>(hidden), 1.0F);
        const float* norm_weight = put(norm, 1, hidden, DType::kF32).f32();
        const auto run = [&](bool whole) {
          const Activation sum = put(x, rows, hidden, DType::kF32, hidden + 4);
          const Activation both = empty(rows, 2 * inner, type());
          const MlpScratch scratch{
              empty(rows, hidden, type()), part(both, 0, inner), part(both, inner, inner), {}};
          if (whole) {
            matmul_->gated_mlp_add(launch_, sum, norm_weight, 1e-5F, *w.all[0], *w.all[1],
                                   *down.all[0], f, scratch);
          } else {
            const Activation ys[] = {scratch.gate, scratch.up};
            matmul_->norm_matmul(launch_, ys, sum, norm_weight, 1e-5F, w.all, scratch.normed);
            matmul_->gate_matmul_add(launch_, sum, scratch.gate, scratch.up, f, *down.all[0]);
          }
          return get(sum);
        };
        const Numbers want = run(false);
        const Numbers got = run(true);
        // Gate and up are not rounded between; sums come in another order.
        double error = 0.0;
        double size = 0.0;
        for (std::size_t i = 0; i < want.size(); ++i) {
          error += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
          size += std::pow(static_cast<double>(want[i]) - static_cast<double>(x[i]), 2);
        }
        ASSERT_LT(std::sqrt(error), static_cast<double>(epsilon()) * 1.5 * std::sqrt(size));
      }
    }
  }
}

TEST_P(MatmulTest, NoRowsAreNoWork) {
  const Weights w = weights({32}, 64);
  const Activation none{nullptr, 0, 64, type(), 0};
  const Activation y{nullptr, 0, 32, type(), 0};
  const Activation x{nullptr, 0, 32, DType::kF32, 0};
  const Activation full{nullptr, 0, 64, DType::kF32, 0};
  matmul_->matmul(launch_, std::span(&y, 1), none, w.all);
  matmul_->matmul_add(launch_, x, none, *w.all[0]);
  matmul_->norm_matmul(launch_, std::span(&y, 1), full, nullptr, 1e-5F, w.all, none);
  matmul_->gate_matmul_add(launch_, x, none, none, GateFunction::kSilu, *w.all[0]);
  EXPECT_EQ(cudaStreamSynchronize(launch_.stream), cudaSuccess);
}

// Every way of a product, deterministic, before and after its algorithm was chosen by measuring.
TEST_P(MatmulTest, DeterministicRowsDoNotDependOnTheirNeighbours) {
  launch_.deterministic = true;
  int made = 0;
  int turn = 0;
  for (const bool tuned : {false, true}) {
    for (const std::int64_t columns : {64, 1001, kFewLaunches ? 1024 : 4096}) {
      start_over();
      const Weights w = weights({512, 128, 128}, columns);
      const Weights back = weights({columns == 1001 ? 999 : columns}, 768);
      const std::int64_t width = back.all[0]->rows;
      const Numbers x = random(kManyRows * columns, DType::kF32);
      const Numbers gates = random(kManyRows * 1536, type());
      const Numbers residual = random(kManyRows * width, DType::kF32);
      const float* norm = put(random(columns, DType::kF32), 1, columns, DType::kF32).f32();
      const auto rows_of = [](const Numbers& all, std::int64_t first, std::int64_t rows,
                              std::int64_t wide) {
        const auto at = all.begin() + first * wide;
        return Numbers(at, at + rows * wide);
      };
      // All that the products give for rows [first, first + rows), row by row.
      const auto results = [&](std::int64_t first, std::int64_t rows) {
        const std::vector<Activation> ys = outputs_of(w, rows, type());
        const Activation input = put(rows_of(x, first, rows, columns), rows, columns, DType::kF32);
        matmul_->norm_matmul(launch_, ys, input, norm, 1e-5F, w.all, empty(rows, columns, type()));
        const Activation both = put(rows_of(gates, first, rows, 1536), rows, 1536, type());
        const Activation sum = put(rows_of(residual, first, rows, width), rows, width, DType::kF32,
                                   (width + 7) / 8 * 8);
        matmul_->gate_matmul_add(launch_, sum, part(both, 0, 768), part(both, 768, 768),
                                 GateFunction::kSilu, *back.all[0]);
        const Activation logits = empty(rows, width, DType::kF32, (width + 7) / 8 * 8);
        matmul_->matmul(launch_, std::span(&logits, 1), part(both, 0, 768), back.all);
        std::vector<Numbers> by_row(static_cast<std::size_t>(rows));
        std::vector<Activation> all = ys;
        all.push_back(sum);
        all.push_back(logits);
        for (const Activation& y : all) {
          const Numbers values = numbers_of(y);
          for (std::int64_t r = 0; r < rows; ++r) {
            const auto at = values.begin() + r * y.columns;
            by_row[static_cast<std::size_t>(r)].insert(by_row[static_cast<std::size_t>(r)].end(),
                                                       at, at + y.columns);
          }
        }
        return by_row;
      };
      if (tuned) {
        (void)results(0, 16);
        const DeviceScratch scratch{take(std::size_t{64} << 20U, 256), std::size_t{64} << 20U};
        made += matmul_->tune(launch_, {}, scratch);
      }
      const std::vector<Numbers> want = results(0, kManyRows);
      EXPECT_FALSE(std::isnan(want[0][0]));
      for (const auto& [first, rows] : {std::pair<std::int64_t, std::int64_t>{0, 1},
                                        {299, 1},
                                        {17, 1},
                                        {1, 2},
                                        {5, 7},
                                        {0, 8},
                                        {3, 9},
                                        {40, 33},
                                        {100, 64},
                                        {130, 129},
                                        {1, 299}}) {
        if (left_out(turn++, 4)) continue;
        const std::vector<Numbers> got = results(first, rows);
        for (std::int64_t r = 0; r < rows; ++r) {
          ASSERT_EQ(got[static_cast<std::size_t>(r)], want[static_cast<std::size_t>(first + r)])
              << "row " << first + r << " of " << rows << " from " << first << ", " << columns
              << " columns, tuned " << tuned;
        }
      }
    }
  }
  EXPECT_GE(made, 1);
}

TEST_P(MatmulTest, TuningChoosesOnceAndKeepsItsChoices) {
  const Weights w = weights({512, 256}, 1024);
  const std::int64_t row_counts[] = {16, 64, 300};
  const auto scratch_bytes = std::size_t{16} << 20U;
  const DeviceScratch scratch{take(scratch_bytes, 256), scratch_bytes};
  matmul_->note(w.all, type(), type(), false);
  EXPECT_EQ(matmul_->tune(launch_, row_counts, scratch), 3);
  EXPECT_EQ(matmul_->tune(launch_, row_counts, scratch), 0);
  const auto path = std::filesystem::temp_directory_path() /
                    fmt::format("hangar_matmul_test_{}", dtype_name(type())) / "choices";
  ASSERT_TRUE(matmul_->save_choices(path).has_value());
  matmul_ = std::make_unique<Matmul>(workspace_, kMatmulWorkspaceBytes);
  matmul_->load_choices(path);
  matmul_->note(w.all, type(), type(), false);
  EXPECT_EQ(matmul_->tune(launch_, row_counts, scratch), 0);
  for (const std::int64_t rows : {16, 20, 64, 300}) {
    const Numbers x = random(rows * 1024, type());
    const std::vector<Activation> ys = outputs_of(w, rows, type());
    matmul_->matmul(launch_, ys, put(x, rows, 1024, type()), w.all);
    for (std::size_t i = 0; i < ys.size(); ++i) {
      expect_product(numbers_of(ys[i]), x, w.numbers[i], rows, ys[i].columns, 1024, type());
    }
  }
  std::filesystem::remove_all(path.parent_path());
}

// Ways of one and two rows are chosen by the time of whole layers (Products::settle()).
TEST_P(MatmulTest, LayersAreTunedTogether) {
  std::vector<Weights> all;
  for (int layer = 0; layer < 3; ++layer) {
    all.push_back(weights({512, 256}, 1024));
    all.push_back(weights({1024}, 768));
  }
  for (const Weights& w : all) matmul_->note(w.all, type(), type(), false);
  const std::int64_t row_counts[] = {1, 2, 16};
  const auto scratch_bytes = std::size_t{16} << 20U;
  const DeviceScratch scratch{take(scratch_bytes, 256), scratch_bytes};
  EXPECT_EQ(matmul_->tune(launch_, row_counts, scratch), 6);
  EXPECT_EQ(matmul_->tune(launch_, row_counts, scratch), 0);
  // Beside what is known.
  for (int layer = 0; layer < 3; ++layer) {
    all.push_back(weights({256}, 512));
    matmul_->note(all.back().all, type(), type(), false);
  }
  EXPECT_EQ(matmul_->tune(launch_, row_counts, scratch), 3);
  for (const std::int64_t rows : {1, 2, 16}) {
    for (const Weights& w : all) {
      const std::int64_t columns = w.all[0]->columns;
      const Numbers x = random(rows * columns, type());
      const std::vector<Activation> ys = outputs_of(w, rows, type());
      matmul_->matmul(launch_, ys, put(x, rows, columns, type()), w.all);
      for (std::size_t i = 0; i < ys.size(); ++i) {
        expect_product(numbers_of(ys[i]), x, w.numbers[i], rows, ys[i].columns, columns, type());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, MatmulTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
