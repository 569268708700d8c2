#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "backend/cpu/ops_test_support.h"

namespace hangar::cpu {
namespace {

struct Heads {
  std::int32_t heads;
  std::int32_t kv_heads;
  std::int32_t head_dim;
};
// What a model may ask of attention beyond the plain softmax.
struct Extras {
  float softcap = 0.0F;
  std::int32_t window = 0;
};
struct SequencePlan {
  std::int32_t context;
  std::int32_t rows;
};

class CpuAttentionTest : public CpuOpsTest {
 protected:
  static constexpr std::int32_t kLayer = 1;  // of 2

  // A batch of these sequences whose block tables are a random choice of the cache's blocks.
  RaggedBatch make_batch(const std::vector<SequencePlan>& plans, std::int32_t block_tokens,
                         std::int32_t cache_blocks) {
    RaggedBatch batch;
    batch.block_tokens = block_tokens;
    std::vector<std::int32_t> free(static_cast<std::size_t>(cache_blocks));
    std::iota(free.begin(), free.end(), 0);
    std::ranges::shuffle(free, random_);
    for (const SequencePlan& plan : plans) {
      const std::int32_t blocks = (plan.context + plan.rows + block_tokens - 1) / block_tokens;
      batch.sequences.push_back(
          {.first_row = batch.rows(),
           .rows = plan.rows,
           .context_tokens = plan.context,
           .first_block = static_cast<std::int32_t>(batch.block_tables.size()),
           .blocks = blocks});
      batch.block_tables.insert(batch.block_tables.end(), free.end() - blocks, free.end());
      free.resize(free.size() - static_cast<std::size_t>(blocks));
      batch.token_ids.resize(batch.token_ids.size() + static_cast<std::size_t>(plan.rows));
      for (std::int32_t i = 0; i < plan.rows; ++i) batch.positions.push_back(plan.context + i);
    }
    return batch;
  }
  // The same sequences with all their tokens as rows: writes what `batch` calls context too.
  static RaggedBatch whole(RaggedBatch batch) {
    std::int32_t rows = 0;
    for (RaggedBatch::Sequence& sequence : batch.sequences) {
      sequence.rows += sequence.context_tokens;
      sequence.context_tokens = 0;
      sequence.first_row = rows;
      rows += sequence.rows;
    }
    batch.token_ids.resize(static_cast<std::size_t>(rows));
    return batch;
  }
  std::vector<float> random_halves(std::int64_t n) {
    std::vector<float> values = random_floats(n);
    for (float& value : values) value = half_to_float(float_to_half(value));
    return values;
  }

  struct Case {
    Heads heads;
    std::int32_t block_tokens;
    RaggedBatch batch;
    std::vector<float> k, v;  // of whole(batch)
    std::vector<float> q;     // of batch
    KvType type = KvType::kF16;
  };
  Case make_case(Heads heads, std::int32_t block_tokens, const std::vector<SequencePlan>& plans) {
    Case c{.heads = heads, .block_tokens = block_tokens, .batch = {}, .k = {}, .v = {}, .q = {}};
    std::int32_t tokens = 0;
    for (const SequencePlan& plan : plans) tokens += plan.context + plan.rows;
    c.batch = make_batch(plans, block_tokens, blocks_for(c, tokens, plans.size()));
    const std::int64_t width = std::int64_t{heads.kv_heads} * heads.head_dim;
    c.k = random_halves(tokens * width);
    c.v = random_halves(tokens * width);
    c.q = random_floats(std::int64_t{c.batch.rows()} * heads.heads * heads.head_dim, 2.0F);
    return c;
  }
  static std::int32_t blocks_for(const Case& c, std::int32_t tokens, std::size_t sequences) {
    return tokens / c.block_tokens + static_cast<std::int32_t>(sequences) + 3;
  }

