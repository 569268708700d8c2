#include "base/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace hangar {
namespace {

TEST(EditDistance, CountsEachKindOfEdit) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("serve", "serve"), 0U);
  EXPECT_EQ(edit_distance("srve", "serve"), 1U);    // insert
  EXPECT_EQ(edit_distance("seerve", "serve"), 1U);  // delete
  EXPECT_EQ(edit_distance("sarve", "serve"), 1U);   // replace
  EXPECT_EQ(edit_distance("prot", "port"), 1U);     // swap
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(NearestName, FindsTheOneMeantAndNoOther) {
  const std::vector<std::string> names = {"--host", "--port", "--max-context", "--threads"};
  EXPECT_EQ(nearest_name("--prot", names), "--port");
  EXPECT_EQ(nearest_name("--MAX_CONTEXT", names), "--max-context");
  EXPECT_EQ(nearest_name("--thread", names), "--threads");
  EXPECT_EQ(nearest_name("--temperature", names), std::nullopt);
  EXPECT_EQ(nearest_name("", names), std::nullopt);
  EXPECT_EQ(nearest_name("--port", {}), std::nullopt);
}

}  // namespace
}  // namespace hangar
