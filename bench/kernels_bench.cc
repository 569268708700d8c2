// The CPU's kernels at the default model's shapes, beside what the machine allows.
//
// Counters: GMAC/s and GB/s (weights read) as measured; bound_us is the larger of bytes / bandwidth
//   and multiply-adds / rate, both measured on this machine; of_bound = bound / time.
// Peer: llama.cpp on two AVX2 cores (Milan), same model in Q4_0: 480 tokens/s prefill of 512, 148
//   decode, which is 51 and 16 GMAC/s over the layers' 106 M weights.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>

#include "backend/cpu/instruction_set.h"
#include "backend/registry.h"
#include "base/thread_pool.h"
#include "machine_bounds.h"
#include "tensor/float16.h"

namespace hangar {
namespace {

Backend& backend() {
  static const std::unique_ptr<Backend> cpu = make_backend("cpu", 0).value();
  return *cpu;
}

// A weight's bytes as a file holds them: random values, small scales.
std::vector<std::byte> random_weight_bytes(DType dtype, std::int64_t rows, std::int64_t columns) {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(row_bytes(dtype, columns) * static_cast<std::size_t>(rows));
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  const std::uint16_t scale = float_to_half(0.01F);
  const std::size_t block_bytes = dtype_info(dtype).block_bytes;
  for (std::size_t at = 0; at < bytes.size(); at += block_bytes) {
    std::memcpy(bytes.data() + at, &scale, sizeof(scale));
    if (dtype == DType::kQ4_1) std::memcpy(bytes.data() + at + 2, &scale, sizeof(scale));
  }
  return bytes;
}

Activation random_activation(std::int64_t rows, std::int64_t columns) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  const Activation x = backend().allocate(rows, columns).value();
  for (std::int64_t i = 0; i < rows * columns; ++i) x.f32()[i] = normal(random);
  return x;
}

void matmul(benchmark::State& state, DType dtype) {
  const std::int64_t outputs = state.range(0);
  const std::int64_t columns = state.range(1);
  const std::int64_t rows = state.range(2);
  const std::vector<std::byte> bytes = random_weight_bytes(dtype, outputs, columns);
  // Many copies in turn, as layers are: no cache but a large last one holds them all.
  const auto copies = std::max<std::size_t>(1, (std::size_t{32} << 20) / bytes.size());
  std::vector<WeightPtr> weights;
  for (std::size_t i = 0; i < copies; ++i) {
    weights.push_back(
        backend()
            .load_weight({"w", dtype, {outputs, columns}, bytes}, InputPrecision::kFast)
            .value());
  }
  const Activation x = random_activation(rows, columns);
  const std::vector<Activation> y = {backend().allocate(rows, outputs).value()};
  std::size_t next = 0;
  for (auto _ : state) {
    const std::vector<const Weight*> one = {weights[next++ % copies].get()};
    backend().matmul(y, x, one);
  }
  const int threads = ThreadPool::available_processors();
  const double macs = static_cast<double>(outputs * columns * rows);
  const auto weight_bytes = static_cast<double>(weights[0]->memory_bytes);
  const double bound_s = std::max(macs / bench::int_macs_per_s(threads),
                                  weight_bytes / bench::read_bytes_per_s(threads));
  using benchmark::Counter;
  state.counters["GMAC/s"] = Counter(macs / 1e9, Counter::kIsIterationInvariantRate);
  state.counters["GB/s"] = Counter(weight_bytes / 1e9, Counter::kIsIterationInvariantRate);
  state.counters["bound_us"] = bound_s * 1e6;
  state.counters["of_bound"] = Counter(bound_s, Counter::kIsIterationInvariantRate);
}

void default_model_shapes(benchmark::internal::Benchmark* b) {
  for (const std::int64_t rows : {1, 8, 128, 512}) {
    b->Args({576, 576, rows});
    b->Args({192, 576, rows});
    b->Args({1536, 576, rows});
    b->Args({576, 1536, rows});
  }
  b->Args({49152, 576, 1});
  b->Args({49152, 576, 8});
  b->ArgNames({"out", "in", "rows"})->UseRealTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(matmul, Q4_1, DType::kQ4_1)->Apply(default_model_shapes);
BENCHMARK_CAPTURE(matmul, Q4_0, DType::kQ4_0)->Apply(default_model_shapes);
BENCHMARK_CAPTURE(matmul, Q8_0, DType::kQ8_0)->Apply(default_model_shapes);

// One layer of the default model: 9 heads on 3 KV heads of 64; `rows` new tokens end the context.
void attention(benchmark::State& state, KvType type) {
  const auto context = static_cast<std::int32_t>(state.range(0));
  const auto rows = static_cast<std::int32_t>(state.range(1));
  const AttentionShape shape{.heads = 9, .kv_heads = 3, .head_dim = 64, .scale = 0.125F};
  const KvShape kv{.layers = 1,
                   .blocks = context / 16,
                   .block_tokens = 16,
                   .kv_heads = 3,
                   .head_dim = 64,
                   .type = type};
  const KvCachePtr cache = backend().make_kv_cache(kv).value();
  RaggedBatch all;
  for (std::int32_t b = 0; b < kv.blocks; ++b) all.block_tables.push_back(kv.blocks - 1 - b);
  all.sequences = {{.first_row = 0, .rows = context, .first_block = 0, .blocks = kv.blocks}};
  all.token_ids.resize(static_cast<std::size_t>(context));
  const Activation k = random_activation(context, 192);
  backend().write_kv(*cache, 0, k, k, all);
  RaggedBatch step = all;
  step.sequences[0].rows = rows;
  step.sequences[0].context_tokens = context - rows;
  const Activation q = random_activation(rows, 576);
  const Activation out = backend().allocate(rows, 576).value();
  for (auto _ : state) backend().attention(out, q, *cache, 0, step, shape);
  // Scores and values: each query head and row by the tokens it sees.
  const double seen = (context - rows) + (rows + 1) / 2.0;
  const double macs = 2.0 * 9 * 64 * rows * seen;
  const auto bytes = static_cast<double>(backend().kv_block_bytes(kv)) * kv.blocks;
  using benchmark::Counter;
  state.counters["GMAC/s"] = Counter(macs / 1e9, Counter::kIsIterationInvariantRate);
  state.counters["GB/s"] = Counter(bytes / 1e9, Counter::kIsIterationInvariantRate);
  state.counters["bound_us"] =
      bytes / bench::read_bytes_per_s(ThreadPool::available_processors()) * 1e6;
}

void attention_shapes(benchmark::internal::Benchmark* b) {
  b->ArgsProduct({{512, 2048, 4096}, {1, 128, 512}});
  b->ArgNames({"context", "rows"})->UseRealTime()->Unit(benchmark::kMicrosecond);
}
BENCHMARK_CAPTURE(attention, f16, KvType::kF16)->Apply(attention_shapes);
BENCHMARK_CAPTURE(attention, bf16, KvType::kBF16)->Apply(attention_shapes);
BENCHMARK_CAPTURE(attention, int8, KvType::kInt8)->Apply(attention_shapes);

// 64 rows of logits to tokens. Logits like a model's (a few far ahead of a wide bell), or for
// `flat` a bell that is narrow, which is the worst that top_p can meet.
void sample(benchmark::State& state, SampleRow row, bool flat) {
  const std::int64_t vocabulary = state.range(0);
  constexpr std::int64_t kRows = 64;
  const Activation logits = random_activation(kRows, vocabulary);
  if (!flat) {
    backend().scale(logits, 2.5F);
    for (std::int64_t r = 0; r < kRows; ++r) {
      for (std::size_t i = 0; i < 30; ++i) {
        logits.row(r)[i * 1531 % static_cast<std::size_t>(vocabulary)] +=
            14.0F - 0.4F * static_cast<float>(i);
      }
    }
  }
  std::vector<SampleRow> rows(kRows, row);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    rows[r].row = static_cast<std::int32_t>(r);
    rows[r].uniform = (static_cast<double>(r) + 0.5) / kRows;
  }
  std::vector<Sampled> out(kRows);
  for (auto _ : state) backend().sample(logits, rows, out);
  const double bytes = static_cast<double>(vocabulary) * 4 * kRows;
  using benchmark::Counter;
  state.counters["a_row"] = Counter(kRows, Counter::kIsIterationInvariantRate | Counter::kInvert);
  state.counters["GB/s"] = Counter(bytes / 1e9, Counter::kIsIterationInvariantRate);
  state.counters["bound_us"] =
      bytes / bench::read_bytes_per_s(ThreadPool::available_processors()) * 1e6;
}

void vocabularies(benchmark::internal::Benchmark* b) {
  b->Arg(49152)->Arg(128256)->ArgName("vocabulary");
  b->UseRealTime()->Unit(benchmark::kMicrosecond);
}
BENCHMARK_CAPTURE(sample, greedy, SampleRow{.temperature = 0.0F}, false)->Apply(vocabularies);
BENCHMARK_CAPTURE(sample, plain, SampleRow{}, false)->Apply(vocabularies);
BENCHMARK_CAPTURE(sample, top_k_40, SampleRow{.top_k = 40}, false)->Apply(vocabularies);
BENCHMARK_CAPTURE(sample, top_p_95, SampleRow{.top_p = 0.95F}, false)->Apply(vocabularies);
BENCHMARK_CAPTURE(sample, top_p_95_flat, SampleRow{.top_p = 0.95F}, true)->Apply(vocabularies);
BENCHMARK_CAPTURE(sample, top_k_40_top_p_95, SampleRow{.top_p = 0.95F, .top_k = 40}, false)
    ->Apply(vocabularies);
BENCHMARK_CAPTURE(sample, greedy_logprobs_5, SampleRow{.logprobs = 5, .temperature = 0.0F}, false)
    ->Apply(vocabularies);

}  // namespace
}  // namespace hangar
