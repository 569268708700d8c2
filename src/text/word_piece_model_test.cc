#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>

#include "text/token_model_test_data.h"

namespace hangar {
namespace {

using Ids = std::vector<TokenId>;
using test::ModelUnderTest;

TokenizerSpec small_spec() {
  TokenizerSpec spec;
  spec.model = TokenizerModel::kWordPiece;
  spec.tokens = {"[UNK]", "a", "##b", "##bc", "ab", "##é", "##", "[SEP]"};
  spec.unknown = 0;
  spec.subword_prefix = "##";
  return spec;
}

// The definition: the longest token, and after it again.
Ids by_definition(const TokenizerSpec& spec, const std::string& piece) {
  std::map<std::string, TokenId> ids;
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    ids.emplace(spec.tokens[i], static_cast<TokenId>(i));
  }
  Ids out;
  for (std::size_t start = 0; start < piece.size();) {
    std::size_t end = piece.size();
    for (; end > start; --end) {
      const auto found =
          ids.find((start == 0 ? "" : spec.subword_prefix) + piece.substr(start, end - start));
      if (found == ids.end()) continue;
      out.push_back(found->second);
      break;
    }
    if (end == start) return {0};
    start = end;
  }
  return out;
}

TEST(WordPieceModel, AsByDefinition) {
  test::Random random(3);
  std::size_t whole = 0;
  for (int round = 0; round < 300; ++round) {
    TokenizerSpec spec = small_spec();
    if (round % 5 == 0) spec.subword_prefix = "";
    for (int n = 0; n < 12; ++n) {
      std::string word = random.below(2) == 0 ? "" : spec.subword_prefix;
      for (std::uint32_t i = 1 + random.below(4); i > 0; --i) {
        word += std::array{"a", "b", "é"}[random.below(3)];
      }
      if (!by_definition(spec, "x").empty()) spec.tokens.push_back(word);
    }
    ModelUnderTest model(spec);
    for (int text = 0; text < 8; ++text) {
      std::string piece;
      for (std::uint32_t i = random.below(10); i > 0; --i) {
        piece += std::array{"a", "b", "é", "#"}[random.below(30) / 9];
      }
      const Ids ids = model.encode(piece);
      const Ids wanted = by_definition(spec, piece);
      ASSERT_EQ(ids.size(), wanted.size()) << piece;
      for (std::size_t i = 0; i < ids.size(); ++i) {
        // A text may be there twice: then either id stands for it.
        ASSERT_EQ(spec.tokens[static_cast<std::size_t>(ids[i])],
                  spec.tokens[static_cast<std::size_t>(wanted[i])])
            << piece;
      }
      if (!ids.empty() && ids[0] != 0) ++whole;
    }
  }
  EXPECT_GT(whole, 500U);
}

TEST(WordPieceModel, WhatIsPartlyUnknownIsWhollyUnknown) {
  ModelUnderTest model(small_spec());
  EXPECT_EQ(model.encode("abbc"), (Ids{4, 3}));
  EXPECT_EQ(model.encode("abé"), (Ids{4, 5}));
  EXPECT_EQ(model.encode("abx"), Ids{0});
  EXPECT_EQ(model.encode("##b"), Ids{2});  // as it is spelled
  EXPECT_EQ(model.encode(""), Ids{});
  EXPECT_EQ(model.encode("a\xFF"), Ids{0});
}

TEST(WordPieceModel, AWordOfTooManyCharactersIsUnknown) {
  TokenizerSpec spec = small_spec();
  spec.max_word_characters = 4;
  ModelUnderTest model(spec);
  EXPECT_EQ(model.encode("aééé"), (Ids{1, 5, 5, 5}));
  EXPECT_EQ(model.encode("aéééé"), Ids{0});
}

TEST(WordPieceModel, AControlTokenIsNeverHadFromText) {
  TokenizerSpec spec = small_spec();
  EXPECT_EQ(ModelUnderTest(spec).encode("[SEP]"), Ids{7});
  spec.kinds.assign(8, TokenKind::kNormal);
  spec.kinds[7] = TokenKind::kControl;
  EXPECT_EQ(ModelUnderTest(spec).encode("[SEP]"), Ids{0});
}

TEST(MakeWordPieceModel, NeedsAnUnknownToken) {
  TokenizerSpec spec = small_spec();
  spec.unknown.reset();
  test::expect_corrupt(spec, "unknown token");
}

}  // namespace
}  // namespace hangar
