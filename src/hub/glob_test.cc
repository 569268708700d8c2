#include "hub/glob.h"

#include <gtest/gtest.h>

namespace hangar::hub {
namespace {

TEST(Glob, MatchesAsFnmatchDoes) {
  const struct {
    const char* pattern;
    const char* text;
    bool matches;
  } cases[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "a/b", true},
      {"*.json", "config.json", true},
      {"*.json", "sub/config.json", true},
      {"*.json", "config.json.bak", false},
      {"model-?.bin", "model-1.bin", true},
      {"model-?.bin", "model-.bin", false},
      {"a*b*c", "a__b__b_c", true},
      {"a*b*c", "a__c__b", false},
      {"[a-c]x", "bx", true},
      {"[a-c]x", "dx", false},
      {"[!a-c]x", "dx", true},
      {"[!a-c]x", "ax", false},
      {"[]]x", "]x", true},
      {"[", "[", true},
      {"[a", "[a", true},
      {"A", "a", false},
      {"**x", "yx", true},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(glob_matches(one.pattern, one.text), one.matches)
        << one.pattern << " on " << one.text;
  }
}

TEST(Glob, ManyStarsTakeNoLongTime) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(5000, 'a')));
}

TEST(Glob, AnyOfSeveral) {
  const std::vector<std::string> patterns = {"*.md", "*.txt"};
  EXPECT_TRUE(any_glob_matches(patterns, "x.txt"));
  EXPECT_FALSE(any_glob_matches(patterns, "x.bin"));
  EXPECT_FALSE(any_glob_matches({}, "x"));
}

}  // namespace
}  // namespace hangar::hub
