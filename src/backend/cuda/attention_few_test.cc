// Attention whose output goes straight to the inputs of a 4-bit product of few rows.
#include <fmt/format.h>

#include <cmath>

#include "backend/cuda/attention_test_support.h"

namespace hangar::cuda {
namespace {

constexpr std::int64_t kHidden = 192;

class AttentionFewTest : public CudaAttentionTest {
 protected:
  BackendOptions options() const override {
    BackendOptions options = CudaAttentionTest::options();
    options.quant.matrices = WeightQuant::kInt4;
    return options;
  }

  // In groups of 128, or as Q4_0's of 32.
  WeightPtr product_weight(std::int64_t columns, bool groups_of_32) {
    TensorView view = random_view(kHidden, columns);
    view.name = "blk.0.attn_output.weight";
    if (groups_of_32) {
      constexpr std::size_t kBlockBytes = 18;  // a half and 16 bytes, of 32 numbers
      bytes_.emplace_back(static_cast<std::size_t>(kHidden * columns / 32) * kBlockBytes);
      std::vector<std::byte>& bytes = bytes_.back();
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(random_int(0, 255));
        if (i % kBlockBytes == 1) bytes[i] = std::byte{0x20};  // the scale: 2^-7 and some more
      }
      view = {view.name, DType::kQ4_0, {kHidden, columns}, bytes};
    }
    return cuda_->load_weight(view, InputPrecision::kFast).value();
  }

  struct Sums {
    std::vector<float> values;
    bool out_written = false;
  };
  // What attention and the product behind it add to nothing: in one, or one after the other.
  Sums add(const AttentionCase& c, const KvCache& cache, const Weight& weight, bool in_one) {
    const std::int64_t rows = c.batch.rows();
    const Activation x =
        make(*cuda_, rows + 2, kHidden,
             std::vector<float>(static_cast<std::size_t>((rows + 2) * kHidden), 0.0F),
             ActivationPrecision::kFull);
    // Steps are padded to the rows that are recorded.
    const Activation out = make_empty(*cuda_, rows + 2, c.q_columns());
    const Activation product = make_empty(*cuda_, rows + 2, kHidden);
    std::vector<float> q = c.q;
    q.resize(static_cast<std::size_t>((rows + 2) * c.q_columns()), 1.0F);
    const Activation queries = make(*cuda_, rows + 2, c.q_columns(), q);
    cuda_->run_step(c.batch, true, [&](const RaggedBatch& batch) {
      const Activation to = x.first_rows(batch.rows());
      const Activation between = out.first_rows(batch.rows());
      const Activation scratch = product.first_rows(batch.rows());
      const Activation these = queries.first_rows(batch.rows());
      if (in_one) {
        cuda_->attention_add(to, between, these, cache, kLayer, batch, c.shape({}), weight,
                             scratch);
      } else {
        cuda_->attention(between, these, cache, kLayer, batch, c.shape({}));
        cuda_->matmul_add(to, between, weight, scratch);
      }
    });
    const std::vector<float> written = values_of(*cuda_, out);
    Sums sums{values_of(*cuda_, x), !std::isnan(written.front())};
    for (std::int64_t row = rows; row < rows + 2; ++row) {  // nothing came of padding
      for (std::int64_t i = 0; i < kHidden; ++i) {
        EXPECT_TRUE(std::isfinite(sums.values[static_cast<std::size_t>(row * kHidden + i)]) ||
                    !in_one || sums.out_written);
      }
    }
    sums.values.resize(static_cast<std::size_t>(rows * kHidden));
    return sums;
  }

 private:
  std::vector<std::vector<std::byte>> bytes_;
};

std::vector<SequencePlan> tokens_of(std::int32_t rows) {
  std::vector<SequencePlan> plans;
  for (std::int32_t i = 0; i < rows; ++i) plans.push_back({i == 1 ? 2500 : 17 + 90 * i, 1});
  return plans;
}

TEST_P(AttentionFewTest, AddsWhatOneAfterTheOtherAdd) {
  struct Run {
    Heads heads;
    std::vector<SequencePlan> plans;
    bool in_one;
  };
  const std::vector<Run> runs = {
      {{8, 2, 128}, tokens_of(3), true},        {{8, 2, 128}, tokens_of(4), true},
      {{8, 8, 128}, tokens_of(5), true},        {{16, 2, 128}, tokens_of(7), true},
      {{32, 8, 128}, tokens_of(8), true},       {{8, 2, 128}, {{300, 2}, {5000, 2}}, true},
      {{8, 2, 128}, tokens_of(2), false},        // inputs of 16 bits
      {{8, 2, 128}, tokens_of(9), false},        // of FP8
      {{8, 4, 64}, tokens_of(4), false},         // two heads to a block
      {{8, 2, 128}, {{300, 1}, {40, 7}}, false}  // rows of a group that are no columns
  };
  for (const bool groups_of_32 : {false, true}) {
    for (const Run& run : runs) {
      SCOPED_TRACE(fmt::format("{}/{} heads of {}, {} sequences, groups of {}", run.heads.heads,
                               run.heads.kv_heads, run.heads.head_dim, run.plans.size(),
                               groups_of_32 ? 32 : 128));
      SetUp();  // recorded steps and the inputs' room are of one case
      const AttentionCase c = make_case(run.heads, 16, run.plans);
      const WeightPtr weight = product_weight(c.q_columns(), groups_of_32);
      // The last that is allocated before a step: what products want follows from it.
      (void)cuda_->allocate(16, 8, ActivationPrecision::kLogits).value();
      const auto cache = fill_cache(*cuda_, c);
      const Sums want = add(c, *cache, *weight, false);
      EXPECT_TRUE(want.out_written);
      const Sums got = add(c, *cache, *weight, true);
      EXPECT_EQ(got.out_written, !run.in_one);
      // One rounding to 16 bits less, and codes of int8 that fall to the other side for it.
      double wrong = 0.0;
      double all = 0.0;
      for (std::size_t i = 0; i < want.values.size(); ++i) {
        const double difference = double{got.values[i]} - double{want.values[i]};
        wrong += difference * difference;
        all += double{want.values[i]} * double{want.values[i]};
      }
      EXPECT_LE(std::sqrt(wrong), (run.in_one ? 0.01 : 1e-5) * std::sqrt(all));
      EXPECT_GT(all, 0.0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, AttentionFewTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
