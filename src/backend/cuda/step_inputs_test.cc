// A step's inputs on their way: each step finds its own, however far the host is ahead.
#include "backend/cuda/step_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "backend/cuda/testing.h"

namespace hangar::cuda {
namespace {

using ::testing::ElementsAreArray;

class StepInputsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!card_present()) GTEST_SKIP() << "no CUDA card here";
    DeviceOptions options;
    options.memory_bytes = std::uint64_t{256} << 20U;
    auto opened = Device::open(options);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    device_ = std::move(*opened);
    inputs_ = std::make_unique<StepInputs>(*device_);
  }

  // Of `rows` sequences with `blocks` blocks each; every number tells steps apart.
  static RaggedBatch batch_of(std::int32_t step, std::int32_t rows, std::int32_t blocks) {
    RaggedBatch batch;
    for (std::int32_t r = 0; r < rows; ++r) {
      batch.token_ids.push_back(1000 * step + r);
      batch.positions.push_back(step + 2 * r);
      batch.logit_rows.push_back(r);
      batch.sequences.push_back({r, 1, step + 2 * r, r * blocks, blocks});
      for (std::int32_t b = 0; b < blocks; ++b) batch.block_tables.push_back(step * 7 + r + b);
    }
    return batch;
  }

  // A step that keeps the card busy, so that the host gets ahead of it, and then copies what it
  // found.
  void compute(const DeviceBatch& there, const RaggedBatch& batch, std::int32_t* kept) {
    for (int i = 0; i < 40; ++i) {
      HANGAR_CUDA(cudaMemsetAsync(busy_, i, kBusyBytes, device_->stream()));
    }
    const auto keep = [&](std::int32_t* to, const std::int32_t* from, std::size_t count) {
      HANGAR_CUDA(cudaMemcpyAsync(to, from, count * sizeof(std::int32_t), cudaMemcpyDeviceToDevice,
                                  device_->stream()));
    };
    const auto rows = static_cast<std::size_t>(batch.rows());
    keep(kept, there.token_ids, rows);
    keep(kept + rows, there.positions, rows);
    keep(kept + 2 * rows, there.block_tables, batch.block_tables.size());
  }

  static constexpr std::size_t kBusyBytes = std::size_t{64} << 20U;
  std::unique_ptr<Device> device_;
  std::unique_ptr<StepInputs> inputs_;
  void* busy_ = nullptr;
};

TEST_F(StepInputsTest, EachStepFindsItsOwn) {
  constexpr int kSteps = 12;
  constexpr std::size_t kKept = 400'000;
  busy_ = device_->take(kBusyBytes);
  auto* kept = static_cast<std::int32_t*>(device_->take(kSteps * kKept * sizeof(std::int32_t)));
  ASSERT_NE(busy_, nullptr);
  ASSERT_NE(kept, nullptr);
  std::vector<RaggedBatch> batches;
  for (int step = 0; step < kSteps; ++step) {
    // Of some tables are too long to be brought beside; some steps have no fixed addresses.
    const std::int32_t blocks = step % 4 == 3 ? 3500 : 1 + step;
    batches.push_back(batch_of(step, 1 + step * 9, blocks));
    const RaggedBatch& batch = batches.back();
    constexpr StepKind kKinds[] = {StepKind::kGraph, StepKind::kGraph, StepKind::kAny,
                                   StepKind::kFixed, StepKind::kGraph};
    const DeviceBatch there = inputs_->upload(batch, kKinds[step % 5]);
    EXPECT_EQ(there.rows, batch.rows());
    compute(there, batch, kept + static_cast<std::size_t>(step) * kKept);
    inputs_->end_step();
  }
  device_->synchronize();
  for (int step = 0; step < kSteps; ++step) {
    const RaggedBatch& batch = batches[static_cast<std::size_t>(step)];
    std::vector<std::int32_t> want = batch.token_ids;
    want.insert(want.end(), batch.positions.begin(), batch.positions.end());
    want.insert(want.end(), batch.block_tables.begin(), batch.block_tables.end());
    std::vector<std::int32_t> got(want.size());
    ASSERT_LE(got.size(), kKept);
    HANGAR_CUDA(cudaMemcpy(got.data(), kept + static_cast<std::size_t>(step) * kKept,
                           got.size() * sizeof(std::int32_t), cudaMemcpyDeviceToHost));
    ASSERT_THAT(got, ElementsAreArray(want)) << "step " << step;
  }
}

}  // namespace
}  // namespace hangar::cuda
