#include "cli/step_account_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Two steps of 100 us: 60 in the head (10 of them joins), 20 in norms, 20 outside.
StepAccount made_account() {
  StepAccount account;
  account.test = {.tokens = 2, .sequences = 4, .depth_tokens = 16};
  account.steps = 2;
  account.plain_us = 98.0;
  account.clocked_us = 100.0;
  account.times.of(StepPart::kHead) = {2, 120'000, 20'000, 480'000.0, 960'000.0};
  account.times.of(StepPart::kNorm) = {10, 40'000, 0, 0.0, 0.0};
  return account;
}

TEST(StepAccountReport, TheTableAddsUp) {
  EXPECT_EQ(account_table(made_account()),
            "tg2 x4 @ d16: a step 98 us without clocks, 100 us with them (+2.0%)\n"
            "PART                     CALLS     US   SHARE  +JOINS US  GB/S  GMAC/S\n"
            "head                         1   50.0   50.0%       10.0   4.0     8.0\n"
            "norms                        5   20.0   20.0%        0.0              \n"
            "joins (wakes and waits)          10.0   10.0%                         \n"
            "outside operations               20.0   20.0%                         \n"
            "step                            100.0  100.0%                         \n");
}

TEST(StepAccountReport, PartsThatNeverRanAreLeftOut) {
  StepAccount account = made_account();
  EXPECT_THAT(account_table(account), Not(HasSubstr("attention")));
  account.times.of(StepPart::kAttention) = {1, 1000, 0, 0.0, 0.0};
  EXPECT_THAT(account_table(account), HasSubstr("attention"));
}

TEST(StepAccountReport, JsonHasTheSameFigures) {
  const boost::json::object made = account_json(made_account());
  EXPECT_EQ(made.at("test"), "tg2 x4 @ d16");
  EXPECT_EQ(made.at("steps"), 2);
  EXPECT_DOUBLE_EQ(made.at("step_us").as_double(), 100.0);
  EXPECT_DOUBLE_EQ(made.at("step_us_without_clocks").as_double(), 98.0);
  double sum = made.at("joins_us").as_double() + made.at("outside_us").as_double();
  const boost::json::array& parts = made.at("parts").as_array();
  ASSERT_EQ(parts.size(), 2U);
  for (const auto& part : parts) sum += part.at("us").as_double();
  EXPECT_DOUBLE_EQ(sum, 100.0);
  EXPECT_EQ(parts[0].at("part"), "head");
  EXPECT_DOUBLE_EQ(parts[0].at("calls").as_double(), 1.0);
  EXPECT_DOUBLE_EQ(parts[0].at("joins_us").as_double(), 10.0);
  EXPECT_DOUBLE_EQ(parts[0].at("weight_bytes").as_double(), 240'000.0);
  EXPECT_DOUBLE_EQ(parts[0].at("gmac_per_s").as_double(), 8.0);
}

}  // namespace
}  // namespace hangar
