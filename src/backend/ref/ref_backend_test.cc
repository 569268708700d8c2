// The reference is held to numbers worked out by hand: it is what all other backends are held to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "backend/registry.h"

namespace hangar {
namespace {

using ::testing::ElementsAre;
using testing::FloatEq;
using ::testing::FloatNear;

class RefBackendTest : public ::testing::Test {
 protected:
  Activation matrix(std::int64_t rows, std::int64_t columns, const std::vector<float>& values) {
    Activation x = backend_->allocate(rows, columns).value();
    EXPECT_EQ(std::ssize(values), rows * columns);
    std::memcpy(x.data, values.data(), values.size() * sizeof(float));
    return x;
  }
  Activation empty(std::int64_t rows, std::int64_t columns) {
    return backend_->allocate(rows, columns).value();
  }
  WeightPtr weight(std::vector<std::int64_t> shape, const std::vector<float>& values) {
    kept_.push_back(values);
    return backend_
        ->load_weight({"w", DType::kF32, std::move(shape), std::as_bytes(std::span(kept_.back()))},
                      InputPrecision::kFast)
        .value();
  }
  std::vector<float> values(Activation x) {
    std::vector<float> host(static_cast<std::size_t>(x.rows * x.columns));
    backend_->read(x, host);
    return host;
  }

