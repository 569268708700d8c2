#include "text/token_trie.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <string>
#include <vector>

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

TEST(TokenIndex, FindsTheFirstOfEachText) {
  test::Random random(4);
  const TextList tokens = random_tokens(random, 6000);
  std::map<std::string, TokenId> first;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    first.try_emplace(std::string(tokens[i]), static_cast<TokenId>(i));
  }
  const TokenIndex index(tokens);
  EXPECT_EQ(index.find(""), TokenIndex::kNone);
  ASSERT_TRUE(index.twice().has_value());
  const auto [one, again] = *index.twice();
  EXPECT_LT(one, again);
  EXPECT_EQ(tokens[static_cast<std::size_t>(one)], tokens[static_cast<std::size_t>(again)]);
  for (const auto& [text, id] : first) {
    if (text.empty()) continue;
    ASSERT_EQ(index.find(text), id);
    ASSERT_TRUE(index.may_hold(TokenIndex::key_of(text)));
    const std::string longer = text + "b";
    ASSERT_EQ(index.find(longer), first.contains(longer) ? first[longer] : TokenIndex::kNone);
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty()) continue;
    const auto id = static_cast<TokenId>(i);
    const bool is_first = first[std::string(tokens[i])] == id;
    ASSERT_EQ(index.is(id, tokens[i], TokenIndex::key_of(tokens[i])), is_first);
  }
  EXPECT_FALSE(TokenIndex(TextList({"a", "", "b", "", "ab"})).twice().has_value());
}

TEST(TokenIndex, FindsWhatItWasMadeOfWhileTheListGrows) {
  TextList tokens;
  for (int i = 0; i < 100; ++i) tokens.push_back("a token of some length, " + std::to_string(i));
  const TokenIndex index(tokens);
  for (int i = 0; i < 10000; ++i) tokens.push_back("later " + std::to_string(i));
  EXPECT_EQ(index.find("a token of some length, 42"), 42);
  EXPECT_EQ(index.find("later 42"), TokenIndex::kNone);
}

TEST(TokenIndex, KeysAreTheSameHoweverTheyAreHad) {
  test::Random random(6);
  for (std::size_t length = 0; length < 100; ++length) {
    std::string padded(8, '\0');
    std::string text;
    std::vector<TokenIndex::Hash> starts = {0};
    for (std::size_t i = 0; i < length; ++i) {
      text.push_back(static_cast<char>(random.below(256)));
      starts.push_back(TokenIndex::extended(starts.back(), text.back()));
    }
    ASSERT_EQ(starts.back(), TokenIndex::hash_of(text));
    padded.insert(0, text);
    const TokenIndex::Key key = TokenIndex::key_of(text);
    const std::string_view in_padded = std::string_view(padded).substr(0, length);
    ASSERT_EQ(TokenIndex::key_of(in_padded, padded.data() + padded.size()), key);
    ASSERT_EQ(TokenIndex::key_of(text, text.data() + text.size()), key);
    TokenIndex::Hash between = 0;
    if (length > TokenIndex::kPlainBytes) {
      TokenIndex::Hash power = 1;  // of kBase
      for (std::size_t i = TokenIndex::kPlainBytes; i < length; ++i) power *= TokenIndex::kBase;
      const std::size_t end = length - TokenIndex::kEndBytes;
      between = starts[end] - starts[TokenIndex::kEndBytes] * power;
    }
    ASSERT_EQ(TokenIndex::key_of(text, between), key);
    if (length > 0) {  // each byte counts
      text[random.below(static_cast<std::uint32_t>(length))] ^= 1;
      ASSERT_NE(TokenIndex::key_of(text), key);
    }
  }
}

}  // namespace
}  // namespace hangar
