#include "text/pre_token_splitter.h"

#include <gtest/gtest.h>

#include <chrono>

#include "text/pre_tokenizers.h"
#include "text/tokenizer_test_data.h"

namespace hangar {
namespace {

std::vector<std::string> pieces_of(std::string_view expression, std::string_view text) {
  const auto splitter = PreTokenSplitter::compile(expression);
  EXPECT_TRUE(splitter.has_value());
  PreTokenSplitter::Cursor cursor(*splitter);
  std::vector<std::string> pieces;
  splitter->split(text, cursor, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

class PreTokens : public testing::TestWithParam<std::string_view> {};

TEST_P(PreTokens, AreThoseOfHuggingFaceOnTheCorpus) {
  const auto texts = test::corpus_texts();
  const auto golden = test::read_json("pieces.json");
  const auto& wanted = golden.at(GetParam()).as_array();
  ASSERT_GT(wanted.size(), 900U);
  const PreTokenizer* pre_tokenizer = find_pre_tokenizer(GetParam());
  ASSERT_NE(pre_tokenizer, nullptr);
  const auto splitter = PreTokenSplitter::compile(pre_tokenizer->expression);
  ASSERT_TRUE(splitter.has_value());
  PreTokenSplitter::Cursor cursor(*splitter);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    std::vector<std::size_t> lengths;
    std::string joined;
    splitter->split(texts[i], cursor, [&](std::string_view piece) {
      lengths.push_back(piece.size());
      joined += piece;
    });
    EXPECT_EQ(lengths, test::list_of<std::size_t>(wanted[i])) << "text " << i << ": " << texts[i];
    EXPECT_EQ(joined, texts[i]);
  }
}

TEST_P(PreTokens, OfLongRowsOfOneCharacterTakeLinearTime) {
  const PreTokenizer* pre_tokenizer = find_pre_tokenizer(GetParam());
  ASSERT_NE(pre_tokenizer, nullptr);
  const auto splitter = PreTokenSplitter::compile(pre_tokenizer->expression);
  ASSERT_TRUE(splitter.has_value());
  PreTokenSplitter::Cursor cursor(*splitter);
  const auto start = std::chrono::steady_clock::now();
  for (const std::string_view unit :
       {"a", " ", "\n", "é", "\u3000", "中", "!", "\u0301", "A", " \n"}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    for (const std::string_view end : {"", "x", "\n"}) {
      const std::string ended = text + std::string(end);
      std::size_t bytes = 0;
      std::size_t count = 0;
      splitter->split(ended, cursor, [&](std::string_view piece) {
        bytes += piece.size();
        ++count;
      });
      EXPECT_EQ(bytes, ended.size());
      EXPECT_LE(count, 3U) << unit;
    }
  }
  // Quadratic would be hours; linear is well under a second even with sanitizers.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

INSTANTIATE_TEST_SUITE_P(All, PreTokens,
                         testing::Values("gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35",
                                         "gpt-4o", "tekken"),
                         [](const auto& parameter) {
                           std::string name(parameter.param);
                           std::erase(name, '-');
                           return name;
                         });

TEST(PreTokenSplitter, WhatLiesBetweenMatchesIsAPieceToo) {
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(pieces_of("[0-9]+", "ab12c3"), (Pieces{"ab", "12", "c", "3"}));
  EXPECT_EQ(pieces_of("x*", "éxxé"), (Pieces{"é", "xx", "é"}));
  EXPECT_EQ(pieces_of("x", ""), Pieces{});
  EXPECT_EQ(pieces_of("x", "yz"), Pieces{"yz"});
}

TEST(PreTokenSplitter, ABrokenExpressionIsAnError) {
  const auto splitter = PreTokenSplitter::compile("a(b");
  ASSERT_FALSE(splitter.has_value());
  EXPECT_EQ(splitter.error().code, ErrorCode::kInternal);
}

TEST(PreTokenizers, AliasesAndUnknownNames) {
  EXPECT_EQ(find_pre_tokenizer(""), find_pre_tokenizer("gpt-2"));
  EXPECT_EQ(find_pre_tokenizer("default"), find_pre_tokenizer("gpt-2"));
  EXPECT_EQ(find_pre_tokenizer("llama3"), find_pre_tokenizer("llama-bpe"));
  EXPECT_EQ(find_pre_tokenizer("llama-v3"), find_pre_tokenizer("llama-bpe"));
  EXPECT_NE(find_pre_tokenizer("qwen2"), find_pre_tokenizer("gpt-2"));
  EXPECT_EQ(find_pre_tokenizer("no-such"), nullptr);
  EXPECT_NE(known_pre_tokenizers().find("smollm, starcoder"), std::string::npos);
}

}  // namespace
}  // namespace hangar
