#include "backend/cuda/attention_test_support.h"

namespace hangar::cuda {
namespace {

using AttentionTest = CudaAttentionTest;

TEST_P(AttentionTest, EqualsTheReferenceOnMixedBatches) {
  for (const auto& [heads, block_tokens] : kFastHeads) {
    SCOPED_TRACE(fmt::format("{}/{} heads of {}, blocks of {}", heads.heads, heads.kv_heads,
                             heads.head_dim, block_tokens));
    const AttentionCase c = make_case(heads, block_tokens, kMixed);
    expect_close(attend(*cuda_, c), attend(*ref_, c));
  }
}

TEST_P(AttentionTest, TinyHeadsAndOddBlocksEqualTheReference) {
  for (const auto& [heads, block_tokens] : kTinyHeads) {
    SCOPED_TRACE(fmt::format("{}/{} heads of {}, blocks of {}", heads.heads, heads.kv_heads,
                             heads.head_dim, block_tokens));
    const AttentionCase c = make_case(heads, block_tokens, kMixed);
    for (const Extras extras : {Extras{}, Extras{2.0F, 20}}) {
      expect_close(attend(*cuda_, c, extras), attend(*ref_, c, extras));
    }
  }
}

TEST_P(AttentionTest, PrefillByGroupsWithARemainderEqualsTheReference) {
  expect_groups_with_a_remainder_are_right(kv_type());
}

TEST_P(AttentionTest, WindowsOfLongPrefillsEqualTheReference) {
  expect_windows_of_long_prefills_are_right(kv_type());
}

TEST_P(AttentionTest, MoreTilesThanBlocksAreAllDone) {
  expect_many_tiles_are_all_done(kv_type());
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

// What fills a recorded step up: its rows stay as they are, the others' do not change.
TEST_P(AttentionTest, SequencesWithoutBlocksAttendToNothing) {
  for (const Heads heads : {Heads{8, 2, 128}, Heads{4, 1, 64}, Heads{32, 2, 96}}) {
    std::vector<SequencePlan> plans;
    for (std::int32_t i = 0; i < 90; ++i) plans.push_back({i < 60 ? 5 + 7 * i : 0, 1});
    AttentionCase c = make_case(heads, 16, plans);
    const auto cache = fill_cache(*cuda_, c);
    const std::vector<float> all = attend(*cuda_, *cache, c);
    for (std::size_t s = 0; s < plans.size(); ++s) {
      if (s >= 60 || s == 7) c.batch.sequences[s].blocks = 0;
    }
    const std::vector<float> got = attend(*cuda_, *cache, c);
    const auto columns = static_cast<std::size_t>(c.q_columns());
    for (std::size_t s = 0; s < plans.size(); ++s) {
      for (std::size_t i = s * columns; i < (s + 1) * columns; ++i) {
        if (c.batch.sequences[s].blocks > 0) {
          ASSERT_NEAR(got[i], all[i], 1e-2F * std::abs(all[i]) + 1e-3F) << s;
        } else {
          ASSERT_TRUE(std::isnan(got[i])) << s;
        }
      }
    }
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
        const auto entry =
            static_cast<std::size_t>(sequence.first_block) + static_cast<std::size_t>(block);
        c.batch.block_tables[entry] = 1 << 30;
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

TEST_P(AttentionTest, ReplayedStepsEqualTheReference) {
  expect_replays_are_right(kv_type(), 8.0F * epsilon(), 4.0F * epsilon());
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, AttentionTest, kWorkTypes, work_type_name);

class DeterministicAttentionTest : public DeterministicCudaAttentionTest {};

TEST_P(DeterministicAttentionTest, ARowDoesNotDependOnItsCompany) {
  expect_rows_alone_are_the_same(kv_type());
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
