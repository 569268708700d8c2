#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "text/token_model_test_data.h"
#include "text/utf8.h"

namespace hangar {
namespace {

using Ids = std::vector<TokenId>;
using test::ModelUnderTest;

TokenizerSpec small_spec() {
  TokenizerSpec spec;
  spec.model = TokenizerModel::kUnigram;
  spec.tokens = {"<unk>", "a", "b", "ab", "abc", "é"};
  spec.scores = {0, -2, -2, -3, -9, -2};
  spec.unknown = 0;
  return spec;
}

// Random words of a few letters with small whole scores, so that there are ties.
TokenizerSpec random_spec(test::Random& random) {
  TokenizerSpec spec = small_spec();
  spec.tokens = {"<unk>"};
  spec.scores = {0};
  std::map<std::string, bool> known;
  for (int n = 0; n < 14; ++n) {
    std::string word;
    for (std::uint32_t i = 1 + random.below(4); i > 0; --i) {
      word += std::array{"a", "b", "é"}[random.below(3)];
    }
    if (!known.emplace(word, true).second) continue;
    spec.tokens.push_back(word);
    spec.scores.push_back(-1.0 - random.below(6));
  }
  return spec;
}

double worst_score(const TokenizerSpec& spec) {
  return *std::min_element(spec.scores.begin(), spec.scores.end());
}

// The best score there is, by trying all ways. Of two tokens with the same text the later is meant.
double best_score(const TokenizerSpec& spec, std::string_view text) {
  if (text.empty()) return 0;
  std::map<std::string, double> scores;
  for (std::size_t id = 1; id < spec.tokens.size(); ++id) {
    if (text.starts_with(spec.tokens[id])) scores[std::string(spec.tokens[id])] = spec.scores[id];
  }
  double best = -std::numeric_limits<double>::infinity();
  for (const auto& [token, score] : scores) {
    best = std::max(best, score + best_score(spec, text.substr(token.size())));
  }
  return best;
}

TEST(UnigramModel, FindsTheBestOfAllWays) {
  test::Random random(11);
  for (int round = 0; round < 120; ++round) {
    TokenizerSpec spec = random_spec(random);
    spec.tokens.append({"a", "b", "é"});  // so that nothing is unknown
    spec.scores.insert(spec.scores.end(), {-4, -4, -4});
    ModelUnderTest model(spec);
    std::string text;
    for (std::uint32_t i = random.below(13); i > 0; --i) {
      text += std::array{"a", "b", "é"}[random.below(3)];
    }
    double score = 0;
    std::string spelled;
    for (const TokenId id : model.encode(text)) {
      spelled += spec.tokens[static_cast<std::size_t>(id)];
      score += spec.scores[static_cast<std::size_t>(id)];
    }
    ASSERT_EQ(spelled, text);
    ASSERT_EQ(score, best_score(spec, text)) << text;
  }
}

// Viterbi as it stands in books: all places kept, tokens tried from the shortest.
Ids by_definition(const TokenizerSpec& spec, std::string_view text) {
  struct Way {
    double score = 0;
    TokenId id = -1;
    std::size_t begin = 0;
  };
  std::map<std::string, TokenId, std::less<>> ids;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    ids[std::string(spec.tokens[i])] = static_cast<TokenId>(i);
    longest = std::max(longest, spec.tokens[i].size());
  }
  std::vector<Way> ways(text.size() + 1);
  const auto offer = [&](std::size_t end, const Way& way) {
    if (ways[end].id < 0 || way.score > ways[end].score) ways[end] = way;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t character = next_utf8(text.substr(at)).bytes;
    bool has_character = false;
    for (std::size_t bytes = 1; bytes <= std::min(longest, text.size() - at); ++bytes) {
      const auto found = ids.find(text.substr(at, bytes));
      if (found == ids.end()) continue;
      has_character = has_character || bytes == character;
      offer(at + bytes,
            {.score = spec.scores[static_cast<std::size_t>(found->second)] + ways[at].score,
             .id = found->second,
             .begin = at});
    }
    if (!has_character) {
      offer(at + character,
            {.score = worst_score(spec) - 10 + ways[at].score, .id = 0, .begin = at});
    }
    at += character;
  }
  Ids out;
  for (std::size_t end = text.size(); end > 0; end = ways[end].begin) {
    if (ways[end].id != 0 || out.empty() || out.back() != 0) out.push_back(ways[end].id);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

TEST(UnigramModel, TiesGoAsByDefinitionAlsoInLongTexts) {
  test::Random random(12);
  std::size_t tokens = 0;
  for (int round = 0; round < 200; ++round) {
    TokenizerSpec spec = random_spec(random);
    // Scores that are not whole: sums must be rounded as they are in one pass.
    if (round % 2 == 0) {
      for (double& score : spec.scores) score = score / 3 - 0.1;
    }
    ModelUnderTest model(spec);
    for (int text = 0; text < 6; ++text) {
      std::string piece;
      for (std::uint32_t i = random.below(text % 2 == 0 ? 400 : 9); i > 0; --i) {
        piece += std::array{"a", "b", "é", "a", "b", "a", "b", "中"}[random.below(8)];
      }
      const Ids ids = model.encode(piece);
      ASSERT_EQ(ids, by_definition(spec, piece)) << piece;
      tokens += ids.size();
    }
  }
  EXPECT_GT(tokens, 20000U);
}

TEST(UnigramModel, UnknownCharactersInARowAreOneToken) {
  ModelUnderTest model(small_spec());
  EXPECT_EQ(model.encode("axyzab"), (Ids{1, 0, 3}));
  EXPECT_EQ(model.encode("<unk>"), Ids{0});
  EXPECT_EQ(model.encode("x<unk>y"), Ids{0});
}

TEST(UnigramModel, ARowOfUnknownCharactersIsSpelledInBytesWhereAllAreThere) {
  TokenizerSpec spec = small_spec();
  spec.byte_fallback = true;
  for (const char* byte : {"<0x78>", "<0xE4>", "<0xB8>", "<0xAD>"}) {
    spec.tokens.push_back(byte);
    spec.scores.push_back(-5);
  }
  ModelUnderTest model(spec);
  EXPECT_EQ(model.encode("ax中"), (Ids{1, 6, 7, 8, 9}));
  EXPECT_EQ(model.encode("axy"), (Ids{1, 0}));
  spec.unknown.reset();
  ModelUnderTest without(spec);
  EXPECT_EQ(without.encode("ax中y"), Ids{1});
  EXPECT_EQ(without.encode("ax"), (Ids{1, 6}));
}

TEST(UnigramModel, AControlTokenIsNeverHadFromText) {
  TokenizerSpec spec = small_spec();
  spec.tokens.push_back("aba");
  spec.scores.push_back(5);
  EXPECT_EQ(ModelUnderTest(spec).encode("aba"), Ids{6});
  spec.kinds.assign(7, TokenKind::kNormal);
  spec.kinds[6] = TokenKind::kControl;
  EXPECT_EQ(ModelUnderTest(spec).encode("aba"), (Ids{3, 1}));
}

TEST(UnigramModel, TokensPastTheScoresAreNotTheModels) {
  TokenizerSpec spec = small_spec();
  spec.tokens.push_back("aba");
  EXPECT_EQ(ModelUnderTest(spec).encode("aba"), (Ids{3, 1}));
}

TEST(UnigramModel, BrokenBytesAreUnknown) {
  EXPECT_EQ(ModelUnderTest(small_spec())
                .encode("a\xFF\xE4\xB8"
                        "b"),
            (Ids{1, 0, 2}));
}

TEST(UnigramModel, ManyPlacesWithoutACutTakeLinearTime) {
  TokenizerSpec spec = small_spec();
  spec.tokens.push_back("aa");
  spec.scores.push_back(-1);
  ModelUnderTest model(spec);
  EXPECT_EQ(model.encode(std::string(200000, 'a')), Ids(100000, 6));
}

TEST(MakeUnigramModel, SaysWhatIsWrong) {
  TokenizerSpec spec = small_spec();
  spec.scores.clear();
  test::expect_corrupt(spec, "0 scores for 6 tokens");
  spec.scores.assign(7, 0);
  test::expect_corrupt(spec, "7 scores");
  spec.scores.assign(6, 0);
  spec.scores[4] = std::nan("");
  test::expect_corrupt(spec, "score of token 4");
}

}  // namespace
}  // namespace hangar
