#include "base/ascii.h"

#include <gtest/gtest.h>

namespace hangar {
namespace {

TEST(Ascii, LowersLettersAlone) {
  EXPECT_EQ(ascii_lower("Content-TYPE: @[Z`{\xC3\x84"), "content-type: @[z`{\xC3\x84");
  EXPECT_EQ(ascii_lower(""), "");
}

}  // namespace
}  // namespace hangar
