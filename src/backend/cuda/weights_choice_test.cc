// Which weights are FP8 or 4 bits, what that takes, and where scales lie: no card needed.
#include "backend/cuda/weights_choice.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/int4_copy.h"
#include "backend/cuda/weights_scales.h"

namespace hangar::cuda {
namespace {

using enum WeightQuant;

TensorView listed(std::string name, std::vector<std::int64_t> shape, DType dtype = DType::kBF16) {
  return {std::move(name), dtype, std::move(shape)};
}

const TensorView kMatrix = listed("blk.3.ffn_up.weight", {11008, 4096});
const TensorView kHead = listed("output.weight", {32000, 4096});

WeightForm form(const QuantOptions& asked, const TensorView& view, bool multiplies = true) {
  return WeightChoice(asked, multiplies, multiplies).form(view);
}

TEST(WeightChoice, MatricesAreFp8WhereAsked) {
  EXPECT_EQ(form({}, kMatrix), WeightForm::kDense);
  EXPECT_EQ(form({.matrices = kNone}, kMatrix), WeightForm::kDense);
  EXPECT_EQ(form({.matrices = kFp8}, kMatrix), WeightForm::kFp8);
  EXPECT_EQ(form({.matrices = kFp8}, listed("blk.0.ffn_up.7.weight", {1408, 2048})),
            WeightForm::kFp8);
  EXPECT_EQ(form({.matrices = kFp8}, listed("blk.0.ffn_gate_exps.weight", {64, 1408, 2048})),
            WeightForm::kFp8);
}

TEST(WeightChoice, TablesRoutersNormsAndBiasesNeverAre) {
  const QuantOptions all{.matrices = kFp8, .head = kFp8};
  for (const DType dtype : {DType::kBF16, DType::kF8E4M3}) {
    EXPECT_EQ(form(all, listed("token_embd.weight", {32000, 4096}, dtype)), WeightForm::kDense);
    EXPECT_EQ(form(all, listed("blk.0.ffn_gate_inp.weight", {64, 2048}, dtype)),
              WeightForm::kDense);
  }
  EXPECT_EQ(form(all, listed("blk.0.attn_norm.weight", {4096})), WeightForm::kVector);
  EXPECT_EQ(form(all, listed("blk.0.attn_q.bias", {4096})), WeightForm::kVector);
}

TEST(WeightChoice, ExactCopiesAreOfGroupsOf128ButExperts) {
  const QuantOptions asked{.matrices = kInt4, .copies = WeightCopies::kExact};
  const auto bytes = [&](const TensorView& view, bool multiplies = true) {
    return WeightChoice(asked, multiplies, multiplies).copy_bytes(view);
  };
  EXPECT_EQ(bytes(kMatrix), 11008U * (4096 + 2 * 32));
  EXPECT_EQ(bytes(kMatrix, false), 0U);
  EXPECT_EQ(bytes(kHead), 0U);  // 16 bits
  EXPECT_EQ(bytes(listed("token_embd.weight", {32000, 4096})), 0U);
  EXPECT_EQ(bytes(listed("blk.3.ffn_up.weight", {11008, 4096}, DType::kQ4_0)), 0U);  // groups of 32
  EXPECT_EQ(bytes(listed("blk.0.ffn_gate_exps.weight", {64, 1408, 2048})), 0U);
  EXPECT_EQ(bytes(listed("blk.0.ffn_up.7.weight", {1408, 2048})), 0U);
  EXPECT_EQ(WeightChoice({.matrices = kFp8}, true, true).copy_bytes(kMatrix), 0U);
}

TEST(WeightChoice, RoundedCopiesAreOfAny4Bits) {
  EXPECT_EQ(WeightChoice({.matrices = kInt4}, true, true).copy_bytes(kMatrix), 11008U * (4096 + 4));
  const WeightChoice choice({}, true, true);
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ4_K}) {
    EXPECT_EQ(choice.copy_bytes(listed("blk.3.ffn_up.weight", {11008, 4096}, dtype)),
              11008U * (4096 + 4));
  }
  EXPECT_EQ(choice.copy_bytes(listed("blk.3.ffn_up.weight", {1536, 576}, DType::kQ4_0)),
            1536U * (576 + 4));
  EXPECT_EQ(choice.copy_bytes(listed("blk.3.ffn_up.weight", {11008, 4096}, DType::kQ8_0)), 0U);
  EXPECT_EQ(choice.copy_bytes(listed("blk.0.ffn_up.7.weight", {1408, 2048}, DType::kQ4_K)), 0U);
}

