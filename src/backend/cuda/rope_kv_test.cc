// Rotary embedding, and what it and write_kv bring into the cache.
#include <set>

#include "backend/cuda/attention_test_support.h"
#include "backend/cuda/kv_cache.h"

namespace hangar::cuda {
namespace {

TEST(CudaKvCacheTest, SizesAreCountedWithTheSpareBlock) {
  const KvShape shape{.layers = 2,
                      .blocks = 3,
                      .block_tokens = 16,
                      .kv_heads = 3,
                      .head_dim = 64,
                      .type = KvType::kBF16};
  EXPECT_EQ(kv_block_bytes(shape), 2U * 2 * 16 * 3 * 64 * 2);
  EXPECT_EQ(kv_cache_bytes(shape), 4 * kv_block_bytes(shape));
  std::vector<std::byte> memory(kv_cache_bytes(shape));
  const CudaKvCache cache(shape, memory.data());
  EXPECT_EQ(cache.memory_bytes, memory.size());
  EXPECT_EQ(cache.spare_block(), 3);
  const std::ptrdiff_t tensor = 4 * 16 * 3 * 64 * 2;
  EXPECT_EQ(cache.layer(0).keys, memory.data());
  EXPECT_EQ(cache.layer(0).values, memory.data() + tensor);
  EXPECT_EQ(cache.layer(1).keys, memory.data() + 2 * tensor);
  EXPECT_EQ(cache.layer(1).values, memory.data() + 3 * tensor);
  EXPECT_EQ(cache.layer(1).block_stride(), 16 * 3 * 64);
}

TEST(CudaKvCacheTest, TypesThatAreNotKeptAreRefused) {
  EXPECT_TRUE(check_kv_type(KvType::kBF16).has_value());
  EXPECT_TRUE(check_kv_type(KvType::kF16).has_value());
  for (const KvType type : {KvType::kF32, KvType::kInt8}) {
    const Status refused = check_kv_type(type);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(refused.error().message.find(kv_type_name(type)), std::string::npos);
  }
}

// Within a block each element has a place of its own; 8 tokens' same chunk are in 8 banks.
TEST(CudaKvCacheTest, ChunksArePermutedOverTheBanks) {
  for (const std::int32_t dim : {2, 6, 8, 16, 24, 32, 64, 80, 96, 100, 128, 160, 256}) {
    std::set<std::int64_t> places;
    for (std::int32_t slot = 0; slot < 16; ++slot) {
      for (std::int32_t d = 0; d < dim; ++d) places.insert(kv_element(dim, slot, d));
    }
    EXPECT_EQ(std::ssize(places), 16 * dim) << dim;
    EXPECT_EQ(*places.begin(), 0) << dim;
    EXPECT_EQ(*places.rbegin(), 16 * dim - 1) << dim;
    if (dim % 32 != 0) continue;
    for (std::int32_t chunk = 0; chunk < dim / 8; ++chunk) {
      for (const std::int32_t first : {0, 8}) {
        std::set<std::int64_t> banks;
        for (std::int32_t slot = first; slot < first + 8; ++slot) {
          banks.insert(kv_element(dim, slot, chunk * 8) / 8 % 8);
        }
        EXPECT_EQ(banks.size(), 8U) << dim << " chunk " << chunk;
      }
    }
  }
}

TEST(CudaKvCacheTest, CopiesThatDependOnOthersWaitForThem) {
  using Ends = std::vector<std::int32_t>;
  const auto waves = [](std::vector<BlockCopy> copies) { return copy_waves(copies); };
  EXPECT_EQ(waves({}), Ends{});
  EXPECT_EQ(waves({{0, 1}}), Ends{1});
  EXPECT_EQ(waves({{0, 1}, {0, 2}, {3, 4}}), Ends{3});  // one source, several copies
  EXPECT_EQ(waves({{0, 1}, {1, 2}}), (Ends{1, 2}));     // reads what was written
  EXPECT_EQ(waves({{0, 1}, {2, 0}}), (Ends{1, 2}));     // writes what was read
  EXPECT_EQ(waves({{0, 1}, {2, 1}}), (Ends{1, 2}));     // writes what was written
  EXPECT_EQ(waves({{0, 1}, {1, 2}, {3, 4}, {2, 5}}), (Ends{1, 3, 4}));
}

class RopeTest : public CudaAttentionTest {
 protected:
  RopeTable make_table(std::int32_t pairs, bool interleaved, float magnitude = 1.0F) {
    RopeTable table;
    for (std::int32_t i = 0; i < pairs; ++i) {
      table.inverse_frequency.push_back(
          std::pow(10000.0F, -static_cast<float>(i) / static_cast<float>(pairs)));
    }
    table.magnitude = magnitude;
    table.interleaved = interleaved;
    return table;
  }
  // What the cache holds of an element, on the card.
  static std::uint16_t cached(const CudaKvCache& cache, const KvLayer& layer, const void* tensor,
                              std::int64_t block, std::int32_t head, std::int32_t slot,
                              std::int32_t d) {
    const std::int64_t at = block * layer.block_stride() + head * layer.head_stride() +
                            kv_element(layer.head_dim, slot, d);
    std::uint16_t bits = 0;
    EXPECT_LT(block, cache.shape.blocks + 1);
    HANGAR_CUDA(cudaMemcpy(&bits, static_cast<const std::uint16_t*>(tensor) + at, sizeof(bits),
                           cudaMemcpyDeviceToHost));
    return bits;
  }
};

TEST_P(RopeTest, EqualsTheReferenceAtAllPositions) {
  struct Case {
    std::int64_t rows;
    std::int32_t heads, head_dim, pairs;
  };
  for (const Case& c : {Case{1, 40, 128, 64}, Case{700, 3, 64, 32}, Case{5, 2, 96, 48},
                        Case{9, 2, 80, 16}, Case{3, 1, 256, 32}, Case{4, 5, 8, 4}, Case{7, 3, 6, 2},
                        Case{2, 9, 34, 17}, Case{300, 2, 5, 1}}) {
    for (const bool interleaved : {false, true}) {
      SCOPED_TRACE(fmt::format("{} rows, {} heads of {}, {} pairs, {}", c.rows, c.heads, c.head_dim,
                               c.pairs, interleaved));
      const RopeTable table = make_table(c.pairs, interleaved, interleaved ? 1.0F : 1.25F);
      std::vector<std::int32_t> positions;
      for (std::int64_t i = 0; i < c.rows; ++i) {
        positions.push_back(static_cast<std::int32_t>(random_int(0, i % 2 == 0 ? 1000000 : 5000)));
      }
      positions[0] = 1000000;
      const std::vector<float> x = random_floats(c.rows * c.heads * c.head_dim);
      std::vector<float> results[2];
      for (Backend* backend : {cuda_.get(), ref_.get()}) {
        const Activation rows = make(*backend, c.rows, c.heads * c.head_dim, x);
        backend->rope(rows, c.head_dim, positions, table);
        results[backend == ref_.get() ? 1 : 0] = values_of(*backend, rows);
      }
      expect_near(results[0], results[1], 3e-6F, 1.01F * epsilon());
    }
  }
}

TEST_P(RopeTest, TurnsAndStoresAsItsPartsDo) {
  for (const auto& [heads, block_tokens] : {std::pair{Heads{8, 2, 128}, 16},
                                            {Heads{3, 1, 64}, 32},
                                            {Heads{4, 2, 96}, 16},
                                            {Heads{4, 2, 8}, 5},
                                            {Heads{2, 1, 6}, 7},
                                            {Heads{2, 2, 80}, 16}}) {
    for (const bool interleaved : {false, true}) {
      SCOPED_TRACE(fmt::format("{}/{} heads of {}, {}", heads.heads, heads.kv_heads, heads.head_dim,
                               interleaved));
      // All of a head is turned, or half of it.
      const RopeTable table =
          make_table(interleaved ? heads.head_dim / 2 : (heads.head_dim + 3) / 4, interleaved);
      const AttentionCase c = make_case(heads, block_tokens, {{0, 20}, {37, 1}, {300, 3}});
      const std::int64_t rows = c.batch.rows();
      const std::vector<float> k = random_floats(rows * c.kv_columns());
      const std::vector<float> v = random_floats(rows * c.kv_columns());
      const Activation ref_q = make(*ref_, rows, c.q_columns(), c.q);
      const Activation ref_k = make(*ref_, rows, c.kv_columns(), k);
      const auto ref_cache = fill_cache(*ref_, c);
      ref_->rope_write_kv(ref_q, ref_k, make(*ref_, rows, c.kv_columns(), v), table, *ref_cache,
                          kLayer, c.batch);
      const std::vector<float> turned_k = values_of(*ref_, ref_k);

      // q, k and v as columns of one matrix, and each by itself.
      for (const bool together : {true, false}) {
        const std::vector<std::int64_t> columns = {c.q_columns(), c.kv_columns(), c.kv_columns()};
        std::vector<Activation> parts;
        if (together) {
          parts = cuda_->allocate_together(rows, columns).value();
        } else {
          for (const std::int64_t n : columns) parts.push_back(cuda_->allocate(rows, n).value());
        }
        cuda_->write(parts[0], c.q);
        cuda_->write(parts[1], k);
        cuda_->write(parts[2], v);
        const auto cache = fill_cache(*cuda_, c);
        cuda_->rope_write_kv(parts[0], parts[1], parts[2], table, *cache, kLayer, c.batch);
        expect_near(values_of(*cuda_, parts[0]), values_of(*ref_, ref_q), 3e-6F, 1.01F * epsilon());
        expect_near(values_of(*cuda_, parts[1]), turned_k, 3e-6F, 1.01F * epsilon());
        EXPECT_EQ(values_of(*cuda_, parts[2]), v);

        const auto& own = static_cast<const CudaKvCache&>(*cache);
        const KvLayer layer = own.layer(kLayer);
        const auto to_float = [&](std::uint16_t bits) {
          return work_type() == DType::kBF16 ? bfloat16_to_float(bits) : half_to_float(bits);
        };
        for (const RaggedBatch::Sequence& sequence : c.batch.sequences) {
          for (const std::int32_t i : {0, sequence.rows - 1}) {
            const std::int32_t p = sequence.context_tokens + i;
            const std::int64_t block = c.batch.block_tables[static_cast<std::size_t>(
                sequence.first_block + p / block_tokens)];
            for (std::int32_t head = 0; head < heads.kv_heads; ++head) {
              for (std::int32_t d = 0; d < heads.head_dim; d += d % 8 == 7 ? 9 : 1) {
                const auto at = static_cast<std::size_t>((sequence.first_row + i) * c.kv_columns() +
                                                         head * heads.head_dim + d);
                const float key =
                    to_float(cached(own, layer, layer.keys, block, head, p % block_tokens, d));
                ASSERT_NEAR(key, turned_k[at], 3e-6F + 1.01F * epsilon() * std::abs(turned_k[at]));
                ASSERT_EQ(
                    to_float(cached(own, layer, layer.values, block, head, p % block_tokens, d)),
                    v[at]);
              }
            }
          }
        }
      }
    }
  }
}

TEST_P(RopeTest, WriteKvRoundsAsTheTypeSays) {
  for (const KvType type : {KvType::kBF16, KvType::kF16}) {
    for (const std::int32_t dim : {64, 34}) {
      // A single visible token: the result is its value.
      AttentionCase c = make_case({1, 1, dim}, 16, {{0, 1}});
      c.type = type;
      c.v[3] = 0.0F;
      c.v[4] = rounded(1e-7F);
      const std::vector<float> want = attend(*ref_, c);
      expect_near(attend(*cuda_, c), want, 0.0F, 1.01F * epsilon());
      EXPECT_EQ(want[3], 0.0F);
    }
  }
}

TEST_P(RopeTest, CopiedBlocksHoldTheSameInAllLayersInOrder) {
  for (const std::int32_t dim : {12, 64}) {
    const std::int32_t block_tokens = dim == 12 ? 5 : 16;
    const std::int32_t rows = 2 * block_tokens;
    const KvShape shape{3, 8, block_tokens, 2, dim, kv_type()};
    const auto cache = cuda_->make_kv_cache(shape).value();
    RaggedBatch batch;
    batch.block_tokens = block_tokens;
    batch.token_ids.resize(static_cast<std::size_t>(rows));
    batch.positions.resize(batch.token_ids.size());
    std::iota(batch.positions.begin(), batch.positions.end(), 0);
    batch.sequences = {{.rows = rows, .blocks = 2}};
    const AttentionShape heads{.heads = 2, .kv_heads = 2, .head_dim = dim, .scale = 0.3F};
    const Activation q = make(*cuda_, rows, 2 * dim, random_floats(rows * 2 * dim));
    const auto attend_layer = [&](std::vector<std::int32_t> table, std::int32_t layer) {
      batch.block_tables = std::move(table);
      const Activation out = make_empty(*cuda_, rows, 2 * dim);
      cuda_->attention(out, q, *cache, layer, batch, heads);
      return values_of(*cuda_, out);
    };
    const auto fill = [&](std::vector<std::int32_t> table, std::int32_t layer) {
      batch.block_tables = std::move(table);
      cuda_->write_kv(*cache, layer, make(*cuda_, rows, 2 * dim, random_floats(rows * 2 * dim)),
                      make(*cuda_, rows, 2 * dim, random_floats(rows * 2 * dim)), batch);
    };
    std::vector<std::vector<float>> before;
    for (std::int32_t layer = 0; layer < 3; ++layer) {
      fill({4, 1}, layer);
      before.push_back(attend_layer({4, 1}, layer));
    }
    // 4 goes to 0 and from there to 6, then 1 takes 0's place; 1 to 3 and 5.
    cuda_->copy_kv_blocks(*cache,
                          std::vector<BlockCopy>{{4, 0}, {1, 5}, {0, 6}, {1, 3}, {1, 0}, {6, 7}});
    cuda_->copy_kv_blocks(*cache, {});
    for (const std::vector<std::int32_t>& table :
         {std::vector<std::int32_t>{4, 1}, {6, 5}, {7, 3}, {6, 0}}) {
      for (std::int32_t layer = 0; layer < 3; ++layer) {
        expect_same_bits(attend_layer(table, layer), before[static_cast<std::size_t>(layer)]);
      }
    }
    // What a copy has is its own.
    fill({0, 5}, 1);
    expect_same_bits(attend_layer({4, 1}, 1), before[1]);
    expect_same_bits(attend_layer({6, 3}, 1), before[1]);
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, RopeTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
