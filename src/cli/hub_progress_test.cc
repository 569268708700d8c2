#include "cli/hub_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace hangar {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class HubProgressTest : public ::testing::Test {
 protected:
  HubProgress make(bool terminal) {
    return {{terminal, 80},
            [this](std::string_view text) { shown_.emplace_back(text); },
            [this] { return now_us_; }};
  }
  std::vector<std::string> shown_;
  std::int64_t now_us_ = 0;
};

TEST_F(HubProgressTest, ATerminalGetsOneLineWithSpeedAndTimeLeft) {
  HubProgress progress = make(true);
  progress.begin("pulling", 1'000'000'000);
  progress.progress(0);
  EXPECT_THAT(shown_, IsEmpty());
  now_us_ = 1'000'000;
  progress.progress(250'000'000);
  ASSERT_EQ(shown_.size(), 1U);
  EXPECT_THAT(shown_[0],
              AllOf(HasSubstr("pulling  25% ["), HasSubstr("250.0 MB of 1.0 GB"),
                    HasSubstr("250.0 MB/s"), HasSubstr("3.00 s left"), Not(HasSubstr("\n"))));
  EXPECT_LE(shown_[0].size(), 80U + 4U);
  now_us_ += 50'000;
  progress.progress(260'000'000);
  EXPECT_EQ(shown_.size(), 1U);
  progress.file_done("a.bin", 5);
  EXPECT_EQ(shown_.size(), 1U);
  progress.note("a remark\x1b[31m");
  EXPECT_EQ(shown_[1], "\r\x1b[K");
  EXPECT_EQ(shown_[2], "a remark\\x1b[31m\n");
  progress.end();
  EXPECT_EQ(shown_.size(), 3U);
}

TEST_F(HubProgressTest, ALogGetsALineAFileAndOneEveryTenSeconds) {
  HubProgress progress = make(false);
  progress.begin("pulling", 100);
  progress.progress(1);
  progress.file_done("a.bin", 2'000'000);
  now_us_ = 10'000'000;
  progress.progress(50);
  progress.end();
  EXPECT_THAT(shown_, ElementsAre("a.bin (2.0 MB)\n", HasSubstr("pulling: 50%, 50 B of 100 B")));
}

TEST_F(HubProgressTest, AFileThatBeginsAnewGivesNoNegativeSpeed) {
  HubProgress progress = make(false);
  progress.begin("pulling", 100);
  progress.progress(90);
  now_us_ = 10'000'000;
  progress.progress(40);
  EXPECT_THAT(shown_, ElementsAre("pulling: 40%, 40 B of 100 B\n"));
}

}  // namespace
}  // namespace hangar
