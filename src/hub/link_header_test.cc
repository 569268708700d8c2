#include "hub/link_header.h"

#include <gtest/gtest.h>

namespace hangar::hub {
namespace {

TEST(NextLink, IsFoundAmongOthers) {
  EXPECT_EQ(next_link("<https://h/api?cursor=x>; rel=\"next\""), "https://h/api?cursor=x");
  EXPECT_EQ(next_link("</a>; rel=prev, </b>;rel=next"), "/b");
  EXPECT_EQ(next_link("</a,b;c>; title=\"x, y; rel=next\"; rel=\"last next\""), "/a,b;c");
  EXPECT_EQ(next_link(" </a> ; REL = \"NEXT\" "), "/a");
  EXPECT_EQ(next_link("</a>; flag; rel=next"), "/a");
}

TEST(NextLink, IsNothingWhereThereIsNone) {
  for (const char* header : {"", "garbage", "</a>", "</a>; rel=prev", "</a>; rel=\"nextish\"",
                             "<unclosed; rel=next", "<>; rel=next"}) {
    EXPECT_EQ(next_link(header), std::nullopt) << header;
  }
}

}  // namespace
}  // namespace hangar::hub
