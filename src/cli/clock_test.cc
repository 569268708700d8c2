#include "cli/clock.h"

#include <gtest/gtest.h>

namespace hangar {
namespace {

TEST(ParseMoment, SecondsAndIso) {
  EXPECT_EQ(*parse_moment("0"), 0);
  EXPECT_EQ(*parse_moment("1721995200"), 1721995200);
  EXPECT_EQ(*parse_moment("2024-07-26"), 1721952000);
  EXPECT_EQ(*parse_moment("2024-07-26T12:00:00Z"), 1721995200);
  EXPECT_EQ(*parse_moment("2024-07-26T12:00"), 1721995200);
  EXPECT_EQ(*parse_moment("2024-07-26 14:00:00.250+02:00"), 1721995200);
  EXPECT_EQ(*parse_moment("2024-07-26T07:00:00-0500"), 1721995200);
  EXPECT_EQ(*parse_moment("1969-12-31T23:59:59Z"), -1);
}

TEST(ParseMoment, RefusesWhatIsNoDate) {
  for (const char* text :
       {"", "today", "2024-02-30", "2024-13-01", "2024-07-26T25:00", "2024-07-26x", "2024-7-26",
        "2024-07-26T12:00:00.Z", "12345678901234567890"}) {
    const auto moment = parse_moment(text);
    ASSERT_FALSE(moment.has_value()) << text;
    EXPECT_EQ(moment.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(SteadyNow, GoesForward) {
  const std::int64_t before = steady_now_us();
  EXPECT_GE(steady_now_us(), before);
}

}  // namespace
}  // namespace hangar
