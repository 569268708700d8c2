#include "base/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace hangar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ProgressBar, ShowsPartAndTimeWithinTheWidth) {
  const std::string line = progress_bar("loading", 1, 4, 1'500'000, 60);
  EXPECT_EQ(line, "loading  25% [#########                             ] 1.50 s");
  EXPECT_EQ(progress_bar("loading", 4, 4, 0, 30).size(), 30U);
  EXPECT_EQ(progress_bar("loading", 1, 4, 1'500'000, 20), "loading  25% 1.50 s");
  EXPECT_EQ(progress_bar("loading", 1, 4, 1'500'000, 5), "loadi");
  EXPECT_EQ(progress_bar("loading", 7, 0, 1'500'000, 60), "loading  1.50 s");
}

TEST(Progress, QuickWorkIsQuiet) {
  std::vector<std::string> lines;
  Progress progress("load", 10, {true, 80}, [&](std::string_view s) { lines.emplace_back(s); }, 0);
  progress.update(5, 400'000);
  progress.finish(450'000);
  EXPECT_TRUE(lines.empty());
}

TEST(Progress, ATerminalLineIsRedrawnAtMostTenTimesASecondAndWiped) {
  std::vector<std::string> lines;
  Progress progress("load", 10, {true, 80}, [&](std::string_view s) { lines.emplace_back(s); }, 0);
  for (std::int64_t t = 0; t < 1'000'000; t += 10'000) progress.update(5, t);
  EXPECT_EQ(lines.size(), 5U);  // 0.5, 0.6, ... 0.9 s
  EXPECT_THAT(lines[0], HasSubstr(" 50% [###"));
  progress.finish(1'000'000);
  ASSERT_EQ(lines.size(), 7U);
  EXPECT_EQ(lines[6], "load: done in 1.00 s\n");
}

TEST(Progress, ALogGetsALineEveryTenSeconds) {
  std::vector<std::string> lines;
  Progress progress("load", 4, {false, 80}, [&](std::string_view s) { lines.emplace_back(s); }, 0);
  progress.update(1, 9'000'000);
  progress.update(1, 10'000'000);
  progress.update(2, 15'000'000);
  progress.update(3, 21'000'000);
  EXPECT_THAT(lines, ElementsAre("load 25% after 10.00 s\n", "load 75% after 21.00 s\n"));
}

}  // namespace
}  // namespace hangar
