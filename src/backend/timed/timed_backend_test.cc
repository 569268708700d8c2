#include "backend/timed/timed_backend.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstring>

#include "backend/registry.h"

namespace hangar {
namespace {

constexpr std::int64_t kColumns = 64;

std::vector<std::byte> bytes_of(const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// A backend beside the same one with clocks, and a weight and an input on both.
struct Both {
  explicit Both(const char* name, int threads)
      : plain(make_backend(name, threads).value()),
        timed(make_backend(name, threads).value()),
        file(bytes_of(numbers(32 * kColumns, 0.37F))),
        view{"blk.0.ffn_down.weight", DType::kF32, {32, kColumns}, file} {}

  static std::vector<float> numbers(std::size_t count, float step) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = static_cast<float>(i % 17) * step - static_cast<float>(i % 5);
    }
    return values;
  }

  // y = x W^T for two rows of x.
  static std::vector<float> product(Backend& backend, const Weight& weight) {
    const Activation x = backend.allocate(2, kColumns).value();
    const std::vector<float> from = numbers(2 * kColumns, 0.21F);
    std::memcpy(x.data, from.data(), from.size() * sizeof(float));
    const std::array y = {backend.allocate(2, weight.rows).value()};
    const std::array weights = {&weight};
    backend.matmul(y, x, weights);
    std::vector<float> host(static_cast<std::size_t>(y[0].rows * y[0].columns));
    backend.read(y[0], host);
    return host;
  }

