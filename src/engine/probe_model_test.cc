#include "engine/probe_model.h"

#include <gtest/gtest.h>

#include "backend/ref/ref_backend.h"
#include "backend/timed/timed_backend.h"
#include "model/testing/tiny_checkpoint.h"

namespace hangar {
namespace {

using testing::TinyCheckpoint;
using testing::TinyOptions;

TEST(ProbeTest, NamesSayWhatIsMeasured) {
  EXPECT_EQ((ProbeTest{.prefill = true, .tokens = 512}.name()), "pp512");
  EXPECT_EQ((ProbeTest{.tokens = 128}.name()), "tg128");
  EXPECT_EQ((ProbeTest{.tokens = 128, .sequences = 16, .depth_tokens = 64}.name()),
            "tg128 x16 @ d64");
  EXPECT_EQ((ProbeTest{.tokens = 128, .sequences = 16}.total_tokens()), 2048);
}

// Rows that went through the gate and up products of one layer of two.
struct Counted {
  explicit Counted(const ProbeTest& test, std::int32_t batch_rows = 16) {
    auto timed = std::make_unique<TimedBackend>(make_ref_backend(1));
    TimedBackend& clocks = *timed;
    const auto model =
        ProbeModel::make(checkpoint, std::move(timed), std::span(&test, 1), batch_rows).value();
    model->prepare(test);
    clocks.start();
    EXPECT_GT(model->run(test, ProbeEnd::kSample), 0.0);
    times = clocks.stop();
    clocks.start();
    model->run(test, ProbeEnd::kRead);
    reads = clocks.stop().of(StepPart::kRead).calls;
  }
  double rows() const { return times.of(StepPart::kGateUp).multiply_adds / (2 * 2 * 64 * 32); }
  double logit_rows() const { return times.of(StepPart::kHead).multiply_adds / (96 * 32); }

  TinyCheckpoint checkpoint{TinyOptions{}};
  OperationTimes times;
  std::int64_t reads = 0;
};

TEST(ProbeModel, APrefillComputesEachTokenOnceAndOneRowOfLogits) {
  const Counted counted({.prefill = true, .tokens = 40, .depth_tokens = 20});
  EXPECT_EQ(counted.rows(), 40.0);
  EXPECT_EQ(counted.logit_rows(), 1.0);
  EXPECT_EQ(counted.times.of(StepPart::kEmbedding).calls, 3);  // 16 + 16 + 8
  EXPECT_EQ(counted.times.of(StepPart::kSampling).calls, 1);
  EXPECT_EQ(counted.times.of(StepPart::kRead).calls, 0);
  EXPECT_EQ(counted.reads, 1);
}

TEST(ProbeModel, ADecodeComputesATokenOfEachSequenceAStep) {
  const Counted counted({.tokens = 5, .sequences = 20, .depth_tokens = 10});
  EXPECT_EQ(counted.rows(), 100.0);
  EXPECT_EQ(counted.logit_rows(), 100.0);
  EXPECT_EQ(counted.times.of(StepPart::kEmbedding).calls, 5);
  EXPECT_EQ(counted.times.of(StepPart::kSampling).calls, 5);
  EXPECT_EQ(counted.reads, 5);
}

TEST(ProbeModel, RefusesWhatTheContextDoesNotHold) {
  const TinyCheckpoint checkpoint{TinyOptions{}};
  const auto made = [&](const ProbeTest& test) {
    return ProbeModel::make(checkpoint, make_ref_backend(1), std::span(&test, 1), 16);
  };
  EXPECT_TRUE(made({.tokens = 28, .depth_tokens = 100}).has_value());
  const auto refused = made({.tokens = 29, .depth_tokens = 100});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace hangar