TEST(WeightChoice, CopiesWantAnEighthUnlessAskedOtherwise) {
  const auto wants = [](WeightCopies copies, std::uint64_t bytes) {
    return WeightChoice({.copies = copies}, true, true).wants_copies(bytes, 8000);
  };
  EXPECT_TRUE(wants(WeightCopies::kAuto, 1000));
  EXPECT_FALSE(wants(WeightCopies::kAuto, 1001));
  EXPECT_TRUE(wants(WeightCopies::kExact, 9000));
  EXPECT_TRUE(wants(WeightCopies::kRounded, 9000));
  EXPECT_FALSE(wants(WeightCopies::kOff, 1));
}

TEST(WeightChoice, TheHeadHasItsOwn) {
  EXPECT_EQ(form({.matrices = kFp8}, kHead), WeightForm::kDense);
  EXPECT_EQ(form({.matrices = kFp8, .head = kFp8}, kHead), WeightForm::kFp8);
  EXPECT_EQ(form({.head = kFp8}, kHead), WeightForm::kFp8);
  EXPECT_EQ(form({.head = kFp8}, kMatrix), WeightForm::kDense);
}

TEST(WeightChoice, AFilesOwnFp8IsKeptUnlessAskedOtherwise) {
  TensorView matrix = kMatrix;
  TensorView head = kHead;
  matrix.dtype = head.dtype = DType::kF8E4M3;
  EXPECT_EQ(form({}, matrix), WeightForm::kFp8);
  EXPECT_EQ(form({}, head), WeightForm::kFp8);
  EXPECT_EQ(form({.matrices = kNone}, matrix), WeightForm::kDense);
  EXPECT_EQ(form({.matrices = kNone}, head), WeightForm::kDense);
  EXPECT_EQ(form({.matrices = kNone, .head = kFp8}, head), WeightForm::kFp8);
  EXPECT_EQ(form({.head = kNone}, head), WeightForm::kDense);
  EXPECT_EQ(form({.head = kNone}, matrix), WeightForm::kFp8);
  EXPECT_EQ(form({}, matrix, false), WeightForm::kDense);
}

TEST(WeightChoice, WhatFp8ProductsDoNotTakeIsDense) {
  const QuantOptions all{.matrices = kFp8, .head = kFp8};
  EXPECT_EQ(form(all, listed("output.weight", {50257, 768})), WeightForm::kDense);
  EXPECT_EQ(form(all, listed("blk.0.ffn_up.weight", {64, 40})), WeightForm::kDense);
  EXPECT_EQ(form(all, listed("blk.0.ffn_up.weight", {16, 16})), WeightForm::kFp8);
}

TEST(WeightChoice, ATiedHeadIsACopyInFp8OrTheTable) {
  const auto tied = [](const QuantOptions& asked, bool multiplies = true) {
    return WeightChoice(asked, multiplies, multiplies).tied_head_form(49152, 576);
  };
  EXPECT_EQ(tied({}), WeightForm::kDense);
  EXPECT_EQ(tied({.matrices = kFp8}), WeightForm::kDense);
  EXPECT_EQ(tied({.matrices = kFp8, .head = kFp8}), WeightForm::kFp8);
  EXPECT_EQ(tied({.head = kFp8}), WeightForm::kFp8);
  EXPECT_EQ(tied({.head = kFp8}, false), WeightForm::kDense);
  EXPECT_EQ(WeightChoice({.head = kFp8}, true, true).tied_head_form(50257, 768),
            WeightForm::kDense);
}

TEST(WeightChoice, CountsNumbersAndScales) {
  const WeightChoice fp8({.matrices = kFp8}, true, true);
  EXPECT_EQ(fp8.bytes(kMatrix), 11008U * 4096U + 11008U * 4U);
  EXPECT_EQ(fp8.bytes(kHead), 32000U * 4096U * 2U);
  EXPECT_EQ(fp8.bytes(listed("blk.0.attn_norm.weight", {4096})), 4096U * 4U);
  EXPECT_EQ(WeightChoice({}, true, true).bytes(kMatrix), 11008U * 4096U * 2U);
}

