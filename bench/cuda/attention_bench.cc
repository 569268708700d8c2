// Attention over the paged cache in the shape of Llama-3-8B (32 heads, 8 KV heads of 128), one
// layer: decode against the bytes of keys and values, prefill against the matrix units; and RoPE
// with the cache's write, against the bytes it moves. Blocks lie in random order, and in an
// engine's step also as it gives them out. Keys and values are of the work type, or FP8 with its
// scales.
#include "backend/cuda/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "backend/cuda/rope.h"
#include "bench_support.h"

namespace hangar::cuda::bench {
namespace {

constexpr std::int32_t kBlockTokens = 16;
constexpr AttentionShape kShape{.heads = 32, .kv_heads = 8, .head_dim = 128, .scale = 0.088388348F};
constexpr std::int64_t kQueryColumns = std::int64_t{kShape.heads} * kShape.head_dim;
constexpr std::int64_t kKvColumns = std::int64_t{kShape.kv_heads} * kShape.head_dim;
constexpr double kElementBytes = 2.0;

enum class Order {
  kRandom,
  kTaken,     // a prompt's 8 blocks, then each sequence one in its turn
  kTogether,  // a sequence's blocks one behind the other
};

struct Step {
  std::int32_t sequences = 1;
  std::int32_t context = 0;
  std::int32_t rows = 1;   // of each sequence
  bool fp8 = false;        // keys and values
  std::size_t layers = 0;  // caches, each read in its turn; 0: so many that each is cold
  Order order = Order::kRandom;

  std::int32_t tokens() const { return context + rows; }
  std::int64_t all_rows() const { return std::int64_t{sequences} * rows; }
  // Of one token's keys, or values, of all heads.
  double kv_bytes() const {
    const double each = fp8 ? 1.0 + 4.0 / kShape.head_dim : kElementBytes;
    return each * static_cast<double>(kKvColumns);
  }
};

// A step on the card: the batch, what it reads and writes, and several layers' caches, each cold in
// its turn.
class StepOnCard {
 public:
  StepOnCard(const Bench& bench, const Step& step) {
    const std::int32_t blocks_each = (step.tokens() + kBlockTokens - 1) / kBlockTokens;
    std::vector<std::int32_t> tables(static_cast<std::size_t>(blocks_each) *
                                     static_cast<std::size_t>(step.sequences));
    std::iota(tables.begin(), tables.end(), 0);
    if (step.order == Order::kRandom) std::ranges::shuffle(tables, std::mt19937(7));
    if (step.order == Order::kTaken) take_in_turn(tables, blocks_each);
    std::vector<RaggedBatch::Sequence> sequences;
    std::vector<std::int32_t> positions;
    std::vector<std::int32_t> row_sequence;
    for (std::int32_t s = 0; s < step.sequences; ++s) {
      sequences.push_back({s * step.rows, step.rows, step.context, s * blocks_each, blocks_each});
      for (std::int32_t i = 0; i < step.rows; ++i) {
        positions.push_back(step.context + i);
        row_sequence.push_back(s);
      }
    }
    batch.positions = upload(positions);
    batch.row_sequence = upload(row_sequence);
    batch.sequences = upload(sequences);
    batch.block_tables = upload(tables);
    batch.rows = static_cast<std::int32_t>(step.all_rows());
    batch.sequence_count = step.sequences;
    batch.block_tokens = kBlockTokens;
    batch.plan_max_rows = step.rows;
    batch.plan_max_tokens = step.tokens();

    const DType type = bench.options().type;
    const auto cache_rows = static_cast<std::int64_t>(tables.size()) * kBlockTokens;
    KvLayer layer;
    layer.type = step.fp8 ? KvType::kFp8 : type == DType::kF16 ? KvType::kF16 : KvType::kBF16;
    layer.kv_heads = kShape.kv_heads;
    layer.head_dim = kShape.head_dim;
    layer.block_tokens = kBlockTokens;
    const double layer_bytes = 2.0 * static_cast<double>(cache_rows) * step.kv_bytes();
    const std::size_t copies =
        step.layers > 0 ? step.layers : bench.cold_copies(static_cast<std::size_t>(layer_bytes));
    for (std::size_t i = 0; i < copies; ++i) {
      if (step.fp8) {
        layer.keys = memory_.take(static_cast<std::size_t>(layer_bytes));
        layer.values = static_cast<std::byte*>(layer.keys) + fp8_slab_bytes(layer.head_dim);
      } else {
        layer.keys = memory_.activation(cache_rows, kKvColumns, type).data;
        layer.values = memory_.activation(cache_rows, kKvColumns, type).data;
      }
      layers.push_back(layer);
    }
    if (step.fp8) fill_fp8(bench, step, blocks_each);
    const std::int64_t rows = step.all_rows();
    // As a model has them: q, k and v side by side.
    qkv = memory_.activation(rows, kQueryColumns + 2 * kKvColumns, type);
    out = memory_.activation(rows, kQueryColumns, type);
    scratch.memory = memory_.take(attention_scratch_bytes(bench.launch(), kShape.head_dim));
    // The kernel before is rope_write_kv in a model, here another call of attention().
    scratch.context_ready = true;
  }

