#include "backend/cuda/attention_test_support.h"

namespace hangar::cuda {
namespace {

using AttentionTest = CudaAttentionTest;

// Prefill, chunked prefill and decode, short and long, mixed; rows at the borders of the kernels.
const std::vector<SequencePlan> kMixed = {{0, 1},   {0, 30}, {37, 1}, {5, 11}, {300, 3}, {127, 2},
                                          {0, 150}, {64, 8}, {63, 9}, {15, 1}, {16, 1},  {200, 70}};

TEST_P(AttentionTest, EqualsTheReferenceOnMixedBatches) {
  for (const auto& [heads, block_tokens] : {std::pair{Heads{8, 2, 128}, 16},
                                            {Heads{3, 3, 64}, 16},
                                            {Heads{9, 3, 64}, 32},
                                            {Heads{4, 1, 96}, 16},
                                            {Heads{5, 1, 128}, 48},
                                            {Heads{12, 2, 128}, 16},
                                            {Heads{7, 1, 64}, 64},
                                            {Heads{4, 2, 256}, 16},
                                            {Heads{16, 1, 96}, 16},
                                            {Heads{33, 1, 64}, 16}}) {
    SCOPED_TRACE(fmt::format("{}/{} heads of {}, blocks of {}", heads.heads, heads.kv_heads,
                             heads.head_dim, block_tokens));
    const AttentionCase c = make_case(heads, block_tokens, kMixed);
    expect_close(attend(*cuda_, c), attend(*ref_, c));
  }
}

TEST_P(AttentionTest, TinyHeadsAndOddBlocksEqualTheReference) {
  for (const auto& [heads, block_tokens] : {std::pair{Heads{2, 2, 8}, 5},
                                            {Heads{4, 1, 16}, 16},
                                            {Heads{6, 2, 32}, 16},
                                            {Heads{4, 1, 80}, 1},
                                            {Heads{2, 1, 128}, 24},
                                            {Heads{30, 1, 6}, 7},
                                            {Heads{1, 1, 2}, 200},
                                            {Heads{2, 1, 160}, 16}}) {
    SCOPED_TRACE(fmt::format("{}/{} heads of {}, blocks of {}", heads.heads, heads.kv_heads,
                             heads.head_dim, block_tokens));
    const AttentionCase c = make_case(heads, block_tokens, kMixed);
    for (const Extras extras : {Extras{}, Extras{2.0F, 20}}) {
      expect_close(attend(*cuda_, c, extras), attend(*ref_, c, extras));
    }
  }
}

TEST_P(AttentionTest, LongContextsAreSharedOut) {
  for (const Heads heads : {Heads{4, 1, 128}, Heads{2, 1, 64}, Heads{8, 2, 96}, Heads{2, 1, 256}}) {
    for (const SequencePlan plan :
         {SequencePlan{4999, 1}, SequencePlan{2047, 1}, SequencePlan{2048, 5}, SequencePlan{511, 8},
          SequencePlan{1000, 20}}) {
      SCOPED_TRACE(fmt::format("{}/{} heads of {}, {} and {} tokens", heads.heads, heads.kv_heads,
                               heads.head_dim, plan.context, plan.rows));
      const AttentionCase c = make_case(heads, 16, {plan});
      expect_close(attend(*cuda_, c), attend(*ref_, c));
    }
  }
}

TEST_P(AttentionTest, ManySequencesOfAllLengthsEqualTheReference) {
  std::vector<SequencePlan> plans;
  for (int i = 0; i < 300; ++i) {
    plans.push_back({static_cast<std::int32_t>(random_int(0, i % 50 == 0 ? 3000 : 200)), 1});
  }
  const AttentionCase c = make_case({4, 2, 64}, 16, plans);
  const std::vector<float> want = attend(*ref_, c);
  const auto cache = fill_cache(*cuda_, c);
  const std::vector<float> got = attend(*cuda_, *cache, c);
  expect_close(got, want);
  // What blocks leave behind for one another is as it was before.
  expect_same_bits(attend(*cuda_, *cache, c), got);
}

TEST_P(AttentionTest, RandomBatchesEqualTheReference) {
  for (int round = 0; round < 12; ++round) {
    constexpr std::int32_t kDims[] = {64, 96, 128, 128};
    const auto group = static_cast<std::int32_t>(random_int(1, 8));
    const auto kv_heads = static_cast<std::int32_t>(random_int(1, 3));
    const Heads heads{group * kv_heads, kv_heads, kDims[round % 4]};
    std::vector<SequencePlan> plans;
    for (std::int64_t left = random_int(1, 10); left > 0; --left) {
      const bool decode = random_int(0, 2) > 0;
      plans.push_back({static_cast<std::int32_t>(random_int(0, 500)),
                       static_cast<std::int32_t>(decode ? 1 : random_int(1, 100))});
    }
    const Extras extras{random_int(0, 1) == 0 ? 0.0F : 5.0F,
                        static_cast<std::int32_t>(random_int(0, 1) * random_int(1, 300))};
    SCOPED_TRACE(fmt::format("round {}: {}/{} heads of {}, {} sequences, cap {}, window {}", round,
                             heads.heads, heads.kv_heads, heads.head_dim, plans.size(),
                             extras.softcap, extras.window));
    const AttentionCase c = make_case(heads, round % 3 == 0 ? 32 : 16, plans);
    expect_close(attend(*cuda_, c, extras), attend(*ref_, c, extras));
  }
}

TEST_P(AttentionTest, WindowsAndSoftcapsEqualTheReference) {
  // At, below and above the borders of slabs (16), stages (64) and tiles; longer than any context.
  float softcap = 0.0F;
  for (const std::int32_t window : {1, 2, 15, 16, 17, 33, 63, 64, 65, 127, 128, 129, 200, 1000}) {
    for (const Heads heads : {Heads{6, 2, 64}, Heads{4, 1, 128}}) {
      softcap = 3.0F - softcap;  // every other time
      SCOPED_TRACE(fmt::format("window {}, cap {}, {} heads of {}", window, softcap, heads.heads,
                               heads.head_dim));
      const AttentionCase c = make_case(heads, 16, kMixed);
      const Extras extras{softcap, window};
      expect_close(attend(*cuda_, c, extras), attend(*ref_, c, extras));
    }
  }
  const AttentionCase wide = make_case({4, 2, 256}, 16, kMixed);
  for (const Extras extras : {Extras{50.0F, 0}, Extras{0.0F, 33}, Extras{2.0F, 20}}) {
    expect_close(attend(*cuda_, wide, extras), attend(*ref_, wide, extras));
  }
}

TEST_P(AttentionTest, BlocksBeforeTheWindowAreNotRead) {
  for (const Heads heads : {Heads{4, 1, 64}, Heads{2, 2, 128}, Heads{3, 1, 16}}) {
    AttentionCase c = make_case(heads, 16, {{500, 20}, {200, 1}, {1000, 100}, {700, 4}});
    const auto cache = fill_cache(*cuda_, c);
    const Extras extras{0.0F, 40};
    const std::vector<float> before = attend(*cuda_, *cache, c, extras);
    for (const RaggedBatch::Sequence& sequence : c.batch.sequences) {
      for (std::int32_t block = 0; block < (sequence.context_tokens - 39) / 16; ++block) {
        // An address far outside the cache.
        c.batch.block_tables[static_cast<std::size_t>(sequence.first_block + block)] = 1 << 30;
      }
    }
    expect_same_bits(attend(*cuda_, *cache, c, extras), before);
  }
}

TEST_P(AttentionTest, LargeScoresDoNotOverflow) {
  AttentionCase c = make_case({4, 1, 64}, 16, {{200, 2}, {30, 40}});
  for (float& q : c.q) q *= 256.0F;
  expect_near(attend(*cuda_, c), attend(*ref_, c), 0.02F, 0.02F);
}

TEST_P(AttentionTest, TheOtherTypeOfSixteenBitsMayBeTheCaches) {
  AttentionCase c = make_case({8, 2, 128}, 16, kMixed);
  c.type = work_type() == DType::kBF16 ? KvType::kF16 : KvType::kBF16;
  const std::vector<float> want = attend(*ref_, c);
  // Queries and weights are rounded to bfloat16 on the way, whichever of the two is the cache's.
  expect_near(attend(*cuda_, c), want, 0.04F, 0.02F);
}

TEST_P(AttentionTest, ColumnsOfAWiderMatrixMayBeTheQueries) {
  for (const Heads heads : {Heads{8, 2, 128}, Heads{2, 1, 16}}) {
    const AttentionCase c = make_case(heads, 16, kMixed);
    const auto cache = fill_cache(*cuda_, c);
    const std::vector<std::int64_t> columns = {c.q_columns(), c.kv_columns(), c.kv_columns()};
    const auto parts = cuda_->allocate_together(c.batch.rows(), columns).value();
    cuda_->write(parts[0], c.q);
    const Activation out = make_empty(*cuda_, c.batch.rows(), c.q_columns());
    cuda_->attention(out, parts[0], *cache, kLayer, c.batch, c.shape({}));
    expect_same_bits(values_of(*cuda_, out), attend(*cuda_, *cache, c));
  }
}

// Steps that are recorded once and replayed over other sequences, padded to the graph's size.
TEST_P(AttentionTest, ReplayedStepsEqualTheReference) {
  const Heads heads{8, 2, 128};
  AttentionCase c = make_case(heads, 16, std::vector<SequencePlan>(13, SequencePlan{900, 1}));
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
    expect_near(values_of(*cuda_, out.first_rows(13)), values_of(*ref_, ref_out), 8.0F * epsilon(),
                4.0F * epsilon());
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, AttentionTest, kWorkTypes, work_type_name);

class DeterministicAttentionTest : public CudaAttentionTest {
 protected:
  void SetUp() override {
    CudaAttentionTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    cuda_.reset();
    BackendOptions options;
    options.device_memory_bytes = 2ULL << 30U;
    options.work_type = work_type();
    options.deterministic = true;
    auto made = make_cuda_backend(options);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    cuda_ = std::move(*made);
  }
};

TEST_P(DeterministicAttentionTest, ARowDoesNotDependOnItsCompany) {
  // One context alone is cut for many blocks; many are done whole; a row may be one of a chunk.
  std::vector<SequencePlan> plans = {{3000, 1}, {1400, 7}, {511, 1}, {0, 200}, {600, 40}};
  for (const Heads heads : {Heads{8, 2, 128}, Heads{3, 1, 64}, Heads{2, 1, 256}, Heads{2, 1, 24}}) {
    for (const std::int32_t many : {0, 200}) {
      std::vector<SequencePlan> all = plans;
      for (std::int32_t i = 0; i < many; ++i) all.push_back({40 + i, 1});
      const AttentionCase c = make_case(heads, 16, all);
      const auto cache = fill_cache(*cuda_, c);
      for (const Extras extras : {Extras{}, Extras{4.0F, 130}, Extras{0.0F, 700}}) {
        SCOPED_TRACE(fmt::format("{}/{} heads of {}, {} more, window {}", heads.heads,
                                 heads.kv_heads, heads.head_dim, many, extras.window));
        const std::vector<float> together = attend(*cuda_, *cache, c, extras);
        for (std::size_t s = 0; s < plans.size(); ++s) {
          const RaggedBatch::Sequence& sequence = c.batch.sequences[s];
          for (std::int32_t i = 0; i < sequence.rows; i += 13) {
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

TEST_P(DeterministicAttentionTest, EqualsTheReference) {
  for (const Heads heads : {Heads{8, 2, 128}, Heads{7, 1, 64}, Heads{4, 2, 96}, Heads{2, 1, 256}}) {
    std::vector<SequencePlan> plans = kMixed;
    plans.push_back({2500, 1});
    const AttentionCase c = make_case(heads, 16, plans);
    for (const Extras extras : {Extras{}, Extras{3.0F, 77}}) {
      expect_close(attend(*cuda_, c, extras), attend(*ref_, c, extras));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, DeterministicAttentionTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
