#include "text/piece_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "text/tokenizer_test_data.h"

namespace hangar {
namespace {

using Ids = std::vector<TokenId>;

TEST(PieceCache, GivesWhatWasStoredForThatPieceAndVariantOrNothing) {
  test::Random random(8);
  PieceCache cache;
  std::map<std::pair<std::string, bool>, Ids> stored;
  std::size_t hits = 0;
  for (int step = 0; step < 200000; ++step) {
    std::string piece;
    // Few different bytes, so that pieces are alike in parts.
    for (std::uint32_t n = 1 + random.below(random.below(2) == 0 ? 4 : 32); n > 0; --n) {
      piece.push_back(static_cast<char>(random.below(8) == 0 ? 'b' : 'a'));
    }
    const bool variant = random.below(2) == 0;
    const PieceCache::Key key = PieceCache::key_of(piece, variant);
    Ids ids = {5};
    if (cache.find(key, ids)) {
      ++hits;
      Ids wanted = {5};
      const Ids& known = stored.at({piece, variant});
      wanted.insert(wanted.end(), known.begin(), known.end());
      ASSERT_EQ(ids, wanted);
      continue;
    }
    ASSERT_EQ(ids, Ids{5});
    Ids fresh(random.below(PieceCache::kMaxIds + 1));
    for (TokenId& id : fresh) id = static_cast<TokenId>(random.below(1000000));
    cache.store(key, fresh);
    stored[{piece, variant}] = fresh;
  }
  EXPECT_GT(hits, 50000U);
}

TEST(PieceCache, RemembersAcrossGrowthAndLeavesOutWhatIsTooLong) {
  PieceCache cache;
  const PieceCache::Key first = PieceCache::key_of("first", false);
  const PieceCache::Key many = PieceCache::key_of("many", false);
  cache.store(first, Ids{1, 2, 3});
  cache.store(many, Ids(PieceCache::kMaxIds + 1, 4));
  Ids ids;
  EXPECT_FALSE(cache.find(many, ids));
  std::size_t found = 0;
  for (int i = 0; i < 3000; ++i) {
    cache.store(PieceCache::key_of(std::to_string(i), false), Ids{i});
  }
  for (int i = 0; i < 3000; ++i) {
    if (cache.find(PieceCache::key_of(std::to_string(i), false), ids)) ++found;
  }
  EXPECT_GT(found, 2000U);
}

}  // namespace
}  // namespace hangar
