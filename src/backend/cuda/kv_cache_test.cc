// How the cache lies in the card's memory, and copies of its blocks.
#include "backend/cuda/kv_cache.h"

#include <set>

#include "backend/cuda/attention_test_support.h"

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

TEST(CudaKvCacheTest, Fp8TakesAByteAnElementAndAScaleARow) {
  const KvShape shape{.layers = 2,
                      .blocks = 3,
                      .block_tokens = 32,
                      .kv_heads = 3,
                      .head_dim = 64,
                      .type = KvType::kFp8};
  EXPECT_EQ(kv_block_bytes(shape), 2U * 2 * 32 * 3 * (64 + 4));
  EXPECT_EQ(kv_cache_bytes(shape), 4 * kv_block_bytes(shape));
  std::vector<std::byte> memory(kv_cache_bytes(shape));
  const CudaKvCache cache(shape, memory.data());
  EXPECT_EQ(cache.memory_bytes, memory.size());
  EXPECT_EQ(cache.layer(0).keys, memory.data());
  EXPECT_EQ(cache.layer(0).values, memory.data() + 16 * (64 + 4));
  EXPECT_EQ(cache.layer(1).keys, memory.data() + memory.size() / 2);
  EXPECT_EQ(cache.layer(1).block_stride(), 2 * 32 * 3 * (64 + 4));
  KvShape odd = shape;
  odd.block_tokens = 17;  // as 32
  EXPECT_EQ(kv_block_bytes(odd), kv_block_bytes(shape));
}

TEST(CudaKvCacheTest, TypesThatAreNotKeptAreRefused) {
  EXPECT_TRUE(check_kv_type(KvType::kBF16).has_value());
  EXPECT_TRUE(check_kv_type(KvType::kFp8).has_value());
  EXPECT_TRUE(check_kv_type(KvType::kF16).has_value());
  for (const KvType type : {KvType::kF32, KvType::kInt8}) {
    const Status refused = check_kv_type(type);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(refused.error().message.find(kKvTypeNames.of(type)), std::string::npos);
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

// The same of FP8, with scales: keys and values of two slabs fill a head's block.
TEST(CudaKvCacheTest, Fp8HasAPlaceForEachElementAndScale) {
  for (std::int32_t dim : {2, 6, 8, 16, 24, 32, 64, 80, 96, 100, 128, 160, 256}) {
    const KvLayer layer{.type = KvType::kFp8, .kv_heads = 1, .head_dim = dim, .block_tokens = 32};
    std::set<std::int64_t> bytes;
    for (const std::int64_t tensor : {std::int64_t{0}, fp8_slab_bytes(dim)}) {
      for (std::int32_t slot = 0; slot < 32; ++slot) {
        for (std::int32_t d = 0; d < dim; ++d) bytes.insert(tensor + fp8_element(dim, slot, d));
        const std::int64_t scale = tensor + fp8_scale(dim, slot);
        EXPECT_EQ(scale % 4, 0);
        for (std::int64_t i = 0; i < 4; ++i) bytes.insert(scale + i);
      }
    }
    EXPECT_EQ(std::ssize(bytes), 2 * 32 * (dim + 4)) << dim;
    EXPECT_EQ(std::ssize(bytes), layer.head_stride()) << dim;
    EXPECT_EQ(*bytes.begin(), 0) << dim;
    EXPECT_EQ(*bytes.rbegin(), layer.head_stride() - 1) << dim;
    if (dim % 32 != 0) continue;
    for (std::int32_t chunk = 0; chunk < dim / 16; ++chunk) {
      for (const std::int32_t first : {0, 8, 16, 24}) {
        std::set<std::int64_t> banks;
        for (std::int32_t slot = first; slot < first + 8; ++slot) {
          banks.insert(fp8_element(dim, slot, chunk * 16) / 16 % 8);
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

using KvCopyTest = CudaAttentionTest;

TEST_P(KvCopyTest, CopiedBlocksHoldTheSameInAllLayersInOrder) {
  for (const auto& [dim, type] :
       {std::pair{12, kv_type()}, {64, kv_type()}, {12, KvType::kFp8}, {64, KvType::kFp8}}) {
    const std::int32_t block_tokens = dim == 12 ? 5 : 16;
    const std::int32_t rows = 2 * block_tokens;
    const KvShape shape{3, 8, block_tokens, 2, dim, type};
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

INSTANTIATE_TEST_SUITE_P(WorkTypes, KvCopyTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