  // A cache that holds the case's keys and values, and NaN wherever none of them is.
  static KvCachePtr fill_cache(Backend& backend, const Case& c) {
    return fill_cache(backend, c, c.type);
  }
  static KvCachePtr fill_cache(Backend& backend, const Case& c, KvType type) {
    const std::int64_t width = std::int64_t{c.heads.kv_heads} * c.heads.head_dim;
    const RaggedBatch all = whole(c.batch);
    const std::int32_t blocks = blocks_for(c, all.rows(), all.sequences.size());
    auto cache =
        backend.make_kv_cache({2, blocks, c.block_tokens, c.heads.kv_heads, c.heads.head_dim, type})
            .value();
    RaggedBatch everything;
    everything.block_tokens = c.block_tokens;
    everything.block_tables.resize(static_cast<std::size_t>(blocks));
    std::iota(everything.block_tables.begin(), everything.block_tables.end(), 0);
    everything.sequences = {{.rows = blocks * c.block_tokens, .blocks = blocks}};
    const Activation poison = make_empty(backend, everything.sequences[0].rows, width);
    for (std::int32_t layer : {0, 1}) backend.write_kv(*cache, layer, poison, poison, everything);
    backend.write_kv(*cache, kLayer, make(backend, all.rows(), width, c.k),
                     make(backend, all.rows(), width, c.v), all);
    return cache;
  }
  static std::vector<float> attend(Backend& backend, const KvCache& cache, const Case& c,
                                   const RaggedBatch& batch, const std::vector<float>& q,
                                   Extras extras = {}) {
    const std::int64_t columns = std::int64_t{c.heads.heads} * c.heads.head_dim;
    const std::int64_t rows = std::ssize(q) / columns;
    const Activation out = make_empty(backend, rows, columns);
    const AttentionShape shape{.heads = c.heads.heads,
                               .kv_heads = c.heads.kv_heads,
                               .head_dim = c.heads.head_dim,
                               .scale = 1.0F / std::sqrt(static_cast<float>(c.heads.head_dim)),
                               .softcap = extras.softcap,
                               .window = extras.window};
    backend.attention(out, make(backend, rows, columns, q), cache, kLayer, batch, shape);
    return values_of(backend, out);
  }
  static std::vector<float> attend(Backend& backend, const Case& c, Extras extras = {}) {
    return attend(backend, *fill_cache(backend, c), c, c.batch, c.q, extras);
  }
};

// Prefill, chunked prefill and decode, short and long, mixed.
const std::vector<SequencePlan> kMixed = {{0, 1}, {0, 30}, {37, 1}, {5, 11}, {300, 3}, {127, 2}};

TEST_P(CpuAttentionTest, EqualsTheReferenceOnMixedBatches) {
  for (const auto& [heads, block_tokens] : {std::pair{Heads{9, 3, 64}, 16},
                                            {Heads{2, 2, 8}, 5},
                                            {Heads{4, 1, 80}, 1},
                                            {Heads{2, 1, 128}, 48},
                                            {Heads{30, 1, 6}, 7},
                                            {Heads{1, 1, 2}, 200}}) {
    SCOPED_TRACE(fmt::format("{}/{} heads of {}, blocks of {}", heads.heads, heads.kv_heads,
                             heads.head_dim, block_tokens));
    const Case c = make_case(heads, block_tokens, kMixed);
    expect_near(attend(*cpu_, c), attend(*ref_, c), 1e-5F, 1e-5F);
  }
}

TEST_P(CpuAttentionTest, OneLongContextIsSharedOut) {
  for (const std::int32_t rows : {1, 5}) {
    const Case c = make_case({3, 1, 16}, 16, {{900, rows}});
    const std::vector<float> got = attend(*cpu_, c);
    expect_near(got, attend(*ref_, c), 1e-5F, 1e-5F);
    expect_same_bits(got, attend(*make_backend("cpu", 1).value(), c));
  }
}

TEST_P(CpuAttentionTest, ARowDoesNotDependOnItsCompany) {
  const Case c = make_case({6, 2, 20}, 16, {{0, 40}, {120, 150}});
  const auto cache = fill_cache(*cpu_, c);
  const std::size_t width = 6 * 20;
  for (const Extras extras : {Extras{}, Extras{0.0F, 19}, Extras{4.0F, 130}}) {
    const std::vector<float> together = attend(*cpu_, *cache, c, c.batch, c.q, extras);
    for (const RaggedBatch::Sequence& sequence : c.batch.sequences) {
      for (std::int32_t i = 0; i < sequence.rows; i += 7) {
        RaggedBatch one = c.batch;
        one.token_ids.resize(1);
        one.sequences = {sequence};
        one.sequences[0].first_row = 0;
        one.sequences[0].rows = 1;
        one.sequences[0].context_tokens = sequence.context_tokens + i;
        const auto at = static_cast<std::size_t>(sequence.first_row + i) * width;
        const std::vector<float> q(c.q.begin() + static_cast<std::ptrdiff_t>(at),
                                   c.q.begin() + static_cast<std::ptrdiff_t>(at + width));
        expect_same_bits(attend(*cpu_, *cache, c, one, q, extras),
                         std::span(together).subspan(at, width));
      }
    }
  }
}

TEST_P(CpuAttentionTest, WindowsAndSoftcapsEqualTheReference) {
  // At, below and above the borders of blocks (16) and chunks (128); 1; longer than any context.
  float softcap = 0.0F;
  for (const std::int32_t window : {1, 2, 15, 16, 17, 33, 127, 128, 129, 144, 1000}) {
    for (const auto& [heads, block_tokens] :
         {std::pair{Heads{6, 2, 16}, 16}, {Heads{2, 2, 10}, 5}, {Heads{30, 1, 6}, 7}}) {
      softcap = 3.0F - softcap;  // every other time
      SCOPED_TRACE(fmt::format("window {}, cap {}, {} heads of {}", window, softcap, heads.heads,
                               heads.head_dim));
      const Case c = make_case(heads, block_tokens, kMixed);
      const Extras extras{softcap, window};
      expect_near(attend(*cpu_, c, extras), attend(*ref_, c, extras), 1e-5F, 1e-5F);
    }
  }
}

TEST_P(CpuAttentionTest, EveryHeadSizeTakesWindowsAndSoftcaps) {
  for (const auto& heads :
       {Heads{9, 3, 64}, Heads{4, 1, 80}, Heads{3, 3, 96}, Heads{5, 1, 128}, Heads{4, 2, 256}}) {
    SCOPED_TRACE(fmt::format("{}/{} heads of {}", heads.heads, heads.kv_heads, heads.head_dim));
    const Case c = make_case(heads, 16, {{0, 14}, {139, 1}, {25, 5}});
    for (const Extras extras : {Extras{}, Extras{50.0F, 0}, Extras{2.0F, 20}}) {
      expect_near(attend(*cpu_, c, extras), attend(*ref_, c, extras), 1e-5F, 1e-5F);
    }
  }
}

TEST_P(CpuAttentionTest, AWindowThatHoldsAllAndAVastSoftcapChangeNothing) {
  const Case c = make_case({6, 2, 20}, 16, kMixed);
  expect_same_bits(attend(*cpu_, c, {0.0F, 303}), attend(*cpu_, c));
  expect_near(attend(*cpu_, c, {1e6F, 0}), attend(*cpu_, c), 1e-5F, 1e-5F);
}

TEST_P(CpuAttentionTest, BlocksBeforeTheWindowAreNotRead) {
  Case c = make_case({3, 1, 16}, 16, {{500, 20}, {200, 1}});
  const auto cache = fill_cache(*cpu_, c);
  const Extras extras{0.0F, 40};
  const std::vector<float> before = attend(*cpu_, *cache, c, c.batch, c.q, extras);
  for (const RaggedBatch::Sequence& sequence : c.batch.sequences) {
    for (std::int32_t block = 0; block < (sequence.context_tokens - 39) / 16; ++block) {
      // An address far outside the cache.
      c.batch.block_tables[static_cast<std::size_t>(sequence.first_block + block)] = 1 << 30;
    }
  }
  expect_same_bits(attend(*cpu_, *cache, c, c.batch, c.q, extras), before);
}

TEST_P(CpuAttentionTest, OneLongContextIsSharedOutWithAWindowToo) {
  for (const std::int32_t rows : {1, 5}) {
    const Case c = make_case({3, 1, 16}, 16, {{900, rows}});
    for (const Extras extras : {Extras{0.0F, 400}, Extras{5.0F, 129}, Extras{5.0F, 3}}) {
      const std::vector<float> got = attend(*cpu_, c, extras);
      expect_near(got, attend(*ref_, c, extras), 1e-5F, 1e-5F);
      expect_same_bits(got, attend(*make_backend("cpu", 1).value(), c, extras));
    }
  }
}

TEST_P(CpuAttentionTest, LargeScoresDoNotOverflow) {
  Case c = make_case({2, 1, 8}, 16, {{200, 2}});
  for (float& q : c.q) q *= 300.0F;
  expect_near(attend(*cpu_, c), attend(*ref_, c), 1e-3F, 1e-3F);
}

constexpr KvType kCpuTypes[] = {KvType::kF16, KvType::kBF16, KvType::kInt8};

TEST_P(CpuAttentionTest, EveryTypeEqualsTheReferencesOfThatType) {
  for (const KvType type : kCpuTypes) {
    for (const auto& [heads, block_tokens] : {std::pair{Heads{3, 1, 64}, 16},
                                              {Heads{2, 2, 8}, 5},
                                              {Heads{10, 1, 6}, 7},
                                              {Heads{2, 1, 100}, 48}}) {
      SCOPED_TRACE(fmt::format("{}: {}/{} heads of {}", kKvTypeNames.of(type), heads.heads,
                               heads.kv_heads, heads.head_dim));
      Case c = make_case(heads, block_tokens, {{0, 1}, {0, 20}, {37, 1}, {127, 3}});
      c.type = type;
      c.k = random_floats(std::ssize(c.k));  // of no type
      c.v = random_floats(std::ssize(c.v), 3.0F);
      for (const Extras extras : {Extras{}, Extras{3.0F, 33}}) {
        expect_near(attend(*cpu_, c, extras), attend(*ref_, c, extras), 3e-5F, 1e-5F);
      }
    }
  }
}

TEST_P(CpuAttentionTest, NoTypesRowDependsOnItsCompany) {
  for (const KvType type : kCpuTypes) {
    Case c = make_case({6, 2, 20}, 16, {{0, 40}, {120, 150}});
    c.type = type;
    const auto cache = fill_cache(*cpu_, c);
    const std::vector<float> together = attend(*cpu_, *cache, c, c.batch, c.q);
    const std::size_t width = 6 * 20;
    for (const std::int32_t i : {0, 7, 39, 77, 149}) {
      const RaggedBatch::Sequence& sequence = c.batch.sequences[i < 40 && i % 2 == 0 ? 0 : 1];
      RaggedBatch one = c.batch;
      one.token_ids.resize(1);
      one.sequences = {sequence};
      one.sequences[0].first_row = 0;
      one.sequences[0].rows = 1;
      one.sequences[0].context_tokens = sequence.context_tokens + i;
      const auto at = static_cast<std::size_t>(sequence.first_row + i) * width;
      const std::vector<float> q(c.q.begin() + static_cast<std::ptrdiff_t>(at),
                                 c.q.begin() + static_cast<std::ptrdiff_t>(at + width));
      expect_same_bits(attend(*cpu_, *cache, c, one, q), std::span(together).subspan(at, width));
    }
    expect_same_bits(attend(*make_backend("cpu", 1).value(), c), together);
  }
}

TEST_P(CpuAttentionTest, WriteKvRoundsAsTheTypeSays) {
  for (const KvType type : kCpuTypes) {
    for (const float size : {10.0F, 1e-3F, 3e4F, 1e-7F}) {
      // A single visible token: the result is its value.
      Case c = make_case({1, 1, 34}, 16, {{0, 1}});
      c.type = type;
      c.v = random_floats(34, size);
      c.v[3] = 0.0F;
      SCOPED_TRACE(fmt::format("{} of about {}", kKvTypeNames.of(type), size));
      expect_same_bits(attend(*cpu_, c), attend(*ref_, c));
    }
  }
}

TEST_P(CpuAttentionTest, RowsOfZerosAndOfTheTiniestNumbersAreKept) {
  for (const KvType type : kCpuTypes) {
    Case c = make_case({1, 1, 18}, 16, {{0, 1}});
    c.type = type;
    for (const float value : {0.0F, 1e-45F, -1e-44F, 2e-38F}) {
      std::ranges::fill(c.v, value);
      expect_same_bits(attend(*cpu_, c), attend(*ref_, c));
    }
  }
}

TEST_P(CpuAttentionTest, CopiedBlocksHoldTheSameInAllLayers) {
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kInt8}) {
    for (Backend* backend : {cpu_.get(), ref_.get()}) {
      if (type == KvType::kF32 && backend == cpu_.get()) continue;
      const KvShape shape{3, 6, 5, 2, 12, type};
      const auto cache = backend->make_kv_cache(shape).value();
      RaggedBatch batch;
      batch.block_tokens = 5;
      batch.block_tables = {4, 1};
      batch.token_ids.resize(10);
      batch.sequences = {{.rows = 10, .blocks = 2}};
      const AttentionShape heads{.heads = 2, .kv_heads = 2, .head_dim = 12, .scale = 0.3F};
      const Activation q = make(*backend, 10, 24, random_floats(240));
      const auto attend_layer = [&](std::int32_t layer) {
        const Activation out = make_empty(*backend, 10, 24);
        backend->attention(out, q, *cache, layer, batch, heads);
        return values_of(*backend, out);
      };
      std::vector<std::vector<float>> before;
      for (std::int32_t layer = 0; layer < 3; ++layer) {
        backend->write_kv(*cache, layer, make(*backend, 10, 24, random_floats(240)),
                          make(*backend, 10, 24, random_floats(240)), batch);
        before.push_back(attend_layer(layer));
      }
      const std::vector<BlockCopy> copies = {{4, 0}, {1, 5}, {1, 3}};
      backend->copy_kv_blocks(*cache, copies);
      backend->copy_kv_blocks(*cache, {});
      for (const std::vector<std::int32_t>& table :
           {std::vector<std::int32_t>{4, 1}, {0, 5}, {4, 3}, {0, 1}}) {
        batch.block_tables = table;
        for (std::int32_t layer = 0; layer < 3; ++layer) {
          expect_same_bits(attend_layer(layer), before[static_cast<std::size_t>(layer)]);
        }
      }
      // What a copy has is its own.
      batch.block_tables = {0, 5};
      backend->write_kv(*cache, 1, make(*backend, 10, 24, random_floats(240)),
                        make(*backend, 10, 24, random_floats(240)), batch);
      batch.block_tables = {4, 1};
      expect_same_bits(attend_layer(1), before[1]);
    }
  }
}

