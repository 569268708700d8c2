#include "text/token_finder.h"

#include <gtest/gtest.h>

#include <string>

#include "text/tokenizer_test_data.h"

namespace hangar {
namespace {

TEST(TokenFinder, LeftmostThenLongestThenLowestId) {
  test::Random random(29);
  const auto word = [&random](std::uint32_t least, std::uint32_t more) {
    std::string out;
    for (std::uint32_t n = least + random.below(more); n > 0; --n) {
      out.push_back("ab\xC3"[random.below(3)]);
    }
    return out;
  };
  int found = 0;
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::string> words(random.below(6));
    std::vector<TokenFinder::Token> tokens;
    for (std::string& one : words) one = word(1, 4);
    for (std::size_t i = 0; i < words.size(); ++i) {
      tokens.push_back({words[i], static_cast<TokenId>(i)});
    }
    const TokenFinder finder(tokens);
    const std::string text = word(0, 12);
    const std::size_t from =
        text.empty() ? 0 : random.below(static_cast<std::uint32_t>(text.size()));
    std::optional<TokenFinder::Match> wanted;
    for (std::size_t at = from; at < text.size() && !wanted; ++at) {
      for (const auto& token : tokens) {
        if (text.compare(at, token.text.size(), token.text) != 0) continue;
        if (wanted && wanted->bytes >= token.text.size()) continue;
        wanted = {.begin = at, .bytes = token.text.size(), .id = token.id};
      }
    }
    const auto got = finder.find(text, from);
    ASSERT_EQ(got.has_value(), wanted.has_value());
    if (!got) continue;
    ++found;
    ASSERT_EQ(got->begin, wanted->begin);
    ASSERT_EQ(got->bytes, wanted->bytes);
    ASSERT_EQ(got->id, wanted->id);
  }
  EXPECT_GT(found, 1000);
}

TEST(TokenFinder, WithoutTokensFindsNothing) {
  EXPECT_FALSE(TokenFinder({}).find("text", 0).has_value());
}

}  // namespace
}  // namespace hangar
