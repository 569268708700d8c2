#include "cli/token_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TokenList, AllItsForms) {
  EXPECT_THAT(*parse_token_list("1 2\n3", "t", 10), ElementsAre(1, 2, 3));
  EXPECT_THAT(*parse_token_list(" 1, 2,3\n", "t", 10), ElementsAre(1, 2, 3));
  EXPECT_THAT(*parse_token_list("[1, 2, 3]", "t", 10), ElementsAre(1, 2, 3));
  EXPECT_THAT(*parse_token_list(R"({"ids": [0, 9]})", "t", 10), ElementsAre(0, 9));
  EXPECT_THAT(*parse_token_list(" \n", "t", 10), IsEmpty());
}

TEST(TokenList, RefusesWhatIsNoId) {
  for (const char* text : {"1 x", "10", "-1", "1.5", "[10]", "[-1]", "[1.5]", "[\"1\"]", "{}",
                           "{\"ids\": 1}", "[1", "99999999999", "[99999999999]"}) {
    const auto ids = parse_token_list(text, "standard input", 10);
    ASSERT_FALSE(ids.has_value()) << text;
    EXPECT_EQ(ids.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(ids.error().message, HasSubstr("standard input: "));
  }
}

}  // namespace
}  // namespace hangar
