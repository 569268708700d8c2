#include "eval/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace hangar {
namespace {

using ::testing::HasSubstr;

TEST(HalfWindows, StandSideBySideAndScoreWhatIsAfterTheMiddle) {
  const auto windows = half_windows(25, 8).value();
  ASSERT_EQ(windows.size(), 3U);  // the 25th token is dropped
  for (std::size_t i = 0; i < windows.size(); ++i) {
    EXPECT_EQ(windows[i].begin, static_cast<std::int64_t>(8 * i));
    EXPECT_EQ(windows[i].tokens, 8);
    // Logits of rows 4, 5, 6 predict tokens 5, 6, 7.
    EXPECT_EQ(windows[i].first_scored, 5);
    EXPECT_EQ(windows[i].scored(), 3);
    EXPECT_EQ(windows[i].weight, 1.0);
  }
  EXPECT_EQ(half_windows(9, 9).value().at(0).scored(), 4);
}

TEST(HalfWindows, SayHowManyTokensAreNeeded) {
  const auto short_text = half_windows(511, 512);
  ASSERT_FALSE(short_text);
  EXPECT_EQ(short_text.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(short_text.error().message, HasSubstr("511"));
  EXPECT_THAT(short_text.error().message, HasSubstr("512"));
  EXPECT_EQ(half_windows(512, 512).value().size(), 1U);
  EXPECT_FALSE(half_windows(100, 2));
  EXPECT_EQ(half_windows(100, 3).value().at(0).scored(), 1);
}

// The guide's own loop, on counts alone: what it adds to n_tokens for each window, and the labels
// that its loss is the mean of.
struct Counted {
  std::int64_t begin, end, labels, counted;
};
std::vector<Counted> guide(std::int64_t length, std::int64_t context, std::int64_t stride) {
  std::vector<Counted> all;
  std::int64_t previous_end = 0;
  for (std::int64_t begin = 0; begin < length; begin += stride) {
    const std::int64_t end = std::min(begin + context, length);
    const std::int64_t target = end - previous_end;
    // Labels are shifted by one inside: a window's first token is never one.
    const std::int64_t labels = std::min(target, end - begin - 1);
    all.push_back({begin, end, labels, target - 1});
    previous_end = end;
    if (end == length) break;
  }
  return all;
}

TEST(StridedWindows, CountAsTheGuideDoes) {
  for (const auto& [length, context, stride] : {std::tuple{2, 2, 1},
                                                {10, 4, 2},
                                                {11, 4, 2},
                                                {10, 4, 4},
                                                {11, 4, 4},
                                                {10, 4, 1},
                                                {100, 512, 256},
                                                {1000, 512, 256},
                                                {1024, 512, 512},
                                                {1025, 512, 512},
                                                {1000, 64, 63}}) {
    SCOPED_TRACE(::testing::Message() << length << " " << context << " " << stride);
    const auto windows = strided_windows(length, context, stride).value();
    auto wanted = guide(length, context, stride);
    // What counts no times is not computed.
    std::erase_if(wanted, [](const Counted& c) { return c.counted == 0; });
    ASSERT_EQ(windows.size(), wanted.size());
    for (std::size_t i = 0; i < windows.size(); ++i) {
      EXPECT_EQ(windows[i].begin, wanted[i].begin);
      EXPECT_EQ(windows[i].begin + windows[i].tokens, wanted[i].end);
      EXPECT_EQ(windows[i].scored(), wanted[i].labels);
      EXPECT_NEAR(windows[i].weight * windows[i].scored(), static_cast<double>(wanted[i].counted),
                  1e-9);
    }
  }
}

TEST(StridedWindows, RefuseWhatScoresNothing) {
  EXPECT_THAT(strided_windows(1, 512, 256).error().message, HasSubstr("at least 2"));
  EXPECT_FALSE(strided_windows(0, 512, 256));
  EXPECT_FALSE(strided_windows(100, 1, 1));
  EXPECT_FALSE(strided_windows(100, 8, 0));
  EXPECT_FALSE(strided_windows(100, 8, 9));
}

}  // namespace
}  // namespace hangar
