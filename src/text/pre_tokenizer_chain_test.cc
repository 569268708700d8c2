#include "text/pre_tokenizer_chain.h"

#include <gtest/gtest.h>

#include <chrono>

#include "text/pre_tokenizers.h"
#include "text/tokenizer_test_data.h"

namespace hangar {
namespace {

using Pieces = std::vector<std::string>;

Result<PreTokenizerChain> chain_of(std::string_view name) {
  TokenizerSpec spec;
  HANGAR_CHECK_OK(apply_pre_tokenizer(name, spec));
  return PreTokenizerChain::build(spec.pre_tokenizers, /*spell_last=*/false);
}

Pieces pieces_of(std::string_view expression, std::string_view text) {
  const PreTokenizerSpec split{.kind = PreTokenizerKind::kSplit,
                               .pattern = {.text = std::string(expression), .regex = true}};
  const auto chain = PreTokenizerChain::build({split}, /*spell_last=*/false);
  EXPECT_TRUE(chain.has_value());
  auto scratch = chain->make_scratch();
  Pieces pieces;
  chain->cut(text, /*at_start=*/true, scratch,
             [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

class PreTokens : public ::testing::TestWithParam<std::string_view> {};

TEST_P(PreTokens, AreThoseOfHuggingFaceOnTheCorpus) {
  const auto texts = test::corpus_texts();
  const auto golden = test::read_json("pieces.json");
  const auto& wanted = golden.at(GetParam()).as_array();
  ASSERT_GT(wanted.size(), 900U);
  const auto chain = chain_of(GetParam());
  ASSERT_TRUE(chain.has_value());
  auto scratch = chain->make_scratch();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    std::vector<std::size_t> lengths;
    std::string joined;
    chain->cut(texts[i], /*at_start=*/true, scratch, [&](std::string_view piece) {
      lengths.push_back(piece.size());
      joined += piece;
    });
    EXPECT_EQ(lengths, test::list_of<std::size_t>(wanted[i])) << "text " << i << ": " << texts[i];
    EXPECT_EQ(joined, texts[i]);
  }
}

TEST_P(PreTokens, OfLongRowsOfOneCharacterTakeLinearTime) {
  const auto chain = chain_of(GetParam());
  ASSERT_TRUE(chain.has_value());
  auto scratch = chain->make_scratch();
  const auto start = std::chrono::steady_clock::now();
  for (const std::string_view unit :
       {"a", " ", "\n", "é", "\u3000", "中", "!", "\u0301", "A", " \n"}) {
    std::string text;
    while (text.size() < 300'000) text += unit;
    for (const std::string_view end : {"", "x", "\n"}) {
      const std::string ended = text + std::string(end);
      std::size_t bytes = 0;
      chain->cut(ended, /*at_start=*/true, scratch,
                 [&](std::string_view piece) { bytes += piece.size(); });
      EXPECT_EQ(bytes, ended.size());
    }
  }
  // Quadratic would be hours; linear is well under a second even with sanitizers.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

INSTANTIATE_TEST_SUITE_P(All, PreTokens,
                         ::testing::Values("gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35",
                                           "gpt-4o", "tekken"),
                         [](const auto& parameter) {
                           std::string name(parameter.param);
                           std::erase(name, '-');
                           return name;
                         });

TEST(PreTokenizerChain, WhatLiesBetweenMatchesIsAPieceToo) {
  EXPECT_EQ(pieces_of("[0-9]+", "ab12c3"), (Pieces{"ab", "12", "c", "3"}));
  EXPECT_EQ(pieces_of("x", ""), Pieces{});
  EXPECT_EQ(pieces_of("x", "yz"), Pieces{"yz"});
}

TEST(PreTokenizerChain, AnEmptyMatchCuts) {
  EXPECT_EQ(pieces_of("(?=([0-9]{3})+(?![0-9]))", "a1234567"), (Pieces{"a1", "234", "567"}));
  EXPECT_EQ(pieces_of("x*", "éxxé"), (Pieces{"é", "xx", "é"}));
}

TEST(PreTokenizerChain, ABrokenExpressionIsAnError) {
  const PreTokenizerSpec split{.kind = PreTokenizerKind::kSplit,
                               .pattern = {.text = "a(b", .regex = true}};
  const auto chain = PreTokenizerChain::build({split}, /*spell_last=*/false);
  ASSERT_FALSE(chain.has_value());
  EXPECT_EQ(chain.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(chain.error().message.find("a(b"), std::string::npos);
}

TEST(PreTokenizers, AliasesAndUnknownNames) {
  const auto expression = [](std::string_view name) {
    TokenizerSpec spec;
    EXPECT_TRUE(apply_pre_tokenizer(name, spec).has_value());
    return spec.pre_tokenizers.front().pattern.text;
  };
  EXPECT_EQ(expression("llama3"), expression("llama-bpe"));
  EXPECT_EQ(expression("llama-v3"), expression("llama-bpe"));
  EXPECT_NE(expression("qwen2"), expression("llama-bpe"));
  TokenizerSpec spec;
  EXPECT_FALSE(apply_pre_tokenizer("no-such", spec).has_value());
  EXPECT_NE(known_pre_tokenizers().find("smollm, starcoder"), std::string::npos);
}

}  // namespace
}  // namespace hangar
