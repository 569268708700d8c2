// What the tests of attention and of the cache share: batches whose blocks are a random choice, and
// the same step on the card and on the reference.
//
// Promise: an AttentionCase's cache holds its keys and values, and NaN wherever none of them is.
// Threads: one.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "backend/cuda/testing.h"

namespace hangar::cuda {

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

// Prefill, chunked prefill and decode, short and long, mixed; rows at the borders of the kernels.
inline const std::vector<SequencePlan> kMixed = {{0, 1},   {0, 30},  {37, 1},  {5, 11},
                                                 {300, 3}, {127, 2}, {0, 150}, {64, 8},
                                                 {63, 9},  {15, 1},  {16, 1},  {200, 70}};

// Heads and the tokens of a block. Groups of 3, 5, 6, 7 and 33 leave packed rows of a tile over.
struct HeadsAndBlocks {
  Heads heads;
  std::int32_t block_tokens;
};
// What the fast kernels take.
inline const std::vector<HeadsAndBlocks> kFastHeads = {
    {{8, 2, 128}, 16},  {{3, 3, 64}, 16}, {{9, 3, 64}, 32},  {{4, 1, 96}, 16},  {{5, 1, 128}, 48},
    {{12, 2, 128}, 16}, {{7, 1, 64}, 64}, {{4, 2, 256}, 16}, {{16, 1, 96}, 32}, {{33, 1, 64}, 16}};
// What they do not.
inline const std::vector<HeadsAndBlocks> kTinyHeads = {
    {{2, 2, 8}, 5},    {{4, 1, 16}, 16}, {{6, 2, 32}, 16}, {{4, 1, 80}, 1},
    {{2, 1, 128}, 24}, {{30, 1, 6}, 7},  {{1, 1, 2}, 200}, {{2, 1, 160}, 16}};

struct AttentionCase {
  Heads heads = {};
  std::int32_t block_tokens = 16;
  std::int32_t blocks = 0;  // of the cache
  RaggedBatch batch;
  std::vector<float> k, v;  // of whole(batch)
  std::vector<float> q;     // of batch
  KvType type = KvType::kBF16;

  std::int64_t q_columns() const { return std::int64_t{heads.heads} * heads.head_dim; }
  std::int64_t kv_columns() const { return std::int64_t{heads.kv_heads} * heads.head_dim; }
  AttentionShape shape(Extras extras) const {
    return {.heads = heads.heads,
            .kv_heads = heads.kv_heads,
            .head_dim = heads.head_dim,
            .scale = 1.0F / std::sqrt(static_cast<float>(heads.head_dim)),
            .softcap = extras.softcap,
            .window = extras.window};
  }
};

class CudaAttentionTest : public CudaOpsTest {
 protected:
  static constexpr std::int32_t kLayer = 1;  // of 2

  KvType kv_type() const { return work_type() == DType::kBF16 ? KvType::kBF16 : KvType::kF16; }

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
    batch.positions.clear();
    for (RaggedBatch::Sequence& sequence : batch.sequences) {
      sequence.rows += sequence.context_tokens;
      sequence.context_tokens = 0;
      sequence.first_row = rows;
      rows += sequence.rows;
      for (std::int32_t i = 0; i < sequence.rows; ++i) batch.positions.push_back(i);
    }
    batch.token_ids.resize(static_cast<std::size_t>(rows));
    return batch;
  }
  // Row i of sequence s of the case's batch by itself: its query and its batch.
  static AttentionCase row_alone(const AttentionCase& c, std::size_t s, std::int32_t i) {
    AttentionCase one;
    one.heads = c.heads;
    one.block_tokens = c.block_tokens;
    one.batch = c.batch;
    const RaggedBatch::Sequence& sequence = c.batch.sequences[s];
    one.batch.token_ids.resize(1);
    one.batch.positions = {sequence.context_tokens + i};
    one.batch.sequences = {sequence};
    one.batch.sequences[0].first_row = 0;
    one.batch.sequences[0].rows = 1;
    one.batch.sequences[0].context_tokens = sequence.context_tokens + i;
    const auto at = static_cast<std::ptrdiff_t>((sequence.first_row + i) * c.q_columns());
    one.q.assign(c.q.begin() + at, c.q.begin() + at + c.q_columns());
    return one;
  }

