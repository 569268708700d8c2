#include "text/text_list.h"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "text/merge_list.h"

namespace hangar {
namespace {

using ::testing::ElementsAre;

TEST(TextList, IsWhatAVectorOfStringsWouldBe) {
  TextList list = {"a", "", "bc"};
  list.push_back(std::string_view("d\0e", 3));
  list.append({"f", "g"});
  list.set(1, "a longer one");
  list.set(0, "");
  EXPECT_THAT(list, ElementsAre("", "a longer one", "bc", std::string_view("d\0e", 3), "f", "g"));
  EXPECT_EQ(list.back(), "g");
  list.resize(7);
  EXPECT_EQ(list.size(), 7U);
  EXPECT_EQ(list[6], "");
  list.resize(2);
  EXPECT_EQ(list, TextList(std::vector<std::string>{"", "a longer one"}));
  EXPECT_FALSE(list == TextList({"", "a longer one", ""}));
  EXPECT_FALSE(list == TextList({"", "another"}));
}

TEST(TextList, ACopyStandsByItself) {
  TextList list;
  list.reserve(2000, 100);
  for (int i = 0; i < 1000; ++i) list.push_back(std::to_string(i));
  TextList copy = list;
  list.set(500, "changed");
  EXPECT_EQ(copy[500], "500");
  const TextList moved = std::move(copy);
  EXPECT_EQ(moved[999], "999");
  EXPECT_EQ(moved.bytes_end(), moved.back().data() + 3);
  EXPECT_EQ(list[500], "changed");
}

TEST(MergeList, KeepsBothPartsOfEachMerge) {
  MergeList merges;
  EXPECT_TRUE(merges.empty());
  merges.add("a", "bc");
  merges.add("", "d");
  merges.add("e f", "");
  ASSERT_EQ(merges.size(), 3U);
  EXPECT_EQ(merges[0].text, "abc");
  EXPECT_EQ(merges[0].left_bytes, 1U);
  EXPECT_EQ(merges[1].text, "d");
  EXPECT_EQ(merges[1].left_bytes, 0U);
  EXPECT_EQ(merges[2].text, "e f");
  EXPECT_EQ(merges[2].left_bytes, 3U);
  EXPECT_EQ(merges.bytes_end(), merges[2].text.data() + 3);
  merges.clear();
  EXPECT_TRUE(merges.empty());
  merges.add("x", "y");
  EXPECT_EQ(merges[0].text, "xy");
}

}  // namespace
}  // namespace hangar