TEST(WeightChoice, AFilesOwnFourBitsAreKeptUnlessAskedOtherwise) {
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ4_K, DType::kInt4G32}) {
    SCOPED_TRACE(dtype_name(dtype));
    TensorView matrix = kMatrix;
    TensorView head = kHead;
    matrix.dtype = head.dtype = dtype;
    EXPECT_EQ(form({}, matrix), WeightForm::kInt4);
    EXPECT_EQ(form({}, head), WeightForm::kInt4);
    EXPECT_EQ(form({.matrices = kInt4}, matrix), WeightForm::kInt4);
    EXPECT_EQ(form({.matrices = kNone}, matrix), WeightForm::kDense);
    EXPECT_EQ(form({.matrices = kNone}, head), WeightForm::kDense);
    EXPECT_EQ(form({.matrices = kFp8}, matrix), WeightForm::kFp8);
    EXPECT_EQ(form({.head = kFp8}, head), WeightForm::kFp8);
    EXPECT_EQ(form({.head = kNone}, head), WeightForm::kDense);
    EXPECT_EQ(form({}, listed("token_embd.weight", {32000, 4096}, dtype)), WeightForm::kDense);
    EXPECT_EQ(form({}, matrix, false), WeightForm::kDense);
    EXPECT_EQ(WeightChoice({}, true, false).form(matrix), WeightForm::kDense);
    EXPECT_EQ(WeightChoice({}, false, true).form(matrix), WeightForm::kInt4);
  }
  // The others of such a file.
  for (const DType dtype : {DType::kQ6_K, DType::kQ8_0, DType::kQ5_K, DType::kBF16}) {
    TensorView matrix = kMatrix;
    matrix.dtype = dtype;
    EXPECT_EQ(form({}, matrix), WeightForm::kDense);
    EXPECT_EQ(form({.matrices = kInt4}, matrix), WeightForm::kInt4);
  }
}

TEST(WeightChoice, InputsInAnotherOrderTakeSixteenBitsUnlessFourAreAsked) {
  TensorView matrix = kMatrix;
  matrix.dtype = DType::kInt4G32;
  matrix.group_columns = 128;
  const WeightChoice usual({}, true, true);
  EXPECT_FALSE(usual.gives_up_int4(matrix));
  matrix.input_order = std::make_shared<const std::vector<std::int32_t>>();
  EXPECT_EQ(usual.form(matrix), WeightForm::kDense);
  EXPECT_TRUE(usual.gives_up_int4(matrix));
  EXPECT_EQ(form({.matrices = kInt4}, matrix), WeightForm::kInt4);
  EXPECT_EQ(form({.matrices = kFp8}, matrix), WeightForm::kFp8);
  for (const WeightQuant asked : {kNone, kFp8, kInt4}) {
    EXPECT_FALSE(WeightChoice({.matrices = asked}, true, true).gives_up_int4(matrix));
  }
  EXPECT_FALSE(WeightChoice({}, true, false).gives_up_int4(matrix)) << "not for its order";
}

TEST(WeightChoice, WhatStripsDoNotTakeIsDense) {
  const QuantOptions all{.matrices = kInt4, .head = kInt4};
  EXPECT_EQ(form(all, listed("blk.0.ffn_up.weight", {64, 48})), WeightForm::kDense);
  EXPECT_EQ(form(all, listed("blk.0.ffn_up.weight", {24, 64})), WeightForm::kDense);
  EXPECT_EQ(form(all, listed("blk.0.ffn_up.weight", {16, 32})), WeightForm::kInt4);
  EXPECT_EQ(form(all, listed("output.weight", {50257, 768})), WeightForm::kDense);
  EXPECT_EQ(form(all, listed("blk.0.attn_norm.weight", {4096})), WeightForm::kVector);
  EXPECT_EQ(form(all, listed("blk.0.ffn_gate_inp.weight", {64, 2048})), WeightForm::kDense);
}

TEST(WeightChoice, AHeadOfFourBits) {
  EXPECT_EQ(form({.matrices = kInt4}, kHead), WeightForm::kDense);
  EXPECT_EQ(form({.matrices = kInt4, .head = kInt4}, kHead), WeightForm::kInt4);
  EXPECT_EQ(form({.matrices = kInt4, .head = kFp8}, kHead), WeightForm::kFp8);
  EXPECT_EQ(form({.head = kInt4}, kMatrix), WeightForm::kDense);
  EXPECT_EQ(WeightChoice({.head = kInt4}, true, true).tied_head_form(49152, 576),
            WeightForm::kInt4);
  EXPECT_EQ(WeightChoice({.head = kInt4}, true, false).tied_head_form(49152, 576),
            WeightForm::kDense);
  EXPECT_EQ(WeightChoice({.matrices = kInt4}, true, true).tied_head_form(49152, 576),
            WeightForm::kDense);
}

