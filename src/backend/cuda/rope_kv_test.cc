// Rotary embedding, and what it and write_kv bring into the cache.
#include <limits>

#include "backend/cuda/attention_test_support.h"
#include "backend/cuda/kv_cache.h"
#include "backend/ref/ops.h"
#include "tensor/float8.h"

namespace hangar::cuda {
namespace {

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

// Every byte of what the card keeps is what the reference's rounding makes of it.
TEST_P(RopeTest, Fp8CodesAndScalesAreTheReferences) {
  for (const auto& [heads, block_tokens] : {std::pair{Heads{3, 3, 128}, 16},
                                            {Heads{2, 2, 64}, 32},
                                            {Heads{2, 2, 96}, 16},
                                            {Heads{1, 1, 256}, 16},
                                            {Heads{2, 2, 1024}, 16},
                                            {Heads{2, 2, 80}, 3},
                                            {Heads{1, 1, 7}, 5}}) {
    SCOPED_TRACE(fmt::format("{} heads of {}", heads.heads, heads.head_dim));
    AttentionCase c = make_case(heads, block_tokens, {{40, 1}, {0, 9}});
    c.type = KvType::kFp8;
    const auto dim = static_cast<std::size_t>(heads.head_dim);
    for (std::size_t i = 0; i < c.k.size(); ++i) {
      const std::size_t row = i / dim;
      // Zeros; tiny ones; one large one among others; all of one size.
      if (row % 5 == 1) c.k[i] = 0.0F;
      if (row % 5 == 2) c.k[i] = rounded(c.k[i] * 0x1p-13F);
      if (row % 5 == 3 && i % dim == row % dim) c.v[i] = rounded(50000.0F);
      if (row % 5 == 4) c.v[i] = i % 2 == 0 ? -0.75F : 0.75F;
    }
    const float broken[] = {std::numeric_limits<float>::infinity(), std::nanf("")};
    c.v[0] = broken[0];
    c.k[dim] = broken[1];
    const auto cache = fill_cache(*cuda_, c);
    const auto& own = static_cast<const CudaKvCache&>(*cache);
    const KvLayer layer = own.layer(kLayer);
    std::vector<std::byte> bytes(static_cast<std::size_t>(layer.block_stride() * c.blocks));
    HANGAR_CUDA(cudaDeviceSynchronize());
    HANGAR_CUDA(cudaMemcpy(bytes.data(), layer.keys, bytes.size(), cudaMemcpyDeviceToHost));
    const RaggedBatch all = whole(c.batch);
    for (const RaggedBatch::Sequence& sequence : all.sequences) {
      for (std::int32_t p = 0; p < sequence.rows; ++p) {
        const std::int64_t block =
            all.block_tables[static_cast<std::size_t>(sequence.first_block + p / block_tokens)];
        for (std::int32_t head = 0; head < heads.kv_heads; ++head) {
          for (const bool values : {false, true}) {
            const std::int64_t at = block * layer.block_stride() + head * layer.head_stride() +
                                    (values ? fp8_slab_bytes(heads.head_dim) : 0);
            const auto first = static_cast<std::size_t>((sequence.first_row + p) * c.kv_columns() +
                                                        head * heads.head_dim);
            std::vector<float> want(dim);
            ref::round_kv(KvType::kFp8, std::span(values ? c.v : c.k).subspan(first, dim),
                          want.data());
            const std::byte* from = bytes.data() + at;
            float scale = 0.0F;
            std::memcpy(&scale, from + fp8_scale(heads.head_dim, p % block_tokens), sizeof(scale));
            for (std::int32_t d = 0; d < heads.head_dim; ++d) {
              const auto code =
                  static_cast<std::uint8_t>(from[fp8_element(heads.head_dim, p % block_tokens, d)]);
              const float got = scale * float8_e4m3_to_float(code);
              const float wanted = want[static_cast<std::size_t>(d)];
              if (std::isnan(wanted)) {
                ASSERT_TRUE(std::isnan(got));
              } else {
                ASSERT_EQ(got, wanted) << "token " << p << " head " << head << " element " << d;
              }
            }
          }
        }
      }
    }
  }
}

// As turned, before keys are rounded to 16 bits; a key in float's last bits may be a code apart.
TEST_P(RopeTest, Fp8KeysAreTurnedBeforeTheyAreRounded) {
  for (const auto& [heads, block_tokens] : {std::pair{Heads{8, 2, 128}, 16},
                                            {Heads{4, 2, 96}, 32},
                                            {Heads{3, 1, 64}, 16},
                                            {Heads{2, 1, 10}, 7}}) {
    for (const bool interleaved : {false, true}) {
      SCOPED_TRACE(fmt::format("{} heads of {}, {}", heads.heads, heads.head_dim, interleaved));
      const RopeTable table =
          make_table(interleaved ? heads.head_dim / 2 : (heads.head_dim + 3) / 4, interleaved);
      AttentionCase c = make_case(heads, block_tokens, {{0, 20}, {37, 1}, {300, 3}});
      c.type = KvType::kFp8;
      const std::int64_t rows = c.batch.rows();
      const std::vector<float> k = random_floats(rows * c.kv_columns());
      const std::vector<float> v = random_floats(rows * c.kv_columns());
      std::vector<float> results[2];
      for (Backend* backend : {cuda_.get(), ref_.get()}) {
        const auto cache = fill_cache(*backend, c);
        const Activation q = make(*backend, rows, c.q_columns(), c.q);
        backend->rope_write_kv(q, make(*backend, rows, c.kv_columns(), k),
                               make(*backend, rows, c.kv_columns(), v), table, *cache, kLayer,
                               c.batch);
        // Queries that were not turned: what is compared are keys and values.
        results[backend == ref_.get() ? 1 : 0] = attend(*backend, *cache, c);
      }
      double wrong = 0.0;
      double all = 0.0;
      for (std::size_t i = 0; i < results[1].size(); ++i) {
        const double difference =
            static_cast<double>(results[0][i]) - static_cast<double>(results[1][i]);
        wrong += difference * difference;
        all += static_cast<double>(results[1][i]) * static_cast<double>(results[1][i]);
      }
      EXPECT_LT(std::sqrt(wrong), 2.0 * static_cast<double>(epsilon()) * std::sqrt(all));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, RopeTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
