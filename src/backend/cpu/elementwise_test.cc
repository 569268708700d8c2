#include <cmath>

#include "backend/cpu/ops_test_support.h"

namespace hangar::cpu {
namespace {

class CpuElementwiseTest : public CpuOpsTest {
 protected:
  // Widths below, at and beside register sizes; the last is shared out over threads.
  static constexpr std::pair<std::int64_t, std::int64_t> kShapes[] = {{1, 1},  {2, 7},   {3, 16},
                                                                      {2, 33}, {5, 576}, {90, 577}};
};

TEST_P(CpuElementwiseTest, RmsNorm) {
  for (const auto& [rows, columns] : kShapes) {
    const std::vector<float> x = random_floats(rows * columns, 3.0F);
    const TensorView w = vector_view(random_floats(columns));
    const auto run = [&](Backend& backend) {
      const WeightPtr weight = backend.load_weight(w, InputPrecision::kFast).value();
      const Activation in = make(backend, rows, columns, x);
      const Activation out = make_empty(backend, rows, columns);
      backend.rms_norm(out, in, *weight, 1e-5F);
      backend.rms_norm(in, in, *weight, 1e-5F);
      expect_same_bits(values_of(backend, in), values_of(backend, out));
      return values_of(backend, out);
    };
    expect_near(run(*cpu_), run(*ref_), 1e-7F, 2e-6F);
  }
}

TEST_P(CpuElementwiseTest, GateMul) {
  for (const auto f : {GateFunction::kSilu, GateFunction::kGeluTanh, GateFunction::kGelu}) {
    for (const auto& [rows, columns] : kShapes) {
      std::vector<float> gate = random_floats(rows * columns, 4.0F);
      const float extremes[] = {0.0F,    -0.0F,    88.0F,  -88.0F, -89.0F,
                                1000.0F, -1000.0F, 1e-30F, 1e18F,  -1e18F};
      for (std::size_t i = 0; i < gate.size() && i < std::size(extremes); ++i) {
        gate[i] = extremes[i];
      }
      const std::vector<float> up = random_floats(rows * columns);
      const auto run = [&](Backend& backend) {
        const Activation g = make(backend, rows, columns, gate);
        const Activation u = make(backend, rows, columns, up);
        const Activation out = make_empty(backend, rows, columns);
        backend.gate_mul(out, g, u, f);
        backend.gate_mul(g, g, u, f);
        expect_same_bits(values_of(backend, g), values_of(backend, out));
        return values_of(backend, out);
      };
      SCOPED_TRACE(fmt::format("function {}, {} columns", static_cast<int>(f), columns));
      // Where the gate is far below zero e^x is as exact as its exponent, which has many digits.
      expect_near(run(*cpu_), run(*ref_), 1e-11F, 2e-6F);
    }
  }
}

TEST_P(CpuElementwiseTest, GeluIsExactInItsTails) {
  std::vector<float> gate;
  for (float x = -12.0F; x < 6.0F; x += 0.013F) gate.push_back(x);
  const auto columns = std::ssize(gate);
  const std::vector<float> ones(gate.size(), 1.0F);
  for (const auto f : {GateFunction::kGelu, GateFunction::kGeluTanh}) {
    const auto run = [&](Backend& backend) {
      const Activation g = make(backend, 1, columns, gate);
      backend.gate_mul(g, g, make(backend, 1, columns, ones), f);
      return values_of(backend, g);
    };
    expect_near(run(*cpu_), run(*ref_), 1e-37F, 3e-5F);
  }
}

TEST_P(CpuElementwiseTest, ScaleAndSoftcap) {
  for (const auto& [rows, columns] : kShapes) {
    std::vector<float> x = random_floats(rows * columns, 40.0F);
    const float extremes[] = {0.0F, -0.0F, 1e-20F, 1e30F, -1e30F, 600.0F, -600.0F};
    for (std::size_t i = 0; i < x.size() && i < std::size(extremes); ++i) x[i] = extremes[i];
    const auto scaled = [&](Backend& backend) {
      const Activation y = make(backend, rows, columns, x);
      backend.scale(y, 1.7F);
      return values_of(backend, y);
    };
    expect_same_bits(scaled(*cpu_), scaled(*ref_));
    const auto capped = [&](Backend& backend) {
      const Activation y = make(backend, rows, columns, x);
      backend.softcap(y, 30.0F);
      return values_of(backend, y);
    };
    expect_near(capped(*cpu_), capped(*ref_), 1e-30F, 1e-6F);
  }
}

TEST_P(CpuElementwiseTest, AddAndBias) {
  for (const auto& [rows, columns] : kShapes) {
    const std::vector<float> x = random_floats(rows * columns);
    const std::vector<float> y = random_floats(rows * columns);
    const TensorView b = vector_view(random_floats(columns));
    const auto run = [&](Backend& backend) {
      const WeightPtr bias = backend.load_weight(b, InputPrecision::kFast).value();
      const Activation sum = make(backend, rows, columns, x);
      backend.add(sum, make(backend, rows, columns, y));
      backend.add_bias(sum, *bias);
      return values_of(backend, sum);
    };
    expect_same_bits(run(*cpu_), run(*ref_));
  }
}

TEST_P(CpuElementwiseTest, GatherRows) {
  const std::vector<float> x = random_floats(5 * 33);
  const auto run = [&](Backend& backend) {
    const Activation out = make_empty(backend, 3, 33);
    backend.gather_rows(out, make(backend, 5, 33, x), std::vector<std::int32_t>{4, 0, 4});
    return values_of(backend, out);
  };
  expect_same_bits(run(*cpu_), run(*ref_));
}

TEST_P(CpuElementwiseTest, ScatterAddsRowsInOrder) {
  // The last shape is shared out over threads; row 2 comes three times, row 1 never.
  for (const std::int64_t columns : {1, 33, 9000}) {
    const std::vector<std::int32_t> rows = {2, 0, 2, 3, 2};
    const std::vector<float> weights = {0.5F, 2.0F, -1.25F, 0.0F, 3.0F};
    const std::vector<float> x = random_floats(4 * columns);
    const std::vector<float> y = random_floats(5 * columns);
    const auto run = [&](Backend& backend) {
      const Activation to = make(backend, 4, columns, x);
      backend.scatter_add_rows(to, make(backend, 5, columns, y), rows, weights);
      return values_of(backend, to);
    };
    const std::vector<float> got = run(*cpu_);
    expect_near(got, run(*ref_), 2e-6F, 1e-6F);
    const auto width = static_cast<std::size_t>(columns);
    expect_same_bits(std::span(got).subspan(width, width), std::span(x).subspan(width, width));
  }
}

TEST_P(CpuElementwiseTest, ScatterAddOfNothingChangesNothing) {
  const std::vector<float> x = random_floats(2 * 40);
  const Activation to = make(*cpu_, 2, 40, x);
  cpu_->scatter_add_rows(to, make(*cpu_, 1, 40, random_floats(40)).first_rows(0), {}, {});
  expect_same_bits(values_of(*cpu_, to), x);
}

TEST_P(CpuElementwiseTest, TopExperts) {
  // experts, k; the last is shared out over threads.
  for (const auto& [rows, experts, k] :
       {std::tuple{1, 1, 1}, {3, 8, 2}, {5, 8, 8}, {4, 60, 4}, {300, 128, 8}}) {
    std::vector<float> scores = random_floats(std::int64_t{rows} * experts, 2.0F);
    // Many ties: quarters only.
    for (std::size_t i = 0; i < scores.size(); i += 2) scores[i] = std::round(scores[i] * 4) / 4;
    for (const bool normalize : {false, true}) {
      const auto count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(k);
      std::vector<std::int32_t> got_ids(count, -1);
      std::vector<std::int32_t> want_ids(count, -2);
      std::vector<float> got(count);
      std::vector<float> want(count);
      cpu_->top_experts(make(*cpu_, rows, experts, scores), k, normalize, got_ids, got);
      ref_->top_experts(make(*ref_, rows, experts, scores), k, normalize, want_ids, want);
      EXPECT_EQ(got_ids, want_ids);
      expect_near(got, want, 0.0F, 2e-6F);
    }
  }
}

TEST_P(CpuElementwiseTest, EmbedReadsRowsOfEveryType) {
  const std::vector<std::int32_t> ids = {16, 0, 3, 3};
  for (const DType dtype :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,
        DType::kQ5_1, DType::kQ8_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    const TensorView table = random_view(dtype, 17, 256);
    const auto run = [&](Backend& backend) {
      const WeightPtr weight = backend.load_weight(table, InputPrecision::kFast).value();
      const Activation out = make_empty(backend, std::ssize(ids), 256);
      backend.embed(out, *weight, ids);
      return values_of(backend, out);
    };
    expect_same_bits(run(*cpu_), run(*ref_));
  }
}

TEST_P(CpuElementwiseTest, Rope) {
  // head_dim, rotated elements, heads
  for (const auto& [dim, rotated, heads] :
       {std::tuple{64, 64, 9}, {80, 32, 2}, {6, 6, 3}, {128, 2, 1}, {34, 34, 5}}) {
    const std::int64_t columns = dim * heads;
    const std::vector<std::int32_t> positions = {0, 1, 8191, 17, 40000};
    const std::vector<float> x = random_floats(std::ssize(positions) * columns);
    RopeTable table;
    table.magnitude = 1.25F;
    for (int i = 0; i < rotated / 2; ++i) {
      table.inverse_frequency.push_back(
          std::pow(1e5F, -2.0F * static_cast<float>(i) / static_cast<float>(rotated)));
    }
    for (const bool interleaved : {true, false}) {
      table.interleaved = interleaved;
      const auto run = [&](Backend& backend) {
        const Activation y = make(backend, std::ssize(positions), columns, x);
        backend.rope(y, dim, positions, table);
        return values_of(backend, y);
      };
      expect_near(run(*cpu_), run(*ref_), 2e-6F, 0.0F);
    }
  }
}

TEST_P(CpuElementwiseTest, RopeForgetsTheAnglesOfAnotherStep) {
  RopeTable table{.inverse_frequency = {1.0F, 0.1F}, .magnitude = 1.0F, .interleaved = true};
  const std::vector<float> x = random_floats(8);
  const auto run = [&](Backend& backend, std::vector<std::int32_t> positions) {
    const Activation y = make(backend, 2, 4, x);
    backend.rope(y, 4, positions, table);
    return values_of(backend, y);
  };
  const auto expect_right = [&](const std::vector<std::int32_t>& positions) {
    expect_near(run(*cpu_, positions), run(*ref_, positions), 2e-6F, 0.0F);
  };
  expect_right({1, 2});
  expect_right({1, 3});
  table.magnitude = 0.5F;
  expect_right({1, 3});
  table.interleaved = false;
  expect_right({1, 3});
  table.inverse_frequency[1] = 0.3F;
  expect_right({1, 3});
}

HANGAR_INSTANTIATE_CPU_OPS(CpuElementwiseTest);

}  // namespace
}  // namespace hangar::cpu