  Activation part(std::int64_t first_column, std::int64_t columns) const {
    return {static_cast<std::uint16_t*>(qkv.data) + first_column, qkv.rows, columns, qkv.dtype,
            qkv.row_stride()};
  }
  Activation q() const { return part(0, kQueryColumns); }
  Activation k() const { return part(kQueryColumns, kKvColumns); }
  Activation v() const { return part(kQueryColumns + kKvColumns, kKvColumns); }
  RopeAngles angles() {
    std::vector<float> frequencies;
    for (int i = 0; i < kShape.head_dim / 2; ++i) {
      frequencies.push_back(std::pow(500000.0F, -static_cast<float>(i) / 64.0F));
    }
    return {upload(frequencies), kShape.head_dim / 2, 1.0F, false};
  }

  DeviceBatch batch;
  std::vector<KvLayer> layers;
  Activation qkv, out;
  AttentionScratch scratch;

 private:
  template <typename T>
  T* upload(const std::vector<T>& values) {
    return memory_.upload(std::span<const T>(values));
  }
  static void take_in_turn(std::vector<std::int32_t>& tables, std::int32_t blocks_each) {
    const auto sequences = static_cast<std::int32_t>(tables.size()) / blocks_each;
    const std::int32_t first = std::min(8, blocks_each);
    for (std::int32_t s = 0; s < sequences; ++s) {
      for (std::int32_t i = 0; i < blocks_each; ++i) {
        tables[static_cast<std::size_t>(s * blocks_each + i)] =
            i < first ? s * first + i : i * sequences + s;
      }
    }
  }
  // Writes every sequence's tokens, the same ones for each.
  void fill_fp8(const Bench& bench, const Step& step, std::int32_t blocks_each) {
    const std::int32_t tokens = step.tokens();
    const DType type = bench.options().type;
    const Activation keys = memory_.activation(tokens, kKvColumns, type);
    const Activation values = memory_.activation(tokens, kKvColumns, type);
    std::vector<std::int32_t> positions(static_cast<std::size_t>(tokens));
    std::iota(positions.begin(), positions.end(), 0);
    std::vector<RaggedBatch::Sequence> wholes;
    for (std::int32_t s = 0; s < step.sequences; ++s) {
      wholes.push_back({0, tokens, 0, s * blocks_each, blocks_each});
    }
    DeviceBatch whole = batch;
    whole.positions = upload(positions);
    whole.row_sequence = upload(std::vector<std::int32_t>(positions.size(), 0));
    const RaggedBatch::Sequence* all = upload(wholes);
    whole.rows = tokens;
    whole.sequence_count = 1;
    for (const KvLayer& layer : layers) {
      for (std::int32_t s = 0; s < step.sequences; ++s) {
        whole.sequences = all + s;
        write_kv(bench.launch(), keys, values, layer, whole);
      }
    }
  }

