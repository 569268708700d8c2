#include "bench/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "bench/words.h"

namespace hangar::bench {
namespace {

constexpr std::int64_t kFrame = 31;

// A vocabulary in which words with an "o" are two tokens, after a beginning-of-text token.
std::int64_t tokens_of(const std::string& text) {
  std::int64_t tokens = 1;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    tokens += word.find('o') == std::string::npos ? 1 : 2;
    begin = end + 1;
  }
  return tokens;
}

TokenCounter nothing() {
  return [](const std::string&) -> Result<std::optional<std::int64_t>> { return std::nullopt; };
}
TokenCounter tokenizer(int* calls = nullptr) {
  return [calls](const std::string& text) -> Result<std::optional<std::int64_t>> {
    if (calls != nullptr) ++*calls;
    return tokens_of(text);
  };
}
TokenCounter usage() {
  return [](const std::string& text) -> Result<std::optional<std::int64_t>> {
    return tokens_of(text) - 1 + kFrame;
  };
}

TEST(Calibration, KeepsWordsOfOneTokenAndFindsTheFrame) {
  int calls = 0;
  const auto cost = calibrate_words(common_words(), {tokenizer(&calls), usage()});
  ASSERT_TRUE(cost.has_value());
  const auto without_o =
      std::count_if(common_words().begin(), common_words().end(),
                    [](std::string_view word) { return word.find('o') == std::string_view::npos; });
  EXPECT_EQ(static_cast<long>(cost->words.size()), without_o);
  for (const std::string& word : cost->words) EXPECT_EQ(word.find('o'), std::string::npos);
  EXPECT_DOUBLE_EQ(cost->tokens_per_word, 1.0);
  EXPECT_EQ(cost->overhead_tokens, kFrame);
  EXPECT_THAT(cost->method, ::testing::HasSubstr("tokenized"));

  // So a prompt meant to have 100 tokens has 100.
  SyntheticOptions options;
  options.prompt_tokens = LengthDistribution::fixed(100);
  SyntheticPrompts prompts(*cost, options);
  EXPECT_EQ(*usage()(prompts.next().text), 100);
}

TEST(Calibration, AsksOnceForAllWhereEveryWordIsOneToken) {
  int calls = 0;
  const std::array<std::string_view, 20> words = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
                                                  "k", "l", "m", "n", "p", "q", "r", "s", "t", "u"};
  const auto cost = calibrate_words(words, {tokenizer(&calls), usage()});
  ASSERT_TRUE(cost.has_value());
  EXPECT_EQ(cost->words.size(), words.size());
  EXPECT_EQ(calls, 2);
}

TEST(Calibration, TakesTheMeanCostFromUsageWhereNothingTokenizes) {
  const auto cost = calibrate_words(common_words(), {nothing(), usage()});
  ASSERT_TRUE(cost.has_value());
  EXPECT_EQ(cost->words.size(), common_words().size());
  EXPECT_GT(cost->tokens_per_word, 1.1);
  EXPECT_LT(cost->tokens_per_word, 1.6);
  EXPECT_NEAR(cost->overhead_tokens, kFrame, 15);
  EXPECT_THAT(cost->method, ::testing::HasSubstr("usage.prompt_tokens"));

  SyntheticOptions options;
  options.prompt_tokens = LengthDistribution::fixed(1000);
  SyntheticPrompts prompts(*cost, options);
  EXPECT_NEAR(static_cast<double>(usage()(prompts.next().text)->value()), 1000, 50);
}

TEST(Calibration, SaysThatItAssumesWhereNothingIsKnown) {
  const auto cost = calibrate_words(common_words(), {nothing(), nothing()});
  ASSERT_TRUE(cost.has_value());
  EXPECT_DOUBLE_EQ(cost->tokens_per_word, 1.0);
  EXPECT_EQ(cost->overhead_tokens, 0);
  EXPECT_THAT(cost->method, ::testing::HasSubstr("assumed"));
}

TEST(Calibration, PassesAnErrorOn) {
  const TokenCounter broken = [](const std::string&) -> Result<std::optional<std::int64_t>> {
    return make_error(ErrorCode::kUnavailable, "gone");
  };
  const auto cost = calibrate_words(common_words(), {nothing(), broken});
  ASSERT_FALSE(cost.has_value());
  EXPECT_EQ(cost.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace hangar::bench
