#include "base/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace hangar {
namespace {

TEST(Units, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(98'362'432), "98.4 MB");
  EXPECT_EQ(format_bytes(999'960), "1.0 MB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::uint64_t>::max()), "18446.7 PB");
}

TEST(Units, Shares) {
  EXPECT_EQ(parse_share("0.9"), 0.9);
  EXPECT_EQ(parse_share("1"), 1.0);
  for (const char* text : {"", "0", "1.01", "-0.5", "0.9 ", "90%", "0.5GB", "nan", "inf", "x"}) {
    EXPECT_EQ(parse_share(text), std::nullopt) << text;
  }
}

TEST(Units, Counts) {
  EXPECT_EQ(format_count(61), "61");
  EXPECT_EQ(format_count(134'515'008), "134.5M");
  EXPECT_EQ(format_count(70'553'706'496), "70.6B");
}

TEST(Units, Durations) {
  EXPECT_EQ(format_duration(850), "850 us");
  EXPECT_EQ(format_duration(12'345), "12.3 ms");
  EXPECT_EQ(format_duration(1'250'000), "1.25 s");
  EXPECT_EQ(format_duration(125'000'000), "2 min 05 s");
}

}  // namespace
}  // namespace hangar