  std::unique_ptr<Backend> plain;
  TimedBackend timed;
  std::vector<std::byte> file;
  TensorView view;
};

TEST(TimedBackend, GivesTheInnerBackendsResults) {
  Both both("cpu", 2);
  const WeightPtr a = both.plain->load_weight(both.view, InputPrecision::kFast).value();
  const WeightPtr b = both.timed.load_weight(both.view, InputPrecision::kFast).value();
  const std::vector<float> expected = Both::product(*both.plain, *a);
  EXPECT_NE(expected, std::vector<float>(expected.size()));
  EXPECT_EQ(Both::product(both.timed, *b), expected);
  both.timed.start();
  EXPECT_EQ(Both::product(both.timed, *b), expected);
  both.timed.stop();
  EXPECT_EQ(both.timed.name(), both.plain->name());
  EXPECT_EQ(both.timed.description(), both.plain->description());
  EXPECT_EQ(both.timed.default_kv_type(), both.plain->default_kv_type());
}

TEST(TimedBackend, CountsBetweenStartAndStopOnly) {
  Both both("ref", 1);
  const WeightPtr weight = both.timed.load_weight(both.view, InputPrecision::kFast).value();
  Both::product(both.timed, *weight);
  both.timed.start();
  Both::product(both.timed, *weight);
  Both::product(both.timed, *weight);
  const OperationTimes times = both.timed.stop();
  Both::product(both.timed, *weight);
  const OperationTime& down = times.of(StepPart::kDown);
  EXPECT_EQ(down.calls, 2);
  EXPECT_GT(down.ns, 0);
  EXPECT_EQ(down.multiply_adds, 2.0 * 2 * 32 * kColumns);
  EXPECT_EQ(down.bytes, 2.0 * static_cast<double>(weight->memory_bytes));
  EXPECT_EQ(times.of(StepPart::kRead).calls, 2);
  EXPECT_EQ(times.total().calls, 4);
  both.timed.start();
  EXPECT_EQ(both.timed.stop().total().calls, 0);
}

TEST(TimedBackend, EachOperationHasItsPart) {
  Both both("ref", 1);
  TimedBackend& backend = both.timed;
  const std::vector<std::byte> ones = bytes_of(std::vector<float>(kColumns, 1.0F));
  const TensorView vector{"blk.0.attn_norm.weight", DType::kF32, {kColumns}, ones};
  const WeightPtr norm = backend.load_weight(vector, InputPrecision::kFast).value();
  const WeightPtr table = backend.load_weight(both.view, InputPrecision::kFast).value();
  const KvCachePtr cache = backend.make_kv_cache({1, 2, 16, 1, kColumns, KvType::kF16}).value();
  RaggedBatch batch;
  batch.token_ids = {3};
  batch.positions = {0};
  batch.sequences = {{0, 1, 0, 0, 1}};
  batch.block_tables = {0};
  RopeTable rope;
  rope.inverse_frequency.assign(kColumns / 2, 0.5F);
  const Activation x = backend.allocate(1, kColumns).value();
  const Activation y = backend.allocate(1, kColumns).value();
  const std::array<std::int32_t, 1> rows = {0};
  const std::array<float, 1> one = {1.0F};
  std::array<std::int32_t, 2> ids{};
  std::array<float, 2> weights{};
  std::array<Sampled, 1> sampled;
  std::vector<float> host(kColumns);

  backend.start();
  backend.embed(x, *table, batch.token_ids);
  backend.rms_norm(y, x, *norm, 1e-5F);
  backend.add_bias(y, *norm);
  backend.rope(y, kColumns, batch.positions, rope);
  backend.write_kv(*cache, 0, y, y, batch);
  backend.copy_kv_blocks(*cache, std::array{BlockCopy{0, 1}});
  backend.attention(x, y, *cache, 0, batch,
                    {.heads = 1, .kv_heads = 1, .head_dim = kColumns, .scale = 0.1F});
  backend.gate_mul(y, x, y, GateFunction::kSilu);
  backend.scale(y, 0.5F);
  backend.softcap(y, 30.0F);
  backend.add(x, y);
  backend.gather_rows(y, x, rows);
  backend.scatter_add_rows(x, y, rows, one);
  backend.top_experts(x, 2, true, ids, weights);
  backend.sample(x, std::array{SampleRow{.temperature = 0.0F}}, sampled);
  backend.read(x, host);
  const OperationTimes times = backend.stop();

  EXPECT_EQ(times.of(StepPart::kEmbedding).calls, 1);
  EXPECT_EQ(times.of(StepPart::kNorm).calls, 1);
  EXPECT_EQ(times.of(StepPart::kRopeKv).calls, 2);
  EXPECT_EQ(times.of(StepPart::kAttention).calls, 1);
  EXPECT_EQ(times.of(StepPart::kElementwise).calls, 8);
  EXPECT_EQ(times.of(StepPart::kSampling).calls, 1);
  EXPECT_EQ(times.of(StepPart::kRead).calls, 2);
  EXPECT_EQ(times.total().calls, 16);
}

TEST(TimedBackend, FusedOperationsAreTimedWhole) {
  Both both("ref", 1);
  TimedBackend& backend = both.timed;
  const std::vector<std::byte> square = bytes_of(Both::numbers(kColumns * kColumns, 0.1F));
  const std::vector<std::byte> ones = bytes_of(std::vector<float>(kColumns, 1.0F));
  const auto load = [&](const char* name) {
    const TensorView view{name, DType::kF32, {kColumns, kColumns}, square};
    return backend.load_weight(view, InputPrecision::kFast).value();
  };
  const WeightPtr q = load("blk.0.attn_q.weight");
  const WeightPtr o = load("blk.0.attn_output.weight");
  const WeightPtr down = load("blk.0.ffn_down.weight");
  const TensorView vector{"blk.0.attn_norm.weight", DType::kF32, {kColumns}, ones};
  const WeightPtr norm = backend.load_weight(vector, InputPrecision::kFast).value();
  const KvCachePtr cache = backend.make_kv_cache({1, 2, 16, 1, kColumns, KvType::kF16}).value();
  RaggedBatch batch;
  batch.token_ids = {3};
  batch.positions = {0};
  batch.sequences = {{0, 1, 0, 0, 1}};
  batch.block_tables = {0};
  RopeTable rope;
  rope.inverse_frequency.assign(kColumns / 2, 0.5F);
  const Activation x = backend.allocate(1, kColumns).value();
  const Activation y = backend.allocate(1, kColumns).value();
  const Activation z = backend.allocate(1, kColumns).value();
  const Activation scratch = backend.allocate(1, kColumns).value();

  backend.start();
  backend.norm_matmul(std::array{y}, x, {norm.get(), 1e-5F}, std::array{q.get()}, scratch);
  backend.rope_write_kv(y, z, z, rope, *cache, 0, batch);
  backend.matmul_add(x, y, *o, scratch);
  backend.gate_matmul_add(x, y, z, GateFunction::kSilu, *down, scratch);
  const OperationTimes times = backend.stop();
  for (const StepPart part : {StepPart::kQkv, StepPart::kAttentionOut, StepPart::kDown}) {
    EXPECT_EQ(times.of(part).calls, 1) << step_part_name(part);
    EXPECT_EQ(times.of(part).multiply_adds, 1.0 * kColumns * kColumns) << step_part_name(part);
  }
  EXPECT_EQ(times.of(StepPart::kRopeKv).calls, 1);
  EXPECT_EQ(times.total().calls, 4);
}

// A product large enough to be shared out.
TEST(TimedBackend, WaitsAreThoseOfTheOperation) {
  Both both("cpu", 2);
  const std::vector<std::byte> large = bytes_of(Both::numbers(2048 * kColumns, 0.1F));
  const TensorView view{"output.weight", DType::kF32, {2048, kColumns}, large};
  const WeightPtr weight = both.timed.load_weight(view, InputPrecision::kFast).value();
  both.timed.start();
  const Activation x = both.timed.allocate(64, kColumns).value();
  const std::array y = {both.timed.allocate(64, weight->rows).value()};
  const std::array weights = {weight.get()};
  both.timed.matmul(y, x, weights);
  const OperationTimes times = both.timed.stop();
  const OperationTime& head = times.of(StepPart::kHead);
  EXPECT_GT(head.waits_ns, 0);
  EXPECT_LE(head.waits_ns, head.ns);
}

}  // namespace
}  // namespace hangar