  std::unique_ptr<Backend> backend_ = make_backend("ref", 1).value();
  std::vector<std::vector<float>> kept_;
};

TEST_F(RefBackendTest, EmbedTakesTheRowsAskedFor) {
  const auto table = weight({3, 2}, {1, 2, 3, 4, 5, 6});
  const Activation out = empty(3, 2);
  backend_->embed(out, *table, std::vector<std::int32_t>{2, 0, 2});
  EXPECT_THAT(values(out), ElementsAre(5, 6, 1, 2, 5, 6));
}

TEST_F(RefBackendTest, RmsNormDividesByTheRootOfTheMeanSquare) {
  const auto w = weight({2}, {1, 10});
  const Activation x = matrix(2, 2, {1, 7, 0, 0});  // mean square 25
  const Activation out = empty(2, 2);
  backend_->rms_norm(out, x, *w, 11.0F);  // root of 36
  EXPECT_THAT(values(out), ElementsAre(FloatEq(1.0F / 6), FloatEq(70.0F / 6), 0, 0));
  backend_->rms_norm(x, x, *w, 11.0F);
  EXPECT_EQ(values(x), values(out));
}

TEST_F(RefBackendTest, MatmulIsXTimesTheTransposeOfEachWeight) {
  const auto a = weight({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto b = weight({1, 3}, {-1, 0, 1});
  const Activation x = matrix(2, 3, {1, 0, 2, 10, 1, 0});
  const Activation ya = empty(2, 2);
  const Activation yb = empty(2, 1);
  const std::vector<Activation> ys = {ya, yb};
  const std::vector<const Weight*> weights = {a.get(), b.get()};
  backend_->matmul(ys, x, weights);
  EXPECT_THAT(values(ya), ElementsAre(7, 16, 12, 45));
  EXPECT_THAT(values(yb), ElementsAre(1, -10));
}

TEST_F(RefBackendTest, AddsAndBiases) {
  const Activation x = matrix(2, 2, {1, 2, 3, 4});
  const auto bias = weight({2}, {10, 20});
  backend_->add_bias(x, *bias);
  EXPECT_THAT(values(x), ElementsAre(11, 22, 13, 24));
  backend_->add(x, matrix(2, 2, {1, 1, 2, 2}));
  EXPECT_THAT(values(x), ElementsAre(12, 23, 15, 26));
}

TEST_F(RefBackendTest, SiluMultipliesByTheSigmoidAndByUp) {
  const Activation gate = matrix(1, 3, {0, std::log(3.0F), -200});
  const Activation up = matrix(1, 3, {5, 2, 1});
  backend_->gate_mul(gate, gate, up, GateFunction::kSilu);  // the sigmoid of log 3 is 3 / 4
  EXPECT_THAT(values(gate),
              ElementsAre(0, FloatNear(1.5F * std::log(3.0F), 1e-6F), FloatNear(0, 1e-30F)));
}

TEST_F(RefBackendTest, GeluIsHalfOfXTimesOnePlusErf) {
  // erf(1 / sqrt 2) = 0.6826894921, the share within one standard deviation; of two 0.9544997361.
  const std::vector<float> x = {0, 1, -1, -2, 3000, -3000};
  const Activation gate = matrix(1, 6, x);
  const Activation up = matrix(1, 6, {9, 2, 10, 1, 1, 1});
  const Activation out = empty(1, 6);
  backend_->gate_mul(out, gate, up, GateFunction::kGelu);
  EXPECT_THAT(values(out), ElementsAre(0, FloatEq(1.6826894921F), FloatEq(-5 * 0.3173105079F),
                                       FloatEq(-0.0455002639F), 3000, 0));
  // u(1) = sqrt(2 / pi) 1.044715 = 0.8335681; tanh of it 0.6823827. u(-2) = -1.8811.
  backend_->gate_mul(gate, gate, up, GateFunction::kGeluTanh);
  EXPECT_THAT(values(gate),
              ElementsAre(0, FloatNear(1.682384F, 2e-6F), FloatNear(-1.588080F, 2e-6F),
                          FloatNear(-0.045402F, 1e-6F), 3000, 0));
}

TEST_F(RefBackendTest, ScalesAndCaps) {
  const Activation x = matrix(2, 2, {1, -2, 30, 0});
  backend_->scale(x, 0.5F);
  EXPECT_THAT(values(x), ElementsAre(0.5F, -1, 15, 0));
  // tanh(ln 2) = (4 - 1) / (4 + 1)
  const Activation y = matrix(2, 2, {10 * std::log(2.0F), -10 * std::log(2.0F), 1e6F, 0});
  backend_->softcap(y, 10.0F);
  EXPECT_THAT(values(y), ElementsAre(FloatEq(6), FloatEq(-6), 10, 0));
}

TEST_F(RefBackendTest, ScatterAddsWeightedRowsInOrder) {
  const Activation x = matrix(3, 2, {1, 2, 3, 4, 5, 6});
  const Activation y = matrix(3, 2, {10, 20, 1, 1, 100, 0});
  backend_->scatter_add_rows(x, y, std::vector<std::int32_t>{2, 0, 2},
                             std::vector<float>{0.5F, -1, 2});
  EXPECT_THAT(values(x), ElementsAre(0, 1, 3, 4, 210, 16));
  // In float 1e8 + 1 is 1e8: the order shows.
  const Activation z = matrix(1, 1, {1e8F});
  backend_->scatter_add_rows(z, matrix(2, 1, {-1e8F, 1}), std::vector<std::int32_t>{0, 0},
                             std::vector<float>{1, 1});
  EXPECT_THAT(values(z), ElementsAre(1));
}

TEST_F(RefBackendTest, TopExpertsAreBestFirstAndOfEqualOnesTheLower) {
  const float log2 = std::log(2.0F);
  // Weights 1:2:4:1 and 2:2:2:2.
  const Activation scores = matrix(2, 4, {0, log2, 2 * log2, 0, 5, 5, 5, 5});
  std::vector<std::int32_t> ids(6, -1);
  std::vector<float> weights(6);
  backend_->top_experts(scores, 3, false, ids, weights);
  EXPECT_THAT(ids, ElementsAre(2, 1, 0, 0, 1, 2));
  EXPECT_THAT(weights, ElementsAre(FloatEq(0.5F), FloatEq(0.25F), FloatEq(0.125F), FloatEq(0.25F),
                                   FloatEq(0.25F), FloatEq(0.25F)));
  backend_->top_experts(scores, 3, true, ids, weights);
  EXPECT_THAT(ids, ElementsAre(2, 1, 0, 0, 1, 2));
  EXPECT_THAT(weights, ElementsAre(FloatEq(4 / 7.0F), FloatEq(2 / 7.0F), FloatEq(1 / 7.0F),
                                   FloatEq(1 / 3.0F), FloatEq(1 / 3.0F), FloatEq(1 / 3.0F)));
}

TEST_F(RefBackendTest, TopExpertsOfAllAndOfNoNumbers) {
  std::vector<std::int32_t> ids(3, -1);
  std::vector<float> weights(3);
  backend_->top_experts(matrix(1, 3, {-1000, 1000, 0}), 3, false, ids, weights);
  EXPECT_THAT(ids, ElementsAre(1, 2, 0));
  EXPECT_THAT(weights, ElementsAre(1, 0, 0));
  const float nan = std::nanf("");
  backend_->top_experts(matrix(1, 3, {nan, nan, nan}), 3, true, ids, weights);
  EXPECT_THAT(ids, ::testing::UnorderedElementsAre(0, 1, 2));
}

TEST_F(RefBackendTest, GatherTakesRows) {
  const Activation x = matrix(3, 1, {1, 2, 3});
  const Activation out = empty(2, 1);
  backend_->gather_rows(out, x, std::vector<std::int32_t>{2, 0});
  EXPECT_THAT(values(out), ElementsAre(3, 1));
}

constexpr float kQuarterTurn = 1.57079637F;

TEST_F(RefBackendTest, RopeTurnsNeighboursOrHalves) {
  const std::vector<std::int32_t> positions = {1};
  RopeTable table{.inverse_frequency = {kQuarterTurn, 0.0F}, .magnitude = 1.0F};
  // Two heads of 5 elements, 4 of them rotated: the pair at a quarter turn (a, b) -> (-b, a).
  const std::vector<float> before = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const Activation x = matrix(1, 10, before);
  backend_->rope(x, 5, positions, table);
  EXPECT_THAT(values(x), ElementsAre(FloatNear(-2, 1e-6F), FloatNear(1, 1e-6F), 3, 4, 5,
                                     FloatNear(-7, 1e-6F), FloatNear(6, 1e-6F), 8, 9, 10));
  table.interleaved = false;
  table.magnitude = 2.0F;
  const Activation y = matrix(1, 10, before);
  backend_->rope(y, 5, positions, table);
  EXPECT_THAT(values(y), ElementsAre(FloatNear(-6, 1e-5F), 4, FloatNear(2, 1e-5F), 8, 5,
                                     FloatNear(-16, 1e-5F), 14, FloatNear(12, 1e-5F), 18, 10));
}

TEST_F(RefBackendTest, AttentionIsCausalAndFollowsTheBlockTable) {
  auto cache = backend_->make_kv_cache({2, 3, 2, 1, 2}).value();
  RaggedBatch batch;
  batch.block_tokens = 2;
  batch.token_ids = {0, 0, 0};
  batch.positions = {0, 1, 2};
  batch.block_tables = {2, 0};
  batch.sequences = {
      {.first_row = 0, .rows = 3, .context_tokens = 0, .first_block = 0, .blocks = 2}};
  const AttentionShape shape{.heads = 2, .kv_heads = 1, .head_dim = 2, .scale = 0.5F};
  const float log2 = std::log(2.0F);
  // Scores of head 0 are the first element of each key times log 2; head 1 asks nothing.
  const Activation k = matrix(3, 2, {0, 9, 1, 9, 2, 9});
  const Activation v = matrix(3, 2, {7, 0, 0, 7, 14, 14});
  const Activation q = matrix(3, 4, {2 * log2, 0, 0, 0, 2 * log2, 0, 0, 0, 2 * log2, 0, 0, 0});
  const Activation out = empty(3, 4);
  backend_->write_kv(*cache, 1, k, v, batch);
  backend_->attention(out, q, *cache, 1, batch, shape);
  const std::vector<float> expected = {7,
                                       0,
                                       7,
                                       0,  // sees itself only
                                       7.0F / 3,
                                       14.0F / 3,
                                       3.5F,
                                       3.5F,  // weights 1:2, 1:1
                                       (7 + 0 + 56) / 7.0F,
                                       (0 + 14 + 56) / 7.0F,
                                       7,
                                       7};  // weights 1:2:4, 1:1:1
  EXPECT_THAT(values(out), ::testing::Pointwise(FloatNear(1e-5F), expected));

  // A decode step after these three rows is told that they are context.
  RaggedBatch step;
  step.block_tokens = 2;
  step.token_ids = {0};
  step.positions = {3};
  step.block_tables = {2, 0};
  step.sequences = {
      {.first_row = 0, .rows = 1, .context_tokens = 3, .first_block = 0, .blocks = 2}};
  const Activation out1 = empty(1, 4);
  backend_->write_kv(*cache, 1, matrix(1, 2, {3, 0}), matrix(1, 2, {1, 3}), step);
  backend_->attention(out1, matrix(1, 4, {2 * log2, 0, 0, 0}), *cache, 1, step, shape);
  EXPECT_THAT(values(out1),
              ::testing::Pointwise(FloatNear(1e-5F),
                                   std::vector<float>{71 / 15.0F, 94 / 15.0F, 22 / 4.0F, 6}));
}

TEST_F(RefBackendTest, AttentionStaysInItsWindowAndCapsScores) {
  auto cache = backend_->make_kv_cache({1, 2, 2, 1, 1}).value();
  RaggedBatch batch;
  batch.block_tokens = 2;
  batch.token_ids = {0, 0, 0, 0};
  batch.positions = {0, 1, 2, 3};
  batch.block_tables = {0, 1};
  batch.sequences = {{.rows = 4, .blocks = 2}};
  const float log2 = std::log(2.0F);
  const Activation q = matrix(4, 1, {log2, log2, log2, log2});
  backend_->write_kv(*cache, 0, matrix(4, 1, {0, 1, 2, 0}), matrix(4, 1, {70, 7, 14, 21}), batch);
  AttentionShape shape{.heads = 1, .kv_heads = 1, .head_dim = 1, .scale = 1.0F};
  const auto attend = [&] {
    const Activation out = empty(4, 1);
    backend_->attention(out, q, *cache, 0, batch, shape);
    return values(out);
  };
  // Weights 1:2:4:1; a row sees itself and the one before it.
  shape.window = 2;
  EXPECT_THAT(attend(), ElementsAre(70, FloatEq(28), FloatEq(35 / 3.0F), FloatEq(77 / 5.0F)));
  shape.window = 1;
  EXPECT_THAT(attend(), ElementsAre(70, 7, 14, 21));
  shape.window = 4;
  const std::vector<float> all = attend();
  EXPECT_THAT(all[3], FloatEq((70 + 14 + 56 + 21) / 8.0F));
  shape.window = 0;
  EXPECT_EQ(attend(), all);
  // A score of 2 artanh(1/2) log 2 capped at 2 log 2 is log 2: weights 1:2.
  shape.softcap = 2 * log2;
  shape.scale = 2 * std::atanh(0.5F);
  shape.window = 3;
  EXPECT_THAT(attend()[1], FloatEq((70 + 2 * 7) / 3.0F));
  // Without a cap the second would be e^(2 artanh(1/2) log 2).
  shape.softcap = 0.0F;
  const float weight = std::exp(shape.scale * log2);
  EXPECT_THAT(attend()[1], FloatEq((70 + weight * 7) / (1 + weight)));
}

// A single token is attended to: the result is its value, as the cache keeps it.
TEST_F(RefBackendTest, Fp8KeepsEachHeadsRowWithAScaleOfItsOwn) {
  const auto kept = [&](std::vector<float> v, std::int32_t kv_heads) {
    const auto width = static_cast<std::int64_t>(v.size());
    const auto dim = static_cast<std::int32_t>(width) / kv_heads;
    const auto cache = backend_->make_kv_cache({1, 1, 16, kv_heads, dim, KvType::kFp8}).value();
    RaggedBatch batch;
    batch.token_ids = {0};
    batch.positions = {0};
    batch.block_tables = {0};
    batch.sequences = {{.rows = 1, .blocks = 1}};
    const Activation x = backend_->allocate(1, width, ActivationPrecision::kFull).value();
    const Activation out = backend_->allocate(1, width, ActivationPrecision::kFull).value();
    backend_->write(x, v);
    backend_->write_kv(*cache, 0, x, x, batch);
    backend_->write(x, std::vector<float>(v.size(), 0.0F));  // queries
    backend_->attention(out, x, *cache, 0, batch,
                        {.heads = kv_heads, .kv_heads = kv_heads, .head_dim = dim, .scale = 1.0F});
    std::vector<float> got(v.size());
    backend_->read(out, got);
    return got;
  };
  // Scales 1 and 2: steps of 32 below 448 and of 64 below 896, of 1 and 2 below 16 and 32.
  EXPECT_THAT(kept({448.0F, -433.0F, 15.6F, 0.0F, 896.0F, -433.0F, 15.6F, 31.0F}, 2),
              ElementsAre(448.0F, -448.0F, 16.0F, 0.0F, 896.0F, -448.0F, 16.0F, 32.0F));
  EXPECT_THAT(kept({0.0F, -0.0F}, 1), ElementsAre(0.0F, 0.0F));
  // Below what the least scale holds there is nothing.
  EXPECT_THAT(kept({1e-20F, 1e-30F}, 1), ElementsAre(0.0F, 0.0F));
  const std::vector<float> broken = kept({1.0F, std::nanf(""), 2.0F, 3.0F}, 2);
  EXPECT_TRUE(std::isnan(broken[0]) && std::isnan(broken[1]));
  EXPECT_THAT(std::vector(broken.begin() + 2, broken.end()),
              ElementsAre(FloatNear(2.0F, 0.08F), FloatEq(3.0F)));
}

TEST_F(RefBackendTest, RefusesWhatItCannotHold) {
  EXPECT_EQ(backend_->make_kv_cache({1, 0, 16, 1, 64}).error().code, ErrorCode::kInvalidArgument);
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(backend_->make_kv_cache({kMost, kMost, kMost, 1, 64}).error().code,
            ErrorCode::kResourceExhausted);
  EXPECT_EQ(backend_->allocate(std::int64_t{1} << 40, std::int64_t{1} << 40).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(backend_->allocate(-1, 4).error().code, ErrorCode::kInvalidArgument);
  const std::vector<std::byte> bytes(17);
  EXPECT_EQ(backend_->load_weight({"w", DType::kQ4_0, {1, 32}, bytes}, InputPrecision::kFast)
                .error()
                .code,
            ErrorCode::kCorrupt);
  EXPECT_EQ(backend_->load_weight({"w", DType::kQ4_0, {1, 16}, bytes}, InputPrecision::kFast)
                .error()
                .code,
            ErrorCode::kCorrupt);
  EXPECT_EQ(
      backend_->load_weight({"w", DType::kI32, {4}, bytes}, InputPrecision::kFast).error().code,
      ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace hangar
