// The backend as a whole: steps that are recorded and replayed, tokens that only the card knows,
// memory that is taken once. What each operation computes is tested beside its kernels.
#include "backend/cuda/cuda_backend.h"

#include <gmock/gmock.h>

#include <array>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "backend/cuda/device.h"
#include "backend/cuda/device_arch.h"
#include "backend/cuda/testing.h"

namespace hangar::cuda {
namespace {

using ::testing::HasSubstr;

class CudaBackendTest : public CudaOpsTest {};

INSTANTIATE_TEST_SUITE_P(WorkTypes, CudaBackendTest, kWorkTypes, work_type_name);

// `count` sequences of one row each, all of whose logits are wanted.
RaggedBatch decode_batch(std::int32_t count, std::int32_t salt) {
  RaggedBatch batch;
  for (std::int32_t i = 0; i < count; ++i) {
    batch.sequences.push_back({i, 1, 0, i, 1});
    batch.block_tables.push_back(i);
    batch.token_ids.push_back((i * 7 + salt) % 50);
    batch.positions.push_back(0);
    batch.logit_rows.push_back(i);
  }
  return batch;
}

// One step: embedding, norm and a product, of as many rows as the body is given.
class SmallModel {
 public:
  SmallModel(Backend& backend, const TensorView& table, const TensorView& norm,
             const TensorView& head, std::int32_t most_rows)
      : backend_(backend),
        table_(backend.load_weight(table, InputPrecision::kFast).value()),
        norm_(backend.load_weight(norm, InputPrecision::kFast).value()),
        head_(backend.load_weight(head, InputPrecision::kFast).value()),
        x_(backend.allocate(most_rows, table.columns(), ActivationPrecision::kFull).value()),
        last_(backend.allocate(most_rows, table.columns(), ActivationPrecision::kFull).value()),
        normed_(backend.allocate(most_rows, table.columns()).value()),
        logits_(backend.allocate(most_rows, head.rows(), ActivationPrecision::kLogits).value()) {}

  Activation step(const RaggedBatch& batch) {
    backend_.run_step(batch, true, [&](const RaggedBatch& rows) {
      ++bodies_;
      const Activation x = x_.first_rows(rows.rows());
      const Activation last = last_.first_rows(rows.rows());
      backend_.embed(x, *table_, rows.token_ids);
      backend_.gather_rows(last, x, rows.logit_rows);
      backend_.norm_matmul(std::array{logits_.first_rows(rows.rows())}, last, {norm_.get(), 1e-5F},
                           std::array<const Weight*, 1>{head_.get()},
                           normed_.first_rows(rows.rows()));
    });
    return logits_.first_rows(batch.rows());
  }
  int bodies() const { return bodies_; }

 private:
  Backend& backend_;
  WeightPtr table_, norm_, head_;
  Activation x_, last_, normed_, logits_;
  int bodies_ = 0;
};

TEST_P(CudaBackendTest, ARecordedStepComputesEachBatchAnew) {
  const TensorView table = random_view(50, 64, 1.0F);
  const TensorView norm = float_view({64}, random_floats(64));
  const TensorView head = random_view(96, 64);
  SmallModel on_card(*cuda_, table, norm, head, 40);
  SmallModel reference(*ref_, table, norm, head, 40);
  for (const std::int32_t count : {1, 3, 5, 9, 33}) {
    const int before = on_card.bodies();
    for (std::int32_t round = 0; round < 5; ++round) {
      SCOPED_TRACE(std::to_string(count) + " rows, round " + std::to_string(round));
      const RaggedBatch batch = decode_batch(count, round * 11);
      const std::vector<float> got = values_of(*cuda_, on_card.step(batch));
      const std::vector<float> want = values_of(*ref_, reference.step(batch));
      expect_near(got, want, 40 * epsilon(), 4 * epsilon());
    }
    EXPECT_EQ(on_card.bodies() - before, 2) << "once as it is, once recorded";
  }
}

TEST_P(CudaBackendTest, AStepNamesTokensThatOnlyTheCardKnows) {
  const TensorView table = random_view(50, 64, 1.0F);
  const TensorView norm = float_view({64}, random_floats(64));
  SmallModel model(*cuda_, table, norm, random_view(50, 64), 8);
  std::vector<SampleRow> rows(3);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].row = static_cast<std::int32_t>(i);
    rows[i].temperature = 0.0F;
  }
  RaggedBatch batch = decode_batch(3, 5);
  const Activation first = model.step(batch);
  std::vector<Sampled> drawn(3), known(3), unknown(3);
  cuda_->sample(first, rows, drawn);

  // The next step, once with the ids that were drawn and once with their places, in another order.
  RaggedBatch next = decode_batch(3, 0);
  for (std::size_t i = 0; i < 3; ++i) next.token_ids[i] = drawn[2 - i].token;
  cuda_->sample(model.step(next), rows, known);

  cuda_->start_sample(model.step(batch), rows);
  for (std::size_t i = 0; i < 3; ++i) next.token_ids[i] = -1 - static_cast<std::int32_t>(2 - i);
  cuda_->start_sample(model.step(next), rows);
  std::vector<Sampled> again(3);
  cuda_->finish_sample(again);
  cuda_->finish_sample(unknown);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(again[i].token, drawn[i].token);
    EXPECT_EQ(unknown[i].token, known[i].token);
  }
}

