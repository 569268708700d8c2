#include "engine/device_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "backend/registry.h"
#include "backend/timed/timed_backend.h"
#include "model/testing/tiny_checkpoint.h"
#include "plan/memory.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;
using testing::TinyCheckpoint;
using testing::TinyOptions;

constexpr std::uint64_t kOwnBytes = 1000;

// Of a card that keeps weights in a byte a number, may make a head of its own of a table, and may
// want copies of matrices in half a byte a number.
class CardBackend : public TimedBackend {
 public:
  explicit CardBackend(std::uint64_t total_bytes, bool makes_head)
      : TimedBackend(make_backend("ref", 1).value()),
        total_bytes_(total_bytes),
        makes_head_(makes_head) {}

  std::optional<BackendMemory> memory() const override {
    return BackendMemory{total_bytes_, total_bytes_ - kOwnBytes};
  }
  std::size_t weight_bytes(const TensorView& view) const override {
    return static_cast<std::size_t>(view.elements());
  }
  std::size_t head_bytes(const TensorView& table) const override {
    return makes_head_ ? static_cast<std::size_t>(table.elements() + table.rows()) : 0;
  }
  std::size_t copy_bytes(const TensorView& view) const override {
    return view.shape.size() < 2 ? 0 : static_cast<std::size_t>(view.elements() / 2);
  }
  bool wants_copies(std::uint64_t copy_bytes, std::uint64_t left_bytes) const override {
    asked_copy_bytes = copy_bytes;
    asked_left_bytes = left_bytes;
    return wants_copies_;
  }
  void want_copies() { wants_copies_ = true; }

  mutable std::uint64_t asked_copy_bytes = 0;
  mutable std::uint64_t asked_left_bytes = 0;

 private:
  std::uint64_t total_bytes_;
  bool makes_head_;
  bool wants_copies_ = false;
};

DevicePlan plan(const Checkpoint& checkpoint, bool makes_head) {
  const CardBackend card(1 << 30, makes_head);
  const auto planned = plan_device(card, checkpoint, checkpoint.config().value(), {8, 8});
  EXPECT_TRUE(planned.has_value());
  return planned.value().value_or(DevicePlan{});
}

std::uint64_t elements_of(const Checkpoint& checkpoint) {
  std::uint64_t elements = 0;
  for (const TensorView& view : checkpoint.tensors()) {
    elements += static_cast<std::uint64_t>(view.elements());
  }
  return elements;
}

TEST(DevicePlan, CountsWeightsScratchAndWhatIsLeft) {
  const TinyCheckpoint checkpoint{TinyOptions{.tied = false}};
  const DevicePlan made = plan(checkpoint, true);
  EXPECT_EQ(made.weight_bytes, elements_of(checkpoint)) << "this head has a weight in the file";
  EXPECT_EQ(made.own_bytes, kOwnBytes);
  EXPECT_EQ(made.scratch_bytes, device_scratch_bytes(checkpoint.config().value(), 8, 8));
  EXPECT_EQ(made.own_bytes + made.weight_bytes + made.scratch_bytes + made.kv_bytes,
            made.total_bytes);
}

TEST(DevicePlan, CountsAHeadThatIsMadeOfTheTable) {
  const TinyCheckpoint checkpoint{TinyOptions{.tied = true}};
  const TensorView& table = *checkpoint.find("token_embd.weight");
  const std::uint64_t without = plan(checkpoint, false).weight_bytes;
  EXPECT_EQ(without, elements_of(checkpoint));
  EXPECT_EQ(plan(checkpoint, true).weight_bytes,
            without + static_cast<std::uint64_t>(table.elements() + table.rows()));
}

TEST(DevicePlan, SaysWhatDoesNotFitAndWhatWouldHelp) {
  const TinyCheckpoint checkpoint{TinyOptions{}};
  const CardBackend card(elements_of(checkpoint), false);
  const auto planned = plan_device(card, checkpoint, checkpoint.config().value(), {8, 8});
  ASSERT_FALSE(planned.has_value());
  EXPECT_EQ(planned.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(planned.error().message, HasSubstr("--quant fp8"));
  EXPECT_THAT(planned.error().message, HasSubstr("--gpu-memory"));
}

TEST(DevicePlan, CopiesThatAreWantedComeOutOfKeysAndValues) {
  const TinyCheckpoint checkpoint{TinyOptions{}};
  const ModelConfig config = checkpoint.config().value();
  CardBackend card(1 << 30, false);
  const DevicePlan without = plan_device(card, checkpoint, config, {8, 8}).value().value();
  EXPECT_EQ(without.copy_bytes, 0U);
  EXPECT_EQ(card.asked_left_bytes, without.kv_bytes) << "weights and scratch taken off";
  EXPECT_GT(card.asked_copy_bytes, 0U);
  EXPECT_LT(card.asked_copy_bytes, without.weight_bytes);
  card.want_copies();
  const DevicePlan with = plan_device(card, checkpoint, config, {8, 8}).value().value();
  EXPECT_EQ(with.copy_bytes, card.asked_copy_bytes);
  EXPECT_EQ(with.kv_bytes, without.kv_bytes - with.copy_bytes);
  EXPECT_EQ(with.weight_bytes, without.weight_bytes);
}

TEST(DevicePlan, SaysThatCopiesDoNotFitAndWhatWouldHelp) {
  const TinyCheckpoint checkpoint{TinyOptions{}};
  const ModelConfig config = checkpoint.config().value();
  CardBackend large(1 << 30, false);
  const DevicePlan taken = plan_device(large, checkpoint, config, {8, 8}).value().value();
  const std::uint64_t total =
      taken.own_bytes + taken.weight_bytes + taken.scratch_bytes + large.asked_copy_bytes;
  CardBackend small(total, false);
  EXPECT_TRUE(plan_device(small, checkpoint, config, {8, 8}).has_value()) << "without copies";
  small.want_copies();
  const auto planned = plan_device(small, checkpoint, config, {8, 8});
  ASSERT_FALSE(planned.has_value()) << "nothing is left for keys and values";
  EXPECT_EQ(planned.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(planned.error().message, HasSubstr("copies in 8 bits"));
  EXPECT_THAT(planned.error().message, HasSubstr("--int4-copies off, or auto"));
  EXPECT_THAT(planned.error().message, HasSubstr("--gpu-memory"));
}

TEST(DevicePlan, OnTheHostThereIsNone) {
  const TinyCheckpoint checkpoint{TinyOptions{}};
  const auto planned =
      plan_device(*make_backend("cpu", 1).value(), checkpoint, checkpoint.config().value(), {8, 8});
  ASSERT_TRUE(planned.has_value());
  EXPECT_FALSE(planned->has_value());
}

}  // namespace
}  // namespace hangar
