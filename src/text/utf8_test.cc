#include "text/utf8.h"

#include <gtest/gtest.h>

namespace hangar {
namespace {

TEST(Utf8, EveryScalarValueIsWrittenAndReadBack) {
  for (char32_t point = 0; point < 0x110000; ++point) {
    if (point >= 0xD800 && point < 0xE000) continue;
    std::string text;
    append_utf8(point, text);
    const Utf8Unit unit = next_utf8(text);
    ASSERT_TRUE(unit.valid);
    ASSERT_EQ(unit.bytes, text.size());
    ASSERT_EQ(unit.code_point, point);
    ASSERT_EQ(valid_utf8_prefix(text), text.size());
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      const Utf8Unit start = next_utf8(std::string_view(text).substr(0, cut));
      ASSERT_TRUE(start.incomplete && !start.valid);
      ASSERT_EQ(start.bytes, cut);
    }
  }
}

TEST(Utf8, SurrogatesOverlongFormsAndWhatIsPastTheEndAreBroken) {
  EXPECT_EQ(next_utf8("\xED\xA0\x80").bytes, 1U);      // a surrogate
  EXPECT_EQ(next_utf8("\xC0\xAF").bytes, 1U);          // '/' in two bytes
  EXPECT_EQ(next_utf8("\xE0\x80\xAF").bytes, 1U);      // '/' in three
  EXPECT_EQ(next_utf8("\xF4\x90\x80\x80").bytes, 1U);  // U+110000
  EXPECT_EQ(next_utf8("\xF1\x80\x80z").bytes, 3U);
  for (const char* text :
       {"\xED\xA0\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xF4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(next_utf8(text).valid);
    EXPECT_FALSE(next_utf8(text).incomplete);
  }
}

TEST(Utf8, ThePrefixEndsAtTheFirstBrokenByteWhereverItStands) {
  for (std::size_t before = 0; before < 40; ++before) {
    const std::string text = std::string(before, 'a') + "é" + "\xFF" + "tail";
    EXPECT_EQ(valid_utf8_prefix(text), before + 2);
  }
}

}  // namespace
}  // namespace hangar
