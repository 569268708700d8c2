#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "text/bpe_merges.h"
#include "text/token_model_test_data.h"
#include "text/utf8.h"

namespace hangar {
namespace {

using Ids = std::vector<TokenId>;
using test::ModelUnderTest;

// Letters, an unknown token and random merges of what is there.
TokenizerSpec random_spec(test::Random& random, bool across_words) {
  TokenizerSpec spec;
  spec.tokens = {"<unk>", "a", "b", "é", "\u2581", "."};
  spec.unknown = 0;
  spec.fuse_unknown = random.below(2) == 0;
  spec.ignore_merges = random.below(3) == 0;
  std::set<std::string> known(spec.tokens.begin(), spec.tokens.end());
  for (std::uint32_t n = random.below(30); n > 0; --n) {
    const auto count = static_cast<std::uint32_t>(spec.tokens.size() - 1);
    const std::string left(spec.tokens[1 + random.below(count)]);
    const std::string right(spec.tokens[1 + random.below(count)]);
    const bool crosses = right.starts_with("\u2581") && !left.ends_with("\u2581");
    if ((crosses && !across_words) || left.size() + right.size() > 24) continue;
    spec.merges.add(left, right);
    if (known.insert(left + right).second) spec.tokens.push_back(left + right);
  }
  return spec;
}

// The definition: characters, then again and again the best merge, the leftmost of it.
Ids by_definition(const TokenizerSpec& spec, std::string_view piece) {
  std::map<std::string, TokenId> ids;
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    ids.emplace(spec.tokens[i], static_cast<TokenId>(i));
  }
  if (spec.ignore_merges && ids.contains(std::string(piece))) return {ids.at(std::string(piece))};
  std::map<std::pair<TokenId, TokenId>, std::size_t> ranks;
  for (std::size_t i = 0; i < spec.merges.size(); ++i) {
    const auto& [text, left_bytes] = spec.merges[i];
    const std::string left(text.substr(0, left_bytes));
    const std::string right(text.substr(left_bytes));
    ranks[{ids.at(left), ids.at(right)}] = i;
  }
  Ids row;
  bool after_unknown = false;
  while (!piece.empty()) {
    const std::string character(piece.substr(0, next_utf8(piece).bytes));
    piece.remove_prefix(character.size());
    const bool unknown = !ids.contains(character);
    if (unknown && after_unknown && spec.fuse_unknown) continue;
    row.push_back(unknown ? *spec.unknown : ids.at(character));
    after_unknown = unknown;
  }
  while (true) {
    std::optional<std::size_t> best;
    std::size_t best_at = 0;
    for (std::size_t at = 0; at + 1 < row.size(); ++at) {
      const auto found = ranks.find({row[at], row[at + 1]});
      if (found != ranks.end() && (!best || found->second < *best)) {
        best = found->second;
        best_at = at;
      }
    }
    if (!best) return row;
    row[best_at] = ids.at(std::string(spec.merges[*best].text));
    row.erase(row.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

TEST(BpeModel, AsByDefinitionWhateverIsCutAndRemembered) {
  test::Random random(41);
  static constexpr std::array<std::string_view, 8> kCharacters = {"a", "b",      "a", "b",
                                                                  "é", "\u2581", ".", "中"};
  std::size_t merged = 0;
  for (int round = 0; round < 250; ++round) {
    const TokenizerSpec spec = random_spec(random, /*across_words=*/round % 3 == 0);
    ModelUnderTest model(spec);
    ASSERT_FALSE(model.error().has_value()) << model.error()->message;
    for (int text = 0; text < 12; ++text) {
      std::string piece;
      const std::uint32_t length = text % 3 == 0 ? random.below(150) : random.below(12);
      for (std::uint32_t i = 0; i < length; ++i) {
        piece += kCharacters[random.below(kCharacters.size())];
      }
      const Ids ids = model.encode(piece);
      ASSERT_EQ(ids, by_definition(spec, piece)) << piece;
      merged += length - ids.size();
    }
  }
  EXPECT_GT(merged, 8000U);
}

TEST(BpeModel, TakesTimeNearLinearInAPieceWithoutAnyCut) {
  TokenizerSpec spec;
  spec.tokens = {"a", "b", "ab", "abab", "ba"};
  spec.merges.add("a", "b");
  spec.merges.add("ab", "ab");
  spec.merges.add("b", "a");
  ModelUnderTest model(spec);
  std::string text;
  for (int i = 0; i < 150000; ++i) text += "ab";
  EXPECT_EQ(model.encode(text), Ids(75000, 3));
  std::string marked = "\u2581";  // no token at all
  for (int i = 0; i < 100000; ++i)
    marked +=
        "\u2581"
        "b";
  EXPECT_EQ(model.encode(marked), Ids(100000, 1));
}

TEST(BpeModel, BrokenBytesAreSpelledInByteTokens) {
  TokenizerSpec spec;
  spec.tokens = {"a", "<0xFF>", "<0xE4>", "<0xB8>", "\u2581"};
  spec.byte_fallback = true;
  ModelUnderTest model(spec);
  EXPECT_EQ(model.encode("a\xFF\xE4\xB8"
                         "a"),
            (Ids{0, 1, 2, 3, 0}));
  EXPECT_EQ(model.encode("\xE4"), Ids{2});
  EXPECT_EQ(model.encode("\xC3"
                         "a"),
            Ids{0});  // no such byte, nothing unknown
}

TEST(BpeModel, MarksThatAreUnknownToTheVocabularyFuseWithWhatStandsBefore) {
  TokenizerSpec spec;
  spec.tokens = {"<unk>", "a"};
  spec.unknown = 0;
  spec.fuse_unknown = true;
  ModelUnderTest model(spec);
  std::string text;
  for (int i = 0; i < 40; ++i) text += "x\u2581";
  EXPECT_EQ(model.encode(text + "a"), (Ids{0, 1}));
}

TEST(BpeModel, AControlTokenIsNeverHadFromText) {
  TokenizerSpec spec;
  spec.tokens = {"<", "s", ">", "<s>", "ss"};
  spec.kinds.assign(5, TokenKind::kNormal);
  spec.kinds[3] = TokenKind::kControl;
  spec.ignore_merges = true;
  ModelUnderTest model(spec);
  EXPECT_EQ(model.encode("<s>"), (Ids{0, 1, 2}));
  EXPECT_EQ(model.encode("ss"), Ids{4});
}

TEST(BpeModel, OfEqualScoresTheLongerLeftPartThenTheLowerIdMergesFirst) {
  TokenizerSpec spec;
  //             0    1    2    3     4     5      6
  spec.tokens = {"a", "b", "c", "bc", "ab", "abc", "ca"};
  spec.scores = {0, 0, 0, -1, -1, -1, -3};
  // Of "ab" + "c", "a" + "bc" and the rest, the first has the longer left part; the last score is
  // the worst.
  ModelUnderTest model(spec);
  EXPECT_EQ(model.encode("abc"), (Ids{4 + 1}));
  EXPECT_EQ(model.encode("bc"), Ids{3});
  EXPECT_EQ(model.encode("cab"), (Ids{2, 4}));
  spec.scores[6] = 1;
  ModelUnderTest other(spec);
  EXPECT_EQ(other.encode("cab"), (Ids{6, 1}));
}

TEST(MakeBpeModel, SaysWhatIsWrong) {
  TokenizerSpec spec;
  spec.tokens = {"a", "b", "ab", "##b"};
  const auto with_merge = [&](std::string_view left, std::string_view right) {
    TokenizerSpec broken = spec;
    broken.merges.add("a", "b");
    broken.merges.add(left, right);
    return broken;
  };
  test::expect_corrupt(with_merge("", "ab"), "merge 1, \"ab\", is not a pair");
  test::expect_corrupt(with_merge("ab", ""), "is not a pair");
  test::expect_corrupt(with_merge("x", "b"), "\"x\" is no token");
  test::expect_corrupt(with_merge("a", "y"), "\"y\" is no token");
  test::expect_corrupt(with_merge("b", "a"), "\"ba\" is no token");
  TokenizerSpec prefixed = with_merge("a", "##b");
  prefixed.subword_prefix = "##";
  test::expect_corrupt(prefixed, "merge 0, \"ab\", is not a pair");
  spec.scores = {0, 0, 0, 0, 0};
  test::expect_corrupt(spec, "5 scores for 4 tokens");
  spec.scores = {0, std::nan(""), 0, 0};
  test::expect_corrupt(spec, "score of token 1");
}

TEST(MakeBpeModel, RefusesMoreTokensThanItsMergesTake) {
  TokenizerSpec spec;
  spec.tokens = {"a", "b", "ab"};
  spec.merges.add("a", "b");
  spec.tokens.resize(BpeMerges::kMaxTokens);
  spec.tokens.set(BpeMerges::kMaxTokens - 1, "b");
  ModelUnderTest most(spec);
  ASSERT_FALSE(most.error().has_value());
  EXPECT_EQ(most.encode("ab"), Ids{2});
  spec.tokens.push_back("c");
  const ModelUnderTest more(spec);
  ASSERT_TRUE(more.error().has_value());
  EXPECT_EQ(more.error()->code, ErrorCode::kUnsupported);
  EXPECT_NE(more.error()->message.find("2097152 tokens found"), std::string::npos)
      << more.error()->message;
}

}  // namespace
}  // namespace hangar