  CardMemory memory_;
};

// Every query with every key that it sees, twice: scores and sums.
double operations(const Step& step) {
  const double seen = step.context + (step.rows + 1) / 2.0;
  return 2.0 * 2.0 * static_cast<double>(step.all_rows()) * seen *
         static_cast<double>(kQueryColumns);
}

void attend(Bench& bench, const std::string& name, const Step& step) {
  if (!bench.wants("attention", name)) return;
  StepOnCard on_card(bench, step);
  Case c{.group = "attention",
         .name = name,
         .shape = fmt::format("{} x {} of {} tokens", step.sequences, step.rows, step.tokens()),
         .work = {}};
  c.work.read_bytes = 2.0 * step.sequences * step.tokens() * step.kv_bytes() +
                      kElementBytes * static_cast<double>(step.all_rows() * kQueryColumns);
  c.work.written_bytes = kElementBytes * static_cast<double>(step.all_rows() * kQueryColumns);
  c.work.operations = operations(step);
  bench.measure(c, on_card.layers.size(), [&](const Launch& launch, std::size_t turn) {
    attention(launch, on_card.out, on_card.q(), on_card.layers[turn], on_card.batch, kShape,
              on_card.scratch);
  });
}

void turn_and_store(Bench& bench, const std::string& name, const Step& step) {
  if (!bench.wants("rope_write_kv", name)) return;
  StepOnCard on_card(bench, step);
  const RopeAngles angles = on_card.angles();
  Case c{.group = "rope_write_kv",
         .name = name,
         .shape = fmt::format("{} rows", step.all_rows()),
         .work = {}};
  const auto rows = static_cast<double>(step.all_rows());
  c.work.read_bytes = kElementBytes * rows * static_cast<double>(kQueryColumns + 2 * kKvColumns);
  // q and k back to where they were, k and v to the cache.
  c.work.written_bytes = rows * (kElementBytes * static_cast<double>(kQueryColumns + kKvColumns) +
                                 2.0 * step.kv_bytes());
  bench.measure(c, on_card.layers.size(), [&](const Launch& launch, std::size_t turn) {
    rope_write_kv(launch, on_card.q(), on_card.k(), on_card.v(), angles, on_card.layers[turn],
                  on_card.batch);
  });
}

}  // namespace

void attention_benchmarks(Bench& bench) {
  const bool quick = bench.options().quick;
  for (const bool fp8 : {false, true}) {
    const std::string_view mark = fp8 ? "fp8-" : "";
    for (const std::int32_t sequences : {1, 8, 64, 256}) {
      for (const std::int32_t tokens : {256, 1024, 4096}) {
        const bool target = sequences == 64 && tokens == 4096;
        if (quick && !target && (tokens != 1024 || sequences == 256)) continue;
        attend(bench, fmt::format("decode-{}{}x{}", mark, sequences, tokens),
               {sequences, tokens - 1, 1, fp8});
      }
    }
    for (const Step& step :
         {Step{1, 0, 8192, fp8}, Step{128, 0, 128, fp8}, Step{8, 0, 1024, fp8}}) {
      if (quick && step.sequences != 128) continue;
      attend(bench, fmt::format("prefill-{}{}x{}", mark, step.sequences, step.rows), step);
    }
    if (!quick) attend(bench, fmt::format("verify-{}64x4096", mark), {64, 4092, 4, fp8});
    // As many layers as a large model's share of the cache allows: addresses are cold, too.
    for (const auto& [order, how] : {std::pair{Order::kRandom, "random"},
                                     {Order::kTaken, "taken"},
                                     {Order::kTogether, "together"}}) {
      if (quick) break;
      for (const auto& [sequences, tokens] : {std::pair{1024, 240}, {500, 1152}}) {
        for (const std::size_t layers : {2, 24}) {
          attend(bench, fmt::format("step-{}{}x{}-{}-{}", mark, sequences, tokens, layers, how),
                 {sequences, tokens - 1, 1, fp8, layers, order});
        }
      }
    }
    for (const std::int32_t rows : {1, 64, 256, 384, 512, 768, 1024, 2048, 8192}) {
      if (quick && rows > 64) continue;
      const Step step = rows == 8192 ? Step{8, 0, 1024, fp8} : Step{rows, 255, 1, fp8};
      turn_and_store(bench, fmt::format("{}{}", mark, rows), step);
    }
  }
}

}  // namespace hangar::cuda::bench
