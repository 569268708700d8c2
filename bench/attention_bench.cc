// Attention of one layer over paged keys and values, and what writes them.
//
// Counters: GMAC/s are the scores' and the weighted values' multiply-adds; GB/s the keys and values
//   that the rows see, once each. The bound is the larger of bytes / read bandwidth and the
//   multiply-adds by the machine's float32 rate.
#include <algorithm>
#include <memory>
#include <string>

#include "bench_support.h"
#include "machine_bounds.h"
#include "model_shapes.h"

namespace hangar::bench {
namespace {

constexpr std::int32_t kBlockTokens = 16;
constexpr std::size_t kWorkingSetBytes = std::size_t{64} << 20;

struct AttentionCase {
  const ModelShape* model;
  KvType type;
};

// `sequences` of `context` tokens, in enough layers to fill caches.
struct Context {
  KvCachePtr cache;
  RaggedBatch all;  // every token of every sequence
  std::size_t layer_bytes = 0;
};

Context make_context(const AttentionCase& c, std::int32_t context, std::int32_t sequences) {
  Context made;
  const std::int32_t blocks_each = context / kBlockTokens;
  KvShape shape{1,     blocks_each * sequences, kBlockTokens, c.model->kv_heads, c.model->head_dim,
                c.type};
  made.layer_bytes = backend().kv_block_bytes(shape) * static_cast<std::size_t>(shape.blocks);
  shape.layers = static_cast<std::int32_t>(std::clamp<std::size_t>(
      kWorkingSetBytes / made.layer_bytes, 1, static_cast<std::size_t>(c.model->layers)));
  made.cache = backend().make_kv_cache(shape).value();
  for (std::int32_t s = 0; s < sequences; ++s) {
    made.all.sequences.push_back({s * context, context, 0, s * blocks_each, blocks_each});
  }
  // Backwards: as blocks come to lie when they have been let go and taken again.
  for (std::int32_t b = shape.blocks; b-- > 0;) made.all.block_tables.push_back(b);
  made.all.token_ids.resize(static_cast<std::size_t>(context) *
                            static_cast<std::size_t>(sequences));
  const Activation k = activation(0, std::ssize(made.all.token_ids), c.model->kv_columns());
  for (std::int32_t layer = 0; layer < shape.layers; ++layer) {
    backend().write_kv(*made.cache, layer, k, k, made.all);
  }
  return made;
}

// Google Benchmark calls a function several times; what it reads is made for the first.
const Context& context_of(const AttentionCase& c, std::int32_t context, std::int32_t sequences) {
  static std::string made;
  static Context known;
  const std::string wanted = std::string(c.model->name) + std::to_string(static_cast<int>(c.type)) +
                             " " + std::to_string(context) + " " + std::to_string(sequences);
  if (made != wanted) {
    known = {};
    known = make_context(c, context, sequences);
    made = wanted;
  }
  return known;
}

void attention(benchmark::State& state, const AttentionCase& c) {
  const auto tokens = static_cast<std::int32_t>(state.range(0));
  const auto rows = static_cast<std::int32_t>(state.range(1));
  const auto sequences = static_cast<std::int32_t>(state.range(2));
  const Context& context = context_of(c, tokens, sequences);
  const AttentionShape shape{c.model->heads, c.model->kv_heads, c.model->head_dim, 0.125F};
  // The last `rows` tokens of each sequence.
  RaggedBatch step = context.all;
  for (std::int32_t s = 0; s < sequences; ++s) {
    auto& sequence = step.sequences[static_cast<std::size_t>(s)];
    sequence.first_row = s * rows;
    sequence.rows = rows;
    sequence.context_tokens = tokens - rows;
  }
  const std::int64_t all_rows = std::int64_t{rows} * sequences;
  step.token_ids.resize(static_cast<std::size_t>(all_rows));
  const Activation q = activation(1, all_rows, c.model->q_columns());
  const Activation out = activation(2, all_rows, c.model->q_columns());
  const std::int32_t layers = context.cache->shape.layers;
  std::int32_t layer = 0;
  for (auto _ : state) {
    backend().attention(out, q, *context.cache, layer, step, shape);
    layer = (layer + 1) % layers;
  }
  Work work;
  const double seen = (tokens - rows) + (rows + 1) / 2.0;
  work.multiply_adds =
      2.0 * static_cast<double>(c.model->q_columns()) * static_cast<double>(all_rows) * seen;
  work.bytes = static_cast<double>(context.layer_bytes);
  const std::size_t working_set = context.layer_bytes * static_cast<std::size_t>(layers);
  work.bound_s = std::max(work.bytes / read_bytes_per_s(threads(), working_set),
                          work.multiply_adds / float_macs_per_s(threads()));
  set_counters(state, work);
}

// Bytes of floats read and of elements written.
void write_kv(benchmark::State& state, const AttentionCase& c) {
  const auto rows = static_cast<std::int32_t>(state.range(0));
  const Context& context = context_of(c, 512, 1);
  RaggedBatch step = context.all;
  step.sequences[0].rows = rows;
  step.sequences[0].context_tokens = 512 - rows;
  step.token_ids.resize(static_cast<std::size_t>(rows));
  const Activation k = activation(1, rows, c.model->kv_columns());
  for (auto _ : state) backend().write_kv(*context.cache, 0, k, k, step);
  Work work;
  work.bytes = 2.0 * static_cast<double>(rows * c.model->kv_columns()) *
               (4.0 + (c.type == KvType::kInt8 ? 1.0 : 2.0));
  work.bound_s = work.bytes / read_bytes_per_s(threads(), static_cast<std::size_t>(work.bytes));
  set_counters(state, work);
}

}  // namespace

void register_attention(const BenchOptions& options) {
  for (const ModelShape& model : kModelShapes) {
    if (options.quick && &model != &kModelShapes.front()) break;
    for (const auto& [type, name] :
         {std::pair{KvType::kF16, "f16"}, std::pair{KvType::kInt8, "int8"}}) {
      const AttentionCase c{&model, type};
      const std::string tail = std::string(model.name) + "/" + name;
      auto* b = benchmark::RegisterBenchmark(("attention/" + tail).c_str(), attention, c);
      b->Args({512, 1, 1})->Args({512, 512, 1})->Args({512, 1, 16})->Args({4096, 1, 1});
      if (!options.quick) b->Args({4096, 512, 1});
      b->ArgNames({"context", "rows", "sequences"});
      b->UseRealTime()->Unit(benchmark::kMicrosecond);
      auto* w = benchmark::RegisterBenchmark(("write_kv/" + tail).c_str(), write_kv, c);
      w->Arg(1)->Arg(512)->ArgName("rows")->UseRealTime()->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace hangar::bench
