#include "backend/random_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/registry.h"
#include "quant/dequantize.h"

namespace hangar {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr RandomWeights kUniform = {.kind = RandomWeights::Kind::kUniform, .seed = 3};
constexpr RandomWeights kNormal = {.kind = RandomWeights::Kind::kNormal, .seed = 3};

TensorView matrix(std::string name, std::int64_t rows, std::int64_t columns,
                  DType dtype = DType::kF32) {
  return {.name = std::move(name), .dtype = dtype, .shape = {rows, columns}};
}

std::vector<float> values_of(const TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.elements()));
  dequantize_row(view.dtype, view.data.data(), values.data(), view.elements());
  return values;
}

std::vector<float> made(const TensorView& view, const RandomWeights& how) {
  const auto data = make_random_data(view, how);
  EXPECT_TRUE(data) << data.error().message;
  return data ? values_of(*data) : std::vector<float>();
}

struct Moments {
  double mean = 0.0;
  double deviation = 0.0;
  double kurtosis = 0.0;  // 1.8 of an even distribution, 3 of a normal one
};

Moments moments_of(const std::vector<float>& values) {
  const auto count = static_cast<double>(values.size());
  Moments out;
  for (const float value : values) out.mean += value / count;
  double second = 0.0;
  double fourth = 0.0;
  for (const float value : values) {
    const double square = (value - out.mean) * (value - out.mean);
    second += square / count;
    fourth += square * square / count;
  }
  out.deviation = std::sqrt(second);
  out.kurtosis = fourth / (second * second);
  return out;
}

TEST(RandomWeight, UniformIsEvenWithinItsLimit) {
  const std::vector<float> values = made(matrix("blk.0.ffn_up.weight", 300, 400), kUniform);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  EXPECT_GE(*least, -1e-3F);
  EXPECT_LE(*most, 1e-3F);
  EXPECT_LT(*least, -0.99e-3F);
  EXPECT_GT(*most, 0.99e-3F);
  const Moments moments = moments_of(values);
  EXPECT_NEAR(moments.mean, 0.0, 1e-5);
  EXPECT_NEAR(moments.deviation, 1e-3 / std::sqrt(3.0), 5e-6);
  EXPECT_NEAR(moments.kurtosis, 1.8, 0.03);
}

TEST(RandomWeight, NormalIsNormal) {
  const std::vector<float> values = made(matrix("blk.0.ffn_up.weight", 300, 400), kNormal);
  const Moments moments = moments_of(values);
  EXPECT_NEAR(moments.mean, 0.0, 2e-4);
  EXPECT_NEAR(moments.deviation, 0.02, 2e-4);
  EXPECT_NEAR(moments.kurtosis, 3.0, 0.1);
}

TEST(RandomWeight, FollowsFromSeedAndNameAlone) {
  const std::vector<float> once = made(matrix("blk.0.attn_q.weight", 8, 16), kUniform);
  EXPECT_EQ(made(matrix("blk.0.attn_q.weight", 8, 16), kUniform), once);
  EXPECT_NE(made(matrix("blk.1.attn_q.weight", 8, 16), kUniform), once);
  EXPECT_NE(made(matrix("blk.0.attn_q.weight", 8, 16), {.kind = kUniform.kind, .seed = 4}), once);
  // Two rows are not the same numbers.
  EXPECT_FALSE(std::equal(once.begin(), once.begin() + 16, once.begin() + 16));
}

TEST(RandomWeight, APartOfATensorHasItsPartOfTheNumbers) {
  for (const RandomWeights& how : {kUniform, kNormal}) {
    const TensorView whole = matrix("blk.0.attn_qkv.weight", 12, 16);
    const std::vector<float> all = made(whole, how);
    const std::vector<float> part = made(slice_rows(whole, 5, 3), how);
    EXPECT_EQ(part, std::vector<float>(all.begin() + 5 * 16, all.begin() + 8 * 16));
  }
}

TEST(RandomWeight, NormsAreOneAndBiasesZero) {
  for (const char* name : {"output_norm.weight", "blk.0.attn_norm.weight",
                           "blk.0.attn_q_norm.weight", "blk.3.post_ffw_norm.weight"}) {
    EXPECT_THAT(made({.name = name, .dtype = DType::kF32, .shape = {33}}, kNormal), Each(1.0F));
  }
  const TensorView bias = {.name = "blk.0.attn_q.bias", .dtype = DType::kBF16, .shape = {7}};
  EXPECT_THAT(made(bias, kUniform), Each(0.0F));
  EXPECT_EQ(random_role(matrix("output.weight", 1, 8)), RandomRole::kMatrix);
}

TEST(RandomWeight, TypesAreRoundingsOfTheSameNumbers) {
  const std::vector<float> exact = made(matrix("m.weight", 4, 64), kNormal);
  for (const auto& [dtype, tolerance] :
       {std::pair{DType::kF16, 1e-4F}, {DType::kBF16, 5e-4F}, {DType::kQ8_0, 5e-4F}}) {
    const std::vector<float> rounded = made(matrix("m.weight", 4, 64, dtype), kNormal);
    EXPECT_NE(rounded, exact);
    for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(rounded[i], exact[i], tolerance);
  }
}

TEST(RandomWeight, RefusesWhatItDoesNotWrite) {
  const auto packed = make_random_data(matrix("m.weight", 4, 256, DType::kQ4_K), kUniform);
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(packed.error().message, HasSubstr("m.weight"));
  const auto ragged = make_random_data(matrix("m.weight", 4, 33, DType::kQ8_0), kUniform);
  ASSERT_FALSE(ragged);
  EXPECT_EQ(ragged.error().code, ErrorCode::kCorrupt);
  const auto vast = make_random_data(matrix("m.weight", 1LL << 21, 1LL << 41), kUniform);
  ASSERT_FALSE(vast);
  EXPECT_EQ(vast.error().code, ErrorCode::kResourceExhausted);
}

TEST(RandomWeight, EveryBackendComputesWithIt) {
  for (const std::string_view name : {"ref", "cpu"}) {
    const auto backend = make_backend(name, 1).value();
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      const TensorView view = matrix("token_embd.weight", 40, 24, dtype);
      const auto weight = backend->random_weight(view, kNormal, InputPrecision::kFast);
      ASSERT_TRUE(weight) << weight.error().message;
      EXPECT_EQ((*weight)->rows, 40);
      EXPECT_EQ((*weight)->columns, 24);
      const Activation out = backend->allocate(2, 24).value();
      backend->embed(out, **weight, std::vector<std::int32_t>{39, 3});
      std::vector<float> rows(48);
      backend->read(out, rows);
      const std::vector<float> all = made(view, kNormal);
      EXPECT_EQ(std::vector<float>(rows.begin(), rows.begin() + 24),
                std::vector<float>(all.begin() + 39 * 24, all.end()));
      EXPECT_EQ(std::vector<float>(rows.begin() + 24, rows.end()),
                std::vector<float>(all.begin() + 3 * 24, all.begin() + 4 * 24));
    }
  }
}

}  // namespace
}  // namespace hangar