  AttentionCase make_case(Heads heads, std::int32_t block_tokens,
                          const std::vector<SequencePlan>& plans) {
    AttentionCase c;
    c.heads = heads;
    c.block_tokens = block_tokens;
    c.type = kv_type();
    std::int32_t tokens = 0;
    for (const SequencePlan& plan : plans) tokens += plan.context + plan.rows;
    c.blocks = tokens / block_tokens + static_cast<std::int32_t>(plans.size()) + 3;
    c.batch = make_batch(plans, block_tokens, c.blocks);
    c.k = random_floats(tokens * c.kv_columns());
    c.v = random_floats(tokens * c.kv_columns());
    c.q = random_floats(c.batch.rows() * c.q_columns(), 2.0F);
    return c;
  }

  static KvCachePtr fill_cache(Backend& backend, const AttentionCase& c) {
    auto cache = backend
                     .make_kv_cache(
                         {2, c.blocks, c.block_tokens, c.heads.kv_heads, c.heads.head_dim, c.type})
                     .value();
    RaggedBatch everything;
    everything.block_tokens = c.block_tokens;
    everything.block_tables.resize(static_cast<std::size_t>(c.blocks));
    std::iota(everything.block_tables.begin(), everything.block_tables.end(), 0);
    everything.sequences = {{.rows = c.blocks * c.block_tokens, .blocks = c.blocks}};
    everything.token_ids.resize(static_cast<std::size_t>(everything.sequences[0].rows));
    everything.positions.resize(everything.token_ids.size());
    std::iota(everything.positions.begin(), everything.positions.end(), 0);
    const Activation poison = make_empty(backend, everything.rows(), c.kv_columns());
    for (std::int32_t layer : {0, 1}) backend.write_kv(*cache, layer, poison, poison, everything);
    const RaggedBatch all = whole(c.batch);
    backend.write_kv(*cache, kLayer, make(backend, all.rows(), c.kv_columns(), c.k),
                     make(backend, all.rows(), c.kv_columns(), c.v), all);
    return cache;
  }
  static std::vector<float> attend(Backend& backend, const KvCache& cache, const AttentionCase& c,
                                   Extras extras = {}) {
    const Activation out = make_empty(backend, c.batch.rows(), c.q_columns());
    backend.attention(out, make(backend, c.batch.rows(), c.q_columns(), c.q), cache, kLayer,
                      c.batch, c.shape(extras));
    return values_of(backend, out);
  }
  static std::vector<float> attend(Backend& backend, const AttentionCase& c, Extras extras = {}) {
    return attend(backend, *fill_cache(backend, c), c, extras);
  }

