#include "text/token_trie.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "text/token_index.h"
#include "text/tokenizer_test_data.h"

namespace hangar {
namespace {

std::vector<std::string> random_tokens(test::Random& random, std::size_t count) {
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text;
    // Some longer than what is counted by length, some empty, some twice.
    const std::uint32_t length = random.below(60) == 0 ? 250 + random.below(30) : random.below(9);
    for (std::uint32_t n = 0; n < length; ++n) {
      text.push_back(static_cast<char>(random.below(4) == 0 ? random.below(256) : 'a'));
    }
    tokens.push_back(text);
  }
  return tokens;
}

TEST(TokenTrie, FindsEachTokenAndEachOfItsStarts) {
  test::Random random(2);
  const std::vector<std::string> tokens = random_tokens(random, 6000);
  std::vector<TokenId> ids(tokens.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::erase_if(ids, [](TokenId id) { return id % 10 == 0; });
  std::map<std::string, TokenId> last;
  for (const TokenId id : ids) last[tokens[static_cast<std::size_t>(id)]] = id;
  const auto trie = TokenTrie::build(tokens, ids);
  ASSERT_TRUE(trie.has_value());
  EXPECT_EQ(trie->find(""), -1);
  EXPECT_EQ(trie->find("not there"), -1);
  for (const auto& [text, id] : last) {
    if (text.empty()) continue;
    ASSERT_EQ(trie->find(text), id);
    TokenTrie::Node node = trie->root();
    for (std::size_t bytes = 1; bytes <= text.size(); ++bytes) {
      node = trie->next(node, text[bytes - 1]);
      ASSERT_NE(node, TokenTrie::kNone);
      const auto found = last.find(text.substr(0, bytes));
      ASSERT_EQ(trie->is_token(node), found != last.end());
      if (found != last.end()) {
        ASSERT_EQ(static_cast<TokenId>(node), found->second);
      }
    }
  }
  for (const std::string& text : tokens) {
    if (!last.contains(text)) {
      ASSERT_EQ(trie->find(text), -1);
    }
  }
}

TEST(TokenIndex, FindsTheFirstOfEachTextAndEndsByTheirHash) {
  test::Random random(4);
  const std::vector<std::string> tokens = random_tokens(random, 6000);
  std::map<std::string, TokenId> first;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    first.try_emplace(tokens[i], static_cast<TokenId>(i));
  }
  const TokenIndex index(tokens);
  EXPECT_EQ(index.find(""), TokenIndex::kNone);
  for (const auto& [text, id] : first) {
    if (text.empty()) continue;
    ASSERT_EQ(index.find(text), id);
    const std::string longer = text + "b";
    ASSERT_EQ(index.find(longer), first.contains(longer) ? first[longer] : TokenIndex::kNone);
    // The hash of an end from those of the starts.
    TokenIndex::Hash power = 1;
    for (std::size_t i = 1; i < text.size(); ++i) power *= TokenIndex::kBase;
    const TokenIndex::Hash end =
        TokenIndex::hash_of(text) - TokenIndex::hash_of(text.substr(0, 1)) * power;
    ASSERT_EQ(end, TokenIndex::hash_of(std::string_view(text).substr(1)));
  }
}

}  // namespace
}  // namespace hangar