HANGAR_INSTANTIATE_CPU_OPS(CpuAttentionTest);

TEST(CpuKvCacheTest, SizesAreCheckedAndSaid) {
  const auto backend = make_backend("cpu", 1).value();
  const KvShape shape{.layers = 2, .blocks = 3, .block_tokens = 16, .kv_heads = 3, .head_dim = 64};
  EXPECT_EQ(backend->kv_block_bytes(shape), 2U * 16 * 3 * 64 * 2 * 2);
  const auto cache = backend->make_kv_cache(shape).value();
  EXPECT_EQ(cache->memory_bytes, 3 * backend->kv_block_bytes(shape));
  KvShape eight = shape;
  eight.type = KvType::kInt8;  // a scale for each key and each value
  EXPECT_EQ(backend->kv_block_bytes(eight), 2U * 16 * 3 * (64 + 4) * 2);
  eight.block_tokens = 5;  // 16 keys of 64 and 5 values, 2 times 16 scales, in whole 64 bytes
  EXPECT_EQ(backend->kv_block_bytes(eight), 2U * 3 * (16 * 64 + 5 * 64 + 2 * 16 * 4));
  const auto small = backend->make_kv_cache(eight).value();
  EXPECT_EQ(small->memory_bytes, 3 * backend->kv_block_bytes(eight));
  EXPECT_EQ(small->shape.type, KvType::kInt8);
  for (const KvType type : {KvType::kF32, KvType::kFp8}) {
    KvShape other = shape;
    other.type = type;
    const auto refused = backend->make_kv_cache(other);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(refused.error().message.find("int8"), std::string::npos);
    EXPECT_NE(refused.error().message.find(kKvTypeNames.of(type)), std::string::npos);
  }
  EXPECT_EQ(backend->default_kv_type(), KvType::kF16);
  EXPECT_EQ(cache->shape.blocks, 3);
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(backend->make_kv_cache({kMost, kMost, kMost, 1, 64, KvType::kF16}).error().code,
            ErrorCode::kResourceExhausted);
  EXPECT_EQ(backend->make_kv_cache({4096, 1 << 30, 16, 8, 128, KvType::kF16}).error().code,
            ErrorCode::kResourceExhausted);
  EXPECT_EQ(backend->make_kv_cache({1, 1, 0, 1, 64, KvType::kInt8}).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace hangar::cpu
