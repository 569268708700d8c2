#include "backend/timed/operation_times.h"

#include <gtest/gtest.h>

#include <set>

namespace hangar {
namespace {

TEST(OperationTimes, WeightsAreToldApartByName) {
  EXPECT_EQ(part_of_weight("blk.0.attn_q.weight"), StepPart::kQkv);
  EXPECT_EQ(part_of_weight("blk.31.attn_v.weight"), StepPart::kQkv);
  EXPECT_EQ(part_of_weight("blk.3.attn_qkv.weight"), StepPart::kQkv);
  EXPECT_EQ(part_of_weight("blk.3.attn_output.weight"), StepPart::kAttentionOut);
  EXPECT_EQ(part_of_weight("blk.3.ffn_gate.weight"), StepPart::kGateUp);
  EXPECT_EQ(part_of_weight("blk.3.ffn_up.weight"), StepPart::kGateUp);
  EXPECT_EQ(part_of_weight("blk.3.ffn_down.weight"), StepPart::kDown);
  EXPECT_EQ(part_of_weight("blk.3.ffn_up_exps.weight"), StepPart::kGateUp);
  EXPECT_EQ(part_of_weight("blk.3.ffn_down.7.weight"), StepPart::kDown);
  EXPECT_EQ(part_of_weight("output.weight"), StepPart::kHead);
  EXPECT_EQ(part_of_weight("token_embd.weight"), StepPart::kHead);
}

TEST(OperationTimes, NamesItDoesNotKnowAreOther) {
  for (const char* name : {"", "blk.", "blk.3", "blk.3.", "blk.3.ffn_gate_inp.weight",
                           "output_norm.weight", "attn_qq.weight"}) {
    EXPECT_EQ(part_of_weight(name), StepPart::kOther) << name;
  }
}

TEST(OperationTimes, EveryPartHasANameAndAKeyOfItsOwn) {
  std::set<std::string_view> names;
  std::set<std::string_view> keys;
  for (std::size_t i = 0; i < kStepParts; ++i) {
    names.insert(step_part_name(static_cast<StepPart>(i)));
    keys.insert(step_part_key(static_cast<StepPart>(i)));
  }
  EXPECT_EQ(names.size(), kStepParts);
  EXPECT_EQ(keys.size(), kStepParts);
  EXPECT_FALSE(names.contains(""));
  EXPECT_EQ(step_part_key(StepPart::kRead), "read");  // the last
}

TEST(OperationTimes, SumsGoPartByPart) {
  OperationTimes times;
  times.of(StepPart::kDown) = {1, 100, 10, 1000.0, 2000.0};
  OperationTimes more;
  more.of(StepPart::kDown) = {2, 30, 4, 5.0, 6.0};
  more.of(StepPart::kHead) = {7, 8, 9, 0.0, 0.0};
  times += more;
  EXPECT_EQ(times.of(StepPart::kDown).calls, 3);
  EXPECT_EQ(times.of(StepPart::kDown).ns, 130);
  EXPECT_EQ(times.of(StepPart::kDown).waits_ns, 14);
  EXPECT_EQ(times.of(StepPart::kDown).bytes, 1005.0);
  EXPECT_EQ(times.of(StepPart::kDown).multiply_adds, 2006.0);
  EXPECT_EQ(times.of(StepPart::kHead).ns, 8);
}

TEST(OperationTimes, TotalAddsAllParts) {
  OperationTimes times;
  times.of(StepPart::kQkv) = {1, 100, 10, 1000.0, 2000.0};
  times.of(StepPart::kRead) = {2, 50, 5, 0.0, 0.0};
  const OperationTime total = times.total();
  EXPECT_EQ(total.calls, 3);
  EXPECT_EQ(total.ns, 150);
  EXPECT_EQ(total.waits_ns, 15);
  EXPECT_EQ(total.bytes, 1000.0);
  EXPECT_EQ(total.multiply_adds, 2000.0);
}

}  // namespace
}  // namespace hangar