  // The case with each of `all`. What a call leaves behind for the next is as it was before: the
  // same once more gives the same bits.
  void expect_equals_the_reference(const AttentionCase& c, const std::vector<Extras>& all) {
    const auto cache = fill_cache(*cuda_, c);
    const auto want_cache = fill_cache(*ref_, c);
    for (const Extras extras : all) {
      SCOPED_TRACE(fmt::format("{}/{} heads of {}, blocks of {}, {} rows, cap {}, window {}",
                               c.heads.heads, c.heads.kv_heads, c.heads.head_dim, c.block_tokens,
                               c.batch.rows(), extras.softcap, extras.window));
      const std::vector<float> got = attend(*cuda_, *cache, c, extras);
      expect_close(got, attend(*ref_, *want_cache, c, extras));
      expect_same_bits(attend(*cuda_, *cache, c, extras), got);
    }
  }
  // Prompts and chunks of several tiles, by groups whose heads do not divide a tile's rows.
  void expect_groups_with_a_remainder_are_right(KvType type) {
    for (const Heads heads :
         {Heads{3, 1, 128}, Heads{7, 1, 128}, Heads{7, 1, 64}, Heads{6, 2, 96}, Heads{3, 1, 256}}) {
      AttentionCase c = make_case(heads, 16, {{0, 200}, {333, 140}, {20, 1}, {90, 65}, {0, 19}});
      c.type = type;
      expect_equals_the_reference(c, {{}, {0.0F, 100}, {5.0F, 150}});
    }
  }
  // Rows whose windows begin anywhere in the stages of keys and values, and far from the first.
  void expect_windows_of_long_prefills_are_right(KvType type) {
    for (const Heads heads :
         {Heads{2, 1, 128}, Heads{2, 1, 64}, Heads{2, 1, 96}, Heads{1, 1, 256}}) {
      AttentionCase c = make_case(heads, 16, {{0, 700}, {600, 300}, {250, 1}, {1000, 70}});
      c.type = type;
      expect_equals_the_reference(c,
                                  {{0.0F, 1}, {0.0F, 63}, {0.0F, 128}, {3.0F, 129}, {0.0F, 250}});
    }
  }
  // More tiles than any card has places for, so that blocks take one after the other: groups that
  // leave few rows to a tile, and sequences of which many, with tiles and without, share a window.
  void expect_many_tiles_are_all_done(KvType type) {
    std::vector<SequencePlan> prompts;
    for (std::int32_t i = 0; i < 40; ++i) prompts.push_back({i % 7 * 5, 9 + i % 20});
    std::vector<SequencePlan> mixed;
    for (std::int32_t i = 0; i < 120; ++i) mixed.push_back({i % 11 * 9, i % 40 == 39 ? 17 : 1});
    for (const Heads heads : {Heads{64, 2, 64}, Heads{128, 1, 64}, Heads{24, 8, 128}}) {
      for (const auto& plans : {prompts, mixed}) {
        AttentionCase c = make_case(heads, 16, plans);
        c.type = type;
        expect_equals_the_reference(c, {{}, {0.0F, 12}});
      }
    }
  }

  // Steps that are recorded once and replayed over other sequences, padded to the graph's size.
  void expect_replays_are_right(KvType type, float absolute, float relative) {
    const Heads heads{8, 2, 128};
    AttentionCase c = make_case(heads, 16, std::vector<SequencePlan>(13, SequencePlan{900, 1}));
    c.type = type;
    const auto cache = fill_cache(*cuda_, c);
    const auto want_cache = fill_cache(*ref_, c);
    // The backend pads no step beyond the rows that it has logits for.
    (void)cuda_->allocate(64, 8, ActivationPrecision::kLogits).value();
    const Activation q = cuda_->allocate(64, c.q_columns()).value();
    const Activation out = cuda_->allocate(64, c.q_columns()).value();
    RopeTable table;
    for (int i = 0; i < 64; ++i)
      table.inverse_frequency.push_back(std::pow(10.0F, -0.06F * static_cast<float>(i)));
    table.interleaved = false;
    const Activation k = cuda_->allocate(64, c.kv_columns()).value();
    const Activation v = cuda_->allocate(64, c.kv_columns()).value();
    for (const std::int32_t most : {3, 900, 40, 500, 899}) {
      for (RaggedBatch::Sequence& sequence : c.batch.sequences) {
        sequence.context_tokens = static_cast<std::int32_t>(random_int(most / 2, most - 1));
        c.batch.positions[static_cast<std::size_t>(sequence.first_row)] = sequence.context_tokens;
      }
      c.batch.logit_rows.resize(13);
      std::iota(c.batch.logit_rows.begin(), c.batch.logit_rows.end(), 0);
      const std::vector<float> new_k = random_floats(13 * c.kv_columns());
      const std::vector<float> new_v = random_floats(13 * c.kv_columns());
      c.q = random_floats(13 * c.q_columns(), 2.0F);
      cuda_->write(q.first_rows(13), c.q);
      cuda_->write(k.first_rows(13), new_k);
      cuda_->write(v.first_rows(13), new_v);
      cuda_->run_step(c.batch, true, [&](const RaggedBatch& batch) {
        const std::int64_t rows = batch.rows();
        cuda_->rope_write_kv(q.first_rows(rows), k.first_rows(rows), v.first_rows(rows), table,
                             *cache, kLayer, batch);
        cuda_->attention(out.first_rows(rows), q.first_rows(rows), *cache, kLayer, batch,
                         c.shape({}));
      });
      const Activation ref_q = make(*ref_, 13, c.q_columns(), c.q);
      const Activation ref_out = make_empty(*ref_, 13, c.q_columns());
      ref_->rope_write_kv(ref_q, make(*ref_, 13, c.kv_columns(), new_k),
                          make(*ref_, 13, c.kv_columns(), new_v), table, *want_cache, kLayer,
                          c.batch);
      ref_->attention(ref_out, ref_q, *want_cache, kLayer, c.batch, c.shape({}));
      // Turned queries and keys are rounded too.
      expect_near(values_of(*cuda_, out.first_rows(13)), values_of(*ref_, ref_out), absolute,
                  relative);
    }
  }

