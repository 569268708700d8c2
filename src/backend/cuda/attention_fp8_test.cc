// Attention over a cache in FP8, held to the reference, whose keys and values are rounded to the
// very same numbers: what differs is what differs in 16 bits.
#include "backend/cuda/attention_test_support.h"
#include "backend/cuda/kv_cache.h"

namespace hangar::cuda {
namespace {

class Fp8AttentionTest : public CudaAttentionTest {
 protected:
  AttentionCase make_fp8_case(Heads heads, std::int32_t block_tokens,
                              const std::vector<SequencePlan>& plans) {
    AttentionCase c = make_case(heads, block_tokens, plans);
    c.type = KvType::kFp8;
    return c;
  }
  // Each head of each row by its own size.
  void expect_close_by_head(const AttentionCase& c, const std::vector<float>& got,
                            const std::vector<float>& want) const {
    ASSERT_EQ(got.size(), want.size());
    const auto dim = static_cast<std::size_t>(c.heads.head_dim);
    for (std::size_t first = 0; first < want.size(); first += dim) {
      double wrong = 0.0;
      double all = 0.0;
      for (std::size_t i = first; i < first + dim; ++i) {
        const double difference = static_cast<double>(got[i]) - static_cast<double>(want[i]);
        wrong += difference * difference;
        all += static_cast<double>(want[i]) * static_cast<double>(want[i]);
      }
      ASSERT_LE(std::sqrt(wrong), 2.0 * static_cast<double>(epsilon()) * std::sqrt(all))
          << "row " << first / static_cast<std::size_t>(c.q_columns()) << ", head "
          << first % static_cast<std::size_t>(c.q_columns()) / dim;
    }
  }
  // Multiplies one token's row of one head (of k or v of whole(batch)).
  void scale_row(const AttentionCase& c, std::vector<float>& rows, std::int64_t token,
                 std::int32_t head, float factor) const {
    const std::int64_t first = token * c.kv_columns() + head * c.heads.head_dim;
    for (std::int64_t i = first; i < first + c.heads.head_dim; ++i) {
      float& x = rows[static_cast<std::size_t>(i)];
      x = rounded(x * factor);
    }
  }
};

TEST_P(Fp8AttentionTest, EqualsTheReferenceOnMixedBatches) {
  for (const auto& [heads, block_tokens] : kFastHeads) {
    SCOPED_TRACE(fmt::format("{}/{} heads of {}, blocks of {}", heads.heads, heads.kv_heads,
                             heads.head_dim, block_tokens));
    const AttentionCase c = make_fp8_case(heads, block_tokens, kMixed);
    expect_close(attend(*cuda_, c), attend(*ref_, c));
  }
}

TEST_P(Fp8AttentionTest, TinyHeadsAndOddBlocksEqualTheReference) {
  std::vector<HeadsAndBlocks> all = kTinyHeads;
  all.push_back({{2, 1, 5}, 40});
  for (const auto& [heads, block_tokens] : all) {
    SCOPED_TRACE(fmt::format("{}/{} heads of {}, blocks of {}", heads.heads, heads.kv_heads,
                             heads.head_dim, block_tokens));
    const AttentionCase c = make_fp8_case(heads, block_tokens, kMixed);
    for (const Extras extras : {Extras{}, Extras{2.0F, 20}}) {
      expect_close(attend(*cuda_, c, extras), attend(*ref_, c, extras));
    }
  }
}

TEST_P(Fp8AttentionTest, PrefillByGroupsWithARemainderEqualsTheReference) {
  expect_groups_with_a_remainder_are_right(KvType::kFp8);
}

TEST_P(Fp8AttentionTest, WindowsOfLongPrefillsEqualTheReference) {
  expect_windows_of_long_prefills_are_right(KvType::kFp8);
}

TEST_P(Fp8AttentionTest, MoreTilesThanBlocksAreAllDone) {
  expect_many_tiles_are_all_done(KvType::kFp8);
}

// From 1024 rows of a sequence on, heads of 128 have stages of another size.
TEST_P(Fp8AttentionTest, SequencesOfManyRowsEqualTheReference) {
  const AttentionCase c =
      make_fp8_case({3, 1, 128}, 16, {{0, 1024}, {45, 1090}, {300, 20}, {5, 1}});
  expect_equals_the_reference(c, {{}, {3.0F, 700}, {0.0F, 95}, {0.0F, 96}, {0.0F, 97}});
}

TEST_P(Fp8AttentionTest, LongContextsAndManySequencesAreSharedOut) {
  for (const Heads heads : {Heads{4, 1, 128}, Heads{2, 1, 64}, Heads{8, 2, 96}, Heads{2, 1, 256}}) {
    for (const SequencePlan plan : {SequencePlan{4999, 1}, SequencePlan{2048, 5},
                                    SequencePlan{511, 8}, SequencePlan{1000, 20}}) {
      SCOPED_TRACE(fmt::format("{}/{} heads of {}, {} and {} tokens", heads.heads, heads.kv_heads,
                               heads.head_dim, plan.context, plan.rows));
      const AttentionCase c = make_fp8_case(heads, 16, {plan});
      expect_close(attend(*cuda_, c), attend(*ref_, c));
    }
  }
  std::vector<SequencePlan> plans;
  for (int i = 0; i < 300; ++i) {
    plans.push_back({static_cast<std::int32_t>(random_int(0, i % 50 == 0 ? 3000 : 200)), 1});
  }
  const AttentionCase c = make_fp8_case({4, 2, 64}, 16, plans);
  const auto cache = fill_cache(*cuda_, c);
  const std::vector<float> got = attend(*cuda_, *cache, c);
  expect_close(got, attend(*ref_, c));
  expect_same_bits(attend(*cuda_, *cache, c), got);
}

TEST_P(Fp8AttentionTest, RandomBatchesEqualTheReference) {
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
    const AttentionCase c = make_fp8_case(heads, round % 3 == 0 ? 32 : 16, plans);
    expect_close(attend(*cuda_, c, extras), attend(*ref_, c, extras));
  }
}

TEST_P(Fp8AttentionTest, WindowsAndSoftcapsEqualTheReference) {
  float softcap = 0.0F;
  for (const std::int32_t window : {1, 2, 15, 16, 17, 33, 63, 64, 65, 127, 129, 200, 1000}) {
    for (const Heads heads : {Heads{6, 2, 64}, Heads{4, 1, 128}}) {
      softcap = 3.0F - softcap;  // every other time
      SCOPED_TRACE(fmt::format("window {}, cap {}, {} heads of {}", window, softcap, heads.heads,
                               heads.head_dim));
      const AttentionCase c = make_fp8_case(heads, 16, kMixed);
      const Extras extras{softcap, window};
      expect_close(attend(*cuda_, c, extras), attend(*ref_, c, extras));
    }
  }
  const AttentionCase wide = make_fp8_case({4, 2, 256}, 16, kMixed);
  for (const Extras extras : {Extras{50.0F, 0}, Extras{0.0F, 33}, Extras{2.0F, 20}}) {
    expect_close(attend(*cuda_, wide, extras), attend(*ref_, wide, extras));
  }
}

// Tokens whose values are all zeros, tiny, or far larger than others', keys of zeros, and rows that
// one element rules: each head is right by its own size.
TEST_P(Fp8AttentionTest, TokensOfVeryDifferentSizesEqualTheReference) {
  for (const Heads heads : {Heads{8, 2, 128}, Heads{4, 2, 64}, Heads{2, 2, 256}, Heads{2, 1, 40}}) {
    SCOPED_TRACE(heads.head_dim);
    AttentionCase c = make_fp8_case(heads, 16, kMixed);
    const auto tokens = static_cast<std::int64_t>(c.k.size()) / c.kv_columns();
    for (std::int64_t token = 0; token < tokens; ++token) {
      const auto head = static_cast<std::int32_t>(random_int(0, heads.kv_heads - 1));
      const std::int64_t first = token * c.kv_columns() + head * heads.head_dim;
      const auto one = static_cast<std::size_t>(first + random_int(0, heads.head_dim - 1));
      switch (random_int(0, 9)) {
        case 0:
          scale_row(c, c.v, token, head, 0.0F);
          break;
        case 1:
          scale_row(c, c.k, token, head, 0.0F);
          break;
        case 2:
          scale_row(c, c.v, token, head, 0x1p-14F);
          break;
        case 3:
          scale_row(c, c.v, token, head, 512.0F);
          break;
        case 4:
          c.v[one] = rounded(3000.0F);  // the rest of the row has few bits, or none
          break;
        case 5:
          c.k[one] = rounded(40.0F);
          break;
        default:
          break;
      }
    }
    expect_close_by_head(c, attend(*cuda_, c), attend(*ref_, c));
  }
}

// Scores come out the same whatever part of the range queries and keys are in.
TEST_P(Fp8AttentionTest, SizesOfQueriesAndKeysMayBeAtTheEndsOfTheirRange) {
  const float most = work_type() == DType::kBF16 ? 0x1p30F : 0x1p10F;
  for (const float factor : {most, 1.0F / most}) {
    for (const Heads heads : {Heads{8, 2, 128}, Heads{6, 3, 96}, Heads{3, 1, 48}}) {
      SCOPED_TRACE(fmt::format("{} heads of {}, times {}", heads.heads, heads.head_dim, factor));
      AttentionCase c = make_fp8_case(heads, 16, kMixed);
      for (float& x : c.q) x = rounded(x * factor);
      for (float& x : c.k) x = rounded(x / factor);
      expect_close(attend(*cuda_, c), attend(*ref_, c));
    }
  }
}

TEST_P(Fp8AttentionTest, LargeScoresDoNotOverflow) {
  AttentionCase c = make_fp8_case({4, 1, 64}, 16, {{200, 2}, {30, 40}});
  for (float& q : c.q) q *= 256.0F;
  expect_near(attend(*cuda_, c), attend(*ref_, c), 0.02F, 0.02F);
}

TEST_P(Fp8AttentionTest, QueriesOfZerosTakeTheMean) {
  AttentionCase c = make_fp8_case({4, 2, 128}, 16, {{100, 1}, {0, 70}});
  c.q.assign(c.q.size(), 0.0F);
  expect_close(attend(*cuda_, c), attend(*ref_, c));
}

TEST_P(Fp8AttentionTest, ReplayedStepsEqualTheReference) {
  // Keys that differ in a float's last bit, as turned, may be a code apart.
  expect_replays_are_right(KvType::kFp8, 0.05F, 0.02F);
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, Fp8AttentionTest, kWorkTypes, work_type_name);

class DeterministicFp8AttentionTest : public DeterministicCudaAttentionTest {};

TEST_P(DeterministicFp8AttentionTest, ARowDoesNotDependOnItsCompany) {
  expect_rows_alone_are_the_same(KvType::kFp8);
}

TEST_P(DeterministicFp8AttentionTest, EqualsTheReference) {
  for (const Heads heads : {Heads{8, 2, 128}, Heads{7, 1, 64}, Heads{4, 2, 96}, Heads{2, 1, 256}}) {
    std::vector<SequencePlan> plans = kMixed;
    plans.push_back({2500, 1});
    AttentionCase c = make_case(heads, 16, plans);
    c.type = KvType::kFp8;
    for (const Extras extras : {Extras{}, Extras{3.0F, 77}}) {
      expect_close(attend(*cuda_, c, extras), attend(*ref_, c, extras));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, DeterministicFp8AttentionTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
