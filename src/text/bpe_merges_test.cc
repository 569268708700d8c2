#include "text/bpe_merges.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>

#include "text/merge_queue.h"
#include "text/tokenizer_test_data.h"

namespace hangar {
namespace {

// A random merge table over the letters 'a'..: tokens are words, merges join two of them.
struct Table {
  std::vector<std::string> words;
  std::map<std::string, TokenId> ids;
  std::vector<std::array<TokenId, 3>> merges;  // left, right, joined: best first
  BpeMerges table;

  Table(test::Random& random, std::uint32_t letters, std::size_t count) {
    for (std::uint32_t i = 0; i < letters; ++i) id_of(std::string(1, static_cast<char>('a' + i)));
    for (std::size_t i = 0; i < count; ++i) {
      const auto left = pick(random);
      const auto right = pick(random);
      const auto joined =
          id_of(words[static_cast<std::size_t>(left)] + words[static_cast<std::size_t>(right)]);
      merges.push_back({left, right, joined});
      table.add(left, right, joined);
    }
  }
  TokenId pick(test::Random& random) const {
    return static_cast<TokenId>(random.below(static_cast<std::uint32_t>(words.size())));
  }
  TokenId id_of(const std::string& word) {
    const auto [found, is_new] = ids.try_emplace(word, static_cast<TokenId>(words.size()));
    if (is_new) words.push_back(word);
    return found->second;
  }

  // Of two equal merges the later counts.
  std::optional<std::size_t> rank_of(TokenId left, TokenId right) const {
    for (std::size_t rank = merges.size(); rank > 0; --rank) {
      if (merges[rank - 1][0] == left && merges[rank - 1][1] == right) return rank - 1;
    }
    return std::nullopt;
  }

  // The definition: the best rank anywhere, the leftmost of it.
  std::vector<TokenId> by_definition(std::vector<TokenId> row) const {
    while (true) {
      std::optional<std::size_t> best_rank;
      std::size_t best_at = 0;
      for (std::size_t at = 0; at + 1 < row.size(); ++at) {
        const auto rank = rank_of(row[at], row[at + 1]);
        if (rank && (!best_rank || *rank < *best_rank)) {
          best_rank = rank;
          best_at = at;
        }
      }
      if (!best_rank) return row;
      row[best_at] = merges[*best_rank][2];
      row.erase(row.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
    }
  }
};

TEST(BpeMerges, AsByDefinitionForRowsShortAndLong) {
  test::Random random(17);
  BpeMerges::Scratch scratch;
  std::size_t merged = 0;
  for (int round = 0; round < 400; ++round) {
    const std::uint32_t letters = 1 + random.below(3);
    const Table table(random, letters, random.below(24));
    // Both ways of merging: the border lies at 64 symbols.
    const std::uint32_t length = round % 2 == 0 ? random.below(65) : 65 + random.below(120);
    std::vector<TokenId> row(length);
    for (TokenId& symbol : row) symbol = static_cast<TokenId>(random.below(letters));
    std::vector<TokenId> got = row;
    table.table.merge(got, scratch);
    ASSERT_EQ(got, table.by_definition(row));
    merged += row.size() - got.size();
  }
  EXPECT_GT(merged, 5000U);
}

TEST(BpeMerges, OfTwoEqualMergesTheLaterCounts) {
  BpeMerges merges;
  merges.add(0, 1, 10);  // ab
  merges.add(1, 2, 11);  // bc
  merges.add(0, 1, 12);  // ab again
  EXPECT_EQ(merges.size(), 3U);
  BpeMerges::Scratch scratch;
  std::vector<TokenId> row = {0, 1, 2};
  merges.merge(row, scratch);
  EXPECT_EQ(row, (std::vector<TokenId>{0, 11}));
  row = {0, 1, 0};
  merges.merge(row, scratch);
  EXPECT_EQ(row, (std::vector<TokenId>{12, 0}));
}

TEST(BpeMerges, ReservedOrGrownTheTableIsTheSame) {
  test::Random random(5);
  BpeMerges grown;
  BpeMerges reserved;
  reserved.reserve(5000);
  for (TokenId i = 0; i < 5000; ++i) {
    const auto left = static_cast<TokenId>(random.below(2000));
    const auto right = static_cast<TokenId>(random.below(2000));
    grown.add(left, right, i);
    reserved.add(left, right, i);
  }
  const auto pairs_of = [](const BpeMerges& merges) {
    std::set<std::pair<TokenId, TokenId>> pairs;
    merges.for_each([&](TokenId left, TokenId right) { pairs.emplace(left, right); });
    return pairs;
  };
  EXPECT_GT(pairs_of(grown).size(), 4900U);
  EXPECT_EQ(pairs_of(grown), pairs_of(reserved));
  BpeMerges::Scratch scratch;
  for (const auto& [left, right] : pairs_of(grown)) {
    std::vector<TokenId> a = {left, right};
    std::vector<TokenId> b = a;
    grown.merge(a, scratch);
    reserved.merge(b, scratch);
    ASSERT_EQ(a.size(), 1U);
    ASSERT_EQ(a, b);
  }
}

TEST(MergeQueue, GivesRankThenPositionInOrder) {
  test::Random random(23);
  MergeQueue queue;
  std::set<std::pair<std::uint32_t, std::uint32_t>> model;
  for (int step = 0; step < 50000; ++step) {
    if (model.empty() || random.below(5) < 3) {
      const std::uint32_t rank = random.below(8);
      const std::uint32_t position = random.below(1000000);
      if (model.emplace(rank, position).second) queue.push({.rank = rank, .position = position});
    } else {
      const auto entry = queue.pop();
      ASSERT_TRUE(entry.has_value());
      ASSERT_EQ(std::make_pair(entry->rank, entry->position), *model.begin());
      model.erase(model.begin());
    }
  }
  while (!model.empty()) {
    const auto entry = queue.pop();
    ASSERT_TRUE(entry.has_value());
    ASSERT_EQ(std::make_pair(entry->rank, entry->position), *model.begin());
    model.erase(model.begin());
  }
  EXPECT_FALSE(queue.pop().has_value());
}

}  // namespace
}  // namespace hangar
