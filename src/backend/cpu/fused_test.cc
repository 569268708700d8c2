// The fused operations against the plain ones they stand for, on the same backend, and against the
// reference, which does them one after the other.
#include <array>
#include <memory>
#include <numeric>

#include "backend/cpu/ops_test_support.h"

namespace hangar::cpu {
namespace {

constexpr std::int64_t kColumns = 96;
constexpr std::int64_t kInner = 160;
constexpr float kEps = 1e-5F;
constexpr std::int64_t kRowCounts[] = {1, 2, 7, 33};

class CpuFusedTest : public CpuOpsTest {
 protected:
  // Floats, which are exact, and each way that a CPU product takes its inputs.
  std::vector<std::pair<TensorView, InputPrecision>> weights(std::int64_t rows,
                                                             std::int64_t columns) {
    TensorView shuffled = random_view(DType::kInt4G32, rows, columns);
    auto order = std::make_shared<std::vector<std::int32_t>>(static_cast<std::size_t>(columns));
    std::iota(order->begin(), order->end(), 0);
    std::shuffle(order->begin(), order->end(), random_);
    shuffled.input_order = order;
    return {{random_view(DType::kF32, rows, columns), InputPrecision::kFast},
            {random_view(DType::kBF16, rows, columns), InputPrecision::kFast},
            {random_view(DType::kQ4_1, rows, columns), InputPrecision::kFast},
            {random_view(DType::kQ4_0, rows, columns), InputPrecision::kFine},
            {random_view(DType::kQ8_0, rows, columns), InputPrecision::kFast},
            {shuffled, InputPrecision::kFast}};
  }
};

TEST_P(CpuFusedTest, NormThenProducts) {
  const TensorView norm_view = vector_view(random_floats(kColumns));
  const WeightPtr norm = cpu_->load_weight(norm_view, InputPrecision::kFast).value();
  const WeightPtr norm_ref = ref_->load_weight(norm_view, InputPrecision::kFast).value();
  for (const std::int64_t rows : kRowCounts) {
    const std::vector<float> x = random_floats(rows * kColumns, 3.0F);
    const Activation on_cpu = make(*cpu_, rows, kColumns, x);
    const Activation normed = make_empty(*cpu_, rows, kColumns);
    cpu_->rms_norm(normed, on_cpu, *norm, kEps);
    for (const auto& [view, precision] : weights(50, kColumns)) {
      SCOPED_TRACE(fmt::format("{} rows, {}", rows, dtype_name(view.dtype)));
      const WeightPtr first = cpu_->load_weight(view, precision).value();
      const TensorView other = random_view(DType::kQ4_0, 18, kColumns);
      const WeightPtr second = cpu_->load_weight(other, precision).value();
      const std::array<const Weight*, 2> both = {first.get(), second.get()};
      const std::array want = {make_empty(*cpu_, rows, 50), make_empty(*cpu_, rows, 18)};
      cpu_->matmul(want, normed, both);
      const std::array got = {make_empty(*cpu_, rows, 50), make_empty(*cpu_, rows, 18)};
      cpu_->norm_matmul(got, on_cpu, {norm.get(), kEps}, both, make_empty(*cpu_, rows, kColumns));
      for (std::size_t i = 0; i < got.size(); ++i) {
        expect_same_bits(values_of(*cpu_, got[i]), values_of(*cpu_, want[i]));
      }
      expect_same_bits(values_of(*cpu_, on_cpu), x);
      if (view.dtype != DType::kF32) continue;
      const WeightPtr on_ref = ref_->load_weight(view, precision).value();
      const std::array ys = {make_empty(*ref_, rows, 50)};
      ref_->norm_matmul(ys, make(*ref_, rows, kColumns, x), {norm_ref.get(), kEps},
                        std::array<const Weight*, 1>{on_ref.get()},
                        make_empty(*ref_, rows, kColumns));
      expect_near(values_of(*cpu_, got[0]), values_of(*ref_, ys[0]), 1e-4F, 1e-5F);
    }
  }
}

TEST_P(CpuFusedTest, ProductAddedToTheResidual) {
  for (const std::int64_t rows : kRowCounts) {
    const std::vector<float> x = random_floats(rows * 50);
    const std::vector<float> y = random_floats(rows * kInner);
    for (const auto& [view, precision] : weights(50, kInner)) {
      SCOPED_TRACE(fmt::format("{} rows, {}", rows, dtype_name(view.dtype)));
      const auto run = [&](Backend& backend, bool fused) {
        const WeightPtr weight = backend.load_weight(view, precision).value();
        const Activation to = make(backend, rows, 50, x);
        const Activation from = make(backend, rows, kInner, y);
        const Activation scratch = make_empty(backend, rows, 50);
        if (fused) {
          backend.matmul_add(to, from, *weight, scratch);
        } else {
          backend.matmul(std::array{scratch}, from, std::array<const Weight*, 1>{weight.get()});
          backend.add(to, scratch);
        }
        return values_of(backend, to);
      };
      expect_near(run(*cpu_, true), run(*cpu_, false), 1e-4F, 1e-5F);
      if (view.dtype == DType::kF32) {
        expect_near(run(*cpu_, true), run(*ref_, true), 1e-4F, 1e-5F);
      }
    }
  }
}

TEST_P(CpuFusedTest, GatedProductAddedToTheResidual) {
  for (const std::int64_t rows : kRowCounts) {
    const std::vector<float> x = random_floats(rows * 50);
    const std::vector<float> gate = random_floats(rows * kInner);
    const std::vector<float> up = random_floats(rows * kInner);
    for (const auto& [view, precision] : weights(50, kInner)) {
      SCOPED_TRACE(fmt::format("{} rows, {}", rows, dtype_name(view.dtype)));
      const auto run = [&](Backend& backend, bool fused) {
        const WeightPtr weight = backend.load_weight(view, precision).value();
        const Activation to = make(backend, rows, 50, x);
        const Activation g = make(backend, rows, kInner, gate);
        const Activation u = make(backend, rows, kInner, up);
        const Activation scratch = make_empty(backend, rows, 50);
        if (fused) {
          backend.gate_matmul_add(to, g, u, GateFunction::kSilu, *weight, scratch);
        } else {
          backend.gate_mul(g, g, u, GateFunction::kSilu);
          backend.matmul(std::array{scratch}, g, std::array<const Weight*, 1>{weight.get()});
          backend.add(to, scratch);
        }
        EXPECT_EQ(values_of(backend, u), up);
        return values_of(backend, to);
      };
      expect_near(run(*cpu_, true), run(*cpu_, false), 1e-4F, 1e-5F);
      if (view.dtype == DType::kF32) {
        expect_near(run(*cpu_, true), run(*ref_, true), 1e-4F, 1e-5F);
      }
    }
  }
}

// Two sequences of different lengths and places; what attention sees of the cache tells all of it.
TEST_P(CpuFusedTest, RotatedAndWrittenToTheCache) {
  const KvShape shape{.layers = 1, .blocks = 8, .block_tokens = 16, .kv_heads = 2, .head_dim = 32};
  const AttentionShape attention{.heads = 4, .kv_heads = 2, .head_dim = 32, .scale = 0.2F};
  RopeTable table;
  for (int i = 0; i < 16; ++i) {
    table.inverse_frequency.push_back(std::pow(0.5F, 0.5F * static_cast<float>(i)));
  }
  RaggedBatch before;  // the first sequence's context
  before.token_ids.assign(20, 0);
  before.sequences = {{.first_row = 0, .rows = 20, .first_block = 0, .blocks = 3}};
  before.block_tables = {5, 2, 7, 1, 6};
  RaggedBatch batch = before;
  batch.token_ids.assign(31, 0);
  batch.sequences = {
      {.first_row = 0, .rows = 14, .context_tokens = 20, .first_block = 0, .blocks = 3},
      {.first_row = 14, .rows = 17, .first_block = 3, .blocks = 2}};
  for (std::int32_t i = 0; i < 14; ++i) batch.positions.push_back(20 + i);
  for (std::int32_t i = 0; i < 17; ++i) batch.positions.push_back(i);
  const std::vector<float> old = random_floats(20 * 64);
  const std::vector<float> q = random_floats(31 * 128);
  const std::vector<float> k = random_floats(31 * 64);
  const std::vector<float> v = random_floats(31 * 64);
  for (const bool interleaved : {true, false}) {
    table.interleaved = interleaved;
    const auto run = [&](Backend& backend, bool fused) {
      const KvCachePtr cache = backend.make_kv_cache(shape).value();
      const Activation context = make(backend, 20, 64, old);
      backend.write_kv(*cache, 0, context, context, before);
      const Activation queries = make(backend, 31, 128, q);
      const Activation keys = make(backend, 31, 64, k);
      const Activation values = make(backend, 31, 64, v);
      if (fused) {
        backend.rope_write_kv(queries, keys, values, table, *cache, 0, batch);
      } else {
        backend.rope(queries, 32, batch.positions, table);
        backend.rope(keys, 32, batch.positions, table);
        backend.write_kv(*cache, 0, keys, values, batch);
      }
      const Activation out = make_empty(backend, 31, 128);
      backend.attention(out, queries, *cache, 0, batch, attention);
      return values_of(backend, out);
    };
    expect_same_bits(run(*cpu_, true), run(*cpu_, false));
    expect_near(run(*cpu_, true), run(*ref_, true), 2e-3F, 2e-3F);
  }
}

HANGAR_INSTANTIATE_CPU_OPS(CpuFusedTest);

}  // namespace
}  // namespace hangar::cpu
