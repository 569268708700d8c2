#include "text/stop_matcher.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "text/tokenizer_test_data.h"

namespace hangar {
namespace {

struct Outcome {
  std::string text;
  bool stopped = false;
  bool operator==(const Outcome&) const = default;
};

// The definition, word for word: the first end of any stop; of those that end there the longest.
Outcome by_definition(const std::vector<std::string>& stops, const std::string& text) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    }
    if (longest > 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

TEST(StopMatcher, AsByDefinitionForRandomTextsStopsAndCuts) {
  test::Random random(11);
  const auto word = [&random](std::uint32_t longest, std::uint32_t letters) {
    std::string out;
    for (std::uint32_t n = random.below(longest + 1); n > 0; --n) {
      out.push_back(static_cast<char>('a' + random.below(letters)));
    }
    return out;
  };
  int stopped = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::uint32_t letters = 2 + random.below(2);
    std::vector<std::string> stops(random.below(4));
    for (std::string& stop : stops) stop = word(6, letters);
    const std::string text = word(30, letters);
    StopMatcher matcher(stops);
    Outcome got;
    std::size_t given = 0;
    while (given < text.size()) {
      const std::size_t take = std::min<std::size_t>(text.size() - given, random.below(5));
      got.text += matcher.push(std::string_view(text).substr(given, take));
      given += take;
      const Outcome so_far = by_definition(stops, text.substr(0, given));
      ASSERT_EQ(matcher.stopped(), so_far.stopped);
      // Nothing is held back that could not become a stop.
      if (!so_far.stopped && got.text.size() < given) {
        const std::string held = text.substr(got.text.size(), given - got.text.size());
        ASSERT_TRUE(std::any_of(stops.begin(), stops.end(),
                                [&](const std::string& stop) { return stop.starts_with(held); }));
      }
    }
    got.text += matcher.finish();
    got.stopped = matcher.stopped();
    ASSERT_EQ(got, by_definition(stops, text));
    stopped += got.stopped ? 1 : 0;
  }
  EXPECT_GT(stopped, 5000);
  EXPECT_LT(stopped, 19000);
}

TEST(StopMatcher, NothingComesAfterAStop) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.push("so E"), "so ");
  EXPECT_EQ(matcher.push("N"), "");
  EXPECT_EQ(matcher.push("D and more"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.push("still more"), "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, WhatWasHeldComesOutAtTheEnd) {
  StopMatcher matcher({"\n\nHuman:", "</s>"});
  EXPECT_EQ(matcher.push("text\n\nHum"), "text");
  EXPECT_EQ(matcher.push("bug</"), "\n\nHumbug");
  EXPECT_EQ(matcher.finish(), "</");
  EXPECT_FALSE(matcher.stopped());
}

TEST(StopMatcher, TheStopThatIsCompleteFirstWins) {
  StopMatcher matcher({"abcd", "bc", "zbc"});
  EXPECT_EQ(matcher.push("xabcd"), "xa");
  StopMatcher longest({"bc", "abc"});
  EXPECT_EQ(longest.push("xabc"), "x");
}

TEST(StopMatcher, WithoutStopsTextGoesThrough) {
  StopMatcher matcher({"", ""});
  EXPECT_EQ(matcher.push("anything"), "anything");
  EXPECT_FALSE(matcher.stopped());
}

}  // namespace
}  // namespace hangar