TEST(WeightChoice, CountsStripsByTheirForm) {
  const WeightChoice usual({}, true, true);
  const auto bytes = [&](DType dtype, std::int64_t group = 0) {
    TensorView matrix = kMatrix;
    matrix.dtype = dtype;
    matrix.group_columns = group;
    return usual.bytes(matrix);
  };
  constexpr std::size_t kNumbers = std::size_t{11008} * 4096 / 2;
  constexpr std::size_t kBlockRows = std::size_t{11008} * 32;  // rows of 128 columns
  EXPECT_EQ(bytes(DType::kQ4_0), kNumbers + kBlockRows * 16);
  EXPECT_EQ(bytes(DType::kQ4_1), kNumbers + kBlockRows * 16);
  EXPECT_EQ(bytes(DType::kQ4_K), kNumbers + kBlockRows * 12);
  EXPECT_EQ(bytes(DType::kInt4G32, 64), kNumbers + kBlockRows * 16);
  EXPECT_EQ(bytes(DType::kInt4G32, 128), kNumbers + kBlockRows * 4);
  EXPECT_EQ(WeightChoice({.matrices = kInt4}, true, true).bytes(kMatrix),
            kNumbers + kBlockRows * 4);
  EXPECT_EQ(form_bytes(WeightForm::kInt4, 32, 576), 2U * 5U * 1088U);
}

// Takes from the host, and keeps count.
class HostMemoryPool {
 public:
  TakeMemory taker() {
    return [this](std::size_t bytes, std::size_t /*alignment*/) -> void* {
      if (pieces_.size() == most_) return nullptr;
      pieces_.emplace_back(bytes / sizeof(float));
      return pieces_.back().data();
    };
  }
  std::size_t pieces() const { return pieces_.size(); }
  void allow(std::size_t most) { most_ = most; }

 private:
  std::vector<std::vector<float>> pieces_;
  std::size_t most_ = 100;
};

TEST(ScalePool, WeightsOfOneInputHaveThemTogether) {
  HostMemoryPool memory;
  ScalePool pool(memory.taker());
  const float* q = pool.take(4096, 4096);
  EXPECT_EQ(pool.take(1000, 4096), q + 4096);
  EXPECT_EQ(pool.take(1027, 4096), q + 5096);
  const float* down = pool.take(4096, 11008);
  EXPECT_EQ(down, q + 6124) << "a run begins at 16 bytes";
  EXPECT_EQ(memory.pieces(), 1U);
}

TEST(ScalePool, NoRunIsPartedThatCouldLieInOne) {
  HostMemoryPool memory;
  ScalePool pool(memory.taker());
  // Runs of 7/8 of what is promised, over many pieces of memory.
  constexpr std::int64_t kRows = ScalePool::kRunRows / 8;
  for (int run = 0; run < 50; ++run) {
    const float* first = pool.take(kRows, 64 + run % 2);
    for (int i = 1; i < 7; ++i) ASSERT_EQ(pool.take(kRows, 64 + run % 2), first + i * kRows) << run;
  }
  EXPECT_GT(memory.pieces(), 10U);
  EXPECT_LE(memory.pieces(), 50U);
}

TEST(ScalePool, LongRunsGoOnElsewhereAndItEnds) {
  HostMemoryPool memory;
  ScalePool pool(memory.taker());
  memory.allow(2);
  const std::int64_t rows = ScalePool::kPieceRows + 5;
  EXPECT_NE(pool.take(rows, 64), nullptr) << "more than a piece";
  EXPECT_NE(pool.take(rows, 64), nullptr);
  EXPECT_EQ(pool.take(rows, 64), nullptr);
}

TEST(WeightChoice, WhatNeedsHopperIsRefusedElsewhereByName) {
  EXPECT_TRUE(check_quant({.matrices = kFp8}, true, "a card").has_value());
  EXPECT_TRUE(check_quant({.matrices = WeightQuant::kNone}, false, "a card").has_value());
  EXPECT_TRUE(check_quant({}, false, "a card").has_value());
  const Status matrices = check_quant({.matrices = WeightQuant::kInt4}, false, "NVIDIA A100");
  ASSERT_FALSE(matrices.has_value());
  EXPECT_EQ(matrices.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(matrices.error().message.find("--quant int4"), std::string::npos);
  EXPECT_NE(matrices.error().message.find("NVIDIA A100"), std::string::npos);
  const Status head = check_quant({.head = kFp8}, false, "NVIDIA A100");
  ASSERT_FALSE(head.has_value());
  EXPECT_NE(head.error().message.find("--quant-head 8"), std::string::npos);
}

}  // namespace
}  // namespace hangar::cuda
