#include "cli/table.h"

#include <gtest/gtest.h>

namespace hangar {
namespace {

TEST(DisplayWidth, CountsCells) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("\u00e9"), 1U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width("\u6a21\u578b"), 4U);
  EXPECT_EQ(display_width("\xff\xfe"), 2U);
}

TEST(FormatTable, AlignsLeftAndRight) {
  EXPECT_EQ(format_table({{"name"}, {"size", true}, {"note"}},
                         {{"a", "1", "x"}, {"\u6a21\u578b\u6a21", "100", ""}}),
            "name    size  note\n"
            "a          1  x\n"
            "\u6a21\u578b\u6a21   100  \n");
}

TEST(Printable, NoControlCharacterReachesTheTerminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\n\xff\u00e9"), "a\\x1b[2Jb\\n\\xff\u00e9");
  EXPECT_EQ(printable("\u009b"), "\\xc2\\x9b");
}

}  // namespace
}  // namespace hangar