TEST_P(CudaBackendTest, MemoryIsCountedAndEndsInWords) {
  const BackendMemory before = *cuda_->memory();
  EXPECT_EQ(before.total_bytes, 2ULL << 30U);
  const TensorView view = random_view(1024, 512);
  const WeightPtr weight = cuda_->load_weight(view, InputPrecision::kFast).value();
  const std::uint64_t taken = before.left_bytes - cuda_->memory()->left_bytes;
  EXPECT_GE(taken, cuda_->weight_bytes(view));
  EXPECT_LT(taken, cuda_->weight_bytes(view) + 4096);
  const auto too_much = cuda_->allocate(1 << 20, 1 << 12, ActivationPrecision::kFull);
  ASSERT_FALSE(too_much.has_value());
  EXPECT_EQ(too_much.error().code, ErrorCode::kResourceExhausted);

  KvShape shape{2, 0, 16, 2, 64, cuda_->default_kv_type()};
  shape.blocks = cuda_->kv_blocks_that_fit(shape);
  EXPECT_GT(shape.blocks, 1000);
  const auto cache = cuda_->make_kv_cache(shape);
  ASSERT_TRUE(cache.has_value()) << cache.error().message;
  EXPECT_LT(cuda_->memory()->left_bytes, 4 * cuda_->kv_block_bytes(shape) + (1U << 20U));
  shape.type = KvType::kInt8;
  EXPECT_EQ(cuda_->make_kv_cache(shape).error().code, ErrorCode::kUnsupported);
}

TEST(CudaDeviceTest, TakesAllButALittleWhereNobodySays) {
  constexpr std::uint64_t kGib = std::uint64_t{1} << 30U;
  EXPECT_EQ(usual_memory(150 * kGib), 147 * kGib);
  EXPECT_EQ(usual_memory(24 * kGib), 24 * kGib - 3 * kGib / 2);
  EXPECT_EQ(usual_memory(kGib), 0U);
}

TEST(CudaDeviceTest, SaysWhyACardCannotBeUsed) {
  BackendOptions options;
  options.device = 99;
  const auto made = make_cuda_backend(options);
  ASSERT_FALSE(made.has_value());
  if (card_present()) {
    EXPECT_THAT(made.error().message, HasSubstr("there is no card 99"));
    options.device = 0;
    options.device_memory_bytes = 1ULL << 50U;
    EXPECT_EQ(make_cuda_backend(options).error().code, ErrorCode::kResourceExhausted);
  } else {
    EXPECT_EQ(made.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(made.error().message, HasSubstr("card"));
  }
}

// A file's 4 bits stay so where there are products for them; what is planned is what is taken.
TEST_P(CudaBackendTest, FourBitsOfAFileStayWhereTheyAreMultiplied) {
  const bool stay = runs_hopper_code();
  const std::vector<std::byte> bytes(row_bytes(DType::kInt4G32, 256) * 32);
  TensorView w{"blk.0.ffn_up.weight", DType::kInt4G32, {32, 256}, bytes};
  w.group_columns = 128;
  const auto load = [&] {
    const WeightPtr weight = cuda_->load_weight(w, InputPrecision::kFast).value();
    EXPECT_EQ(weight->memory_bytes, cuda_->weight_bytes(w));
    return weight->form;
  };
  const std::string widened = std::string(dtype_name(GetParam())) + ", from INT4_G32";
  EXPECT_EQ(load(), stay ? "INT4, groups of 128, from INT4_G32" : widened);
  EXPECT_EQ(cuda_->input_bytes(w, 64) > 0, stay);
  w.group_columns = 64;
  EXPECT_EQ(load(), stay ? "INT4, groups of 32, from INT4_G32" : widened);
  std::vector<std::int32_t> order(256);
  std::iota(order.rbegin(), order.rend(), 0);
  w.input_order = std::make_shared<const std::vector<std::int32_t>>(order);
  EXPECT_EQ(load(), widened);
}

TEST_P(CudaBackendTest, FewerBitsThanItMultipliesAreRefused) {
  using enum WeightQuant;
  for (const QuantOptions& quant : {QuantOptions{.matrices = kInt4}, QuantOptions{.head = kInt4},
                                    QuantOptions{.matrices = kFp8}}) {
    BackendOptions options;
    options.device_memory_bytes = std::uint64_t{256} << 20U;
    options.quant = quant;
    const auto made = make_cuda_backend(options);
    if (runs_hopper_code()) {
      ASSERT_TRUE(made.has_value()) << made.error().message;
      const TensorView table{"token_embd.weight", DType::kBF16, {64, 128}};
      const std::size_t head = quant.head == kInt4 ? 4 * 1088 : 0;
      EXPECT_EQ((*made)->head_bytes(table), head);
      continue;
    }
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code, ErrorCode::kUnsupported);
    EXPECT_EQ(made.error().field, quant.matrices ? "quant" : "quant_head");
    EXPECT_THAT(made.error().message, HasSubstr(quant.matrices == kFp8 ? "FP8 weights (--quant fp8"
                                                                       : "4-bit weights (--quant "
                                                                         "int4, --quant-head 4)"));
  }
}

}  // namespace
}  // namespace hangar::cuda