  // The weights of the softmax and the result are rounded to 16 bits, nothing else is.
  void expect_close(const std::vector<float>& got, const std::vector<float>& want) const {
    expect_near(got, want, 4.0F * epsilon(), 2.0F * epsilon());
    double wrong = 0.0;
    double all = 0.0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double difference = static_cast<double>(got[i]) - static_cast<double>(want[i]);
      wrong += difference * difference;
      all += static_cast<double>(want[i]) * static_cast<double>(want[i]);
    }
    EXPECT_LT(std::sqrt(wrong), static_cast<double>(epsilon()) * std::sqrt(all));
  }
  static void expect_same_bits(std::span<const float> got, std::span<const float> want) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(want[i]))
          << "element " << i << ": " << got[i] << " and " << want[i];
    }
  }
};

class DeterministicCudaAttentionTest : public CudaAttentionTest {
 protected:
  BackendOptions options() const override {
    BackendOptions options = CudaAttentionTest::options();
    options.deterministic = true;
    return options;
  }
  void expect_rows_alone_are_the_same(KvType type) {
    // One context alone is cut for many blocks; many are done whole; a row may be one of a chunk.
    const std::vector<SequencePlan> plans = {{3000, 1}, {1400, 7}, {511, 1}, {0, 200}, {600, 40}};
    int turn = 0;
    for (const Heads heads :
         {Heads{8, 2, 128}, Heads{3, 1, 64}, Heads{2, 1, 256}, Heads{2, 1, 24}}) {
      for (const std::int32_t many : {0, 200}) {
        std::vector<SequencePlan> all = plans;
        for (std::int32_t i = 0; i < many; ++i) all.push_back({40 + i, 1});
        AttentionCase c = make_case(heads, 16, all);
        c.type = type;
        const auto cache = fill_cache(*cuda_, c);
        for (const Extras extras : {Extras{}, Extras{4.0F, 130}, Extras{0.0F, 700}}) {
          SCOPED_TRACE(fmt::format("{}/{} heads of {}, {} more, window {}", heads.heads,
                                   heads.kv_heads, heads.head_dim, many, extras.window));
          const std::vector<float> together = attend(*cuda_, *cache, c, extras);
          for (std::size_t s = 0; s < plans.size(); ++s) {
            const RaggedBatch::Sequence& sequence = c.batch.sequences[s];
            for (std::int32_t i = 0; i < sequence.rows; i += 13) {
              if (left_out(turn++, 5)) continue;
              const auto at = static_cast<std::size_t>((sequence.first_row + i) * c.q_columns());
              expect_same_bits(
                  attend(*cuda_, *cache, row_alone(c, s, i), extras),
                  std::span(together).subspan(at, static_cast<std::size_t>(c.q_columns())));
            }
          }
        }
      }
    }
  }
};

}  // namespace hangar::cuda
