#include "kv/block_table.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace hangar {
namespace {

using Tokens = std::vector<std::int32_t>;

TEST(BlockTable, TakesBlocksAsTokensNeedThem) {
  BlockPool pool(4, 16);
  std::vector<BlockCopy> copies;
  {
    BlockTable table(pool);
    EXPECT_TRUE(table.prepare(0, 1, copies));
    EXPECT_EQ(table.blocks().size(), 1U);
    EXPECT_TRUE(table.prepare(1, 16, copies));
    EXPECT_EQ(table.blocks().size(), 1U);
    EXPECT_EQ(table.missing(16, 33), 2);
    EXPECT_TRUE(table.prepare(16, 17, copies));
    EXPECT_EQ(table.blocks().size(), 2U);
    EXPECT_FALSE(table.prepare(17, 65, copies));  // five blocks: one too many
    EXPECT_EQ(table.blocks().size(), 2U);
    EXPECT_TRUE(table.prepare(17, 64, copies));
    EXPECT_EQ(pool.free(), 0);
    table.clear();
    EXPECT_EQ(pool.free(), 4);
    EXPECT_TRUE(table.prepare(0, 33, copies));
    const BlockTable moved(std::move(table));
    EXPECT_EQ(moved.blocks().size(), 3U);
    EXPECT_EQ(pool.free(), 1);
  }
  EXPECT_EQ(pool.free(), 4);  // the destructor gave them back, once
  EXPECT_TRUE(copies.empty());
}

TEST(BlockTable, FindsTheLongestKnownPrefixInWholeBlocks) {
  BlockPool pool(8, 2);
  const PrefixHash root = prefix_root(1, 2);
  std::vector<BlockCopy> copies;
  BlockTable first(pool);
  ASSERT_TRUE(first.prepare(0, 5, copies));
  first.remember(root, Tokens{1, 2, 3, 4, 5});
  BlockTable second(pool);
  EXPECT_EQ(second.known_prefix(root, Tokens{1, 2, 3, 4, 9, 9}), 4);
  EXPECT_EQ(pool.holders(first.blocks()[0]), 1);
  EXPECT_EQ(second.find_prefix(root, Tokens{1, 2, 3, 4, 9, 9}), 4);
  ASSERT_EQ(second.blocks().size(), 2U);
  EXPECT_EQ(second.blocks()[0], first.blocks()[0]);
  EXPECT_EQ(pool.holders(first.blocks()[1]), 2);
  BlockTable third(pool);
  EXPECT_EQ(third.find_prefix(root, Tokens{1, 2, 4, 4}), 2);
  BlockTable other_root(pool);
  EXPECT_EQ(other_root.find_prefix(prefix_root(1, 3), Tokens{1, 2, 3, 4}), 0);
  BlockTable short_of_a_block(pool);
  EXPECT_EQ(short_of_a_block.find_prefix(root, Tokens{1}), 0);
}

TEST(BlockTable, PrefixesOutliveTheirSequenceEndsFirstForgotten) {
  BlockPool pool(3, 1);
  const PrefixHash root = prefix_root(1, 2);
  std::vector<BlockCopy> copies;
  {
    BlockTable table(pool);
    ASSERT_TRUE(table.prepare(0, 3, copies));
    table.remember(root, Tokens{1, 2, 3});
  }
  EXPECT_EQ(pool.kept(), 3);
  BlockTable other(pool);
  ASSERT_TRUE(other.prepare(0, 1, copies));  // takes the block of token 3
  BlockTable again(pool);
  EXPECT_EQ(again.find_prefix(root, Tokens{1, 2, 3}), 2);
}

TEST(BlockTable, ForksShareAndCopyOnWrite) {
  BlockPool pool(6, 4);
  std::vector<BlockCopy> copies;
  BlockTable parent(pool);
  ASSERT_TRUE(parent.prepare(0, 6, copies));
  BlockTable child(pool);
  child.fork(parent, 6);
  EXPECT_EQ(pool.held(), 2);
  EXPECT_EQ(child.missing(6, 7), 1);
  ASSERT_TRUE(child.prepare(6, 7, copies));
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies[0].from, parent.blocks()[1]);
  EXPECT_EQ(copies[0].to, child.blocks()[1]);
  EXPECT_EQ(child.blocks()[0], parent.blocks()[0]);
  EXPECT_EQ(pool.holders(parent.blocks()[1]), 1);
  copies.clear();
  ASSERT_TRUE(parent.prepare(6, 7, copies));  // its own again: nothing to copy
  EXPECT_TRUE(copies.empty());
}

TEST(BlockTable, ABlockWrittenFromItsBeginningIsReplacedWithoutACopy) {
  BlockPool pool(4, 4);
  std::vector<BlockCopy> copies;
  BlockTable parent(pool);
  ASSERT_TRUE(parent.prepare(0, 8, copies));
  BlockTable child(pool);
  child.fork(parent, 8);
  ASSERT_TRUE(child.prepare(4, 8, copies));
  EXPECT_TRUE(copies.empty());
  EXPECT_NE(child.blocks()[1], parent.blocks()[1]);
}

TEST(BlockTable, RememberedBlocksAreNotWrittenTo) {
  BlockPool pool(4, 2);
  const PrefixHash root = prefix_root(1, 2);
  std::vector<BlockCopy> copies;
  BlockTable table(pool);
  ASSERT_TRUE(table.prepare(0, 4, copies));
  table.remember(root, Tokens{1, 2, 3, 4});
  const BlockId before = table.blocks()[1];
  ASSERT_TRUE(table.prepare(3, 4, copies));
  EXPECT_NE(table.blocks()[1], before);
  EXPECT_EQ(copies.size(), 1U);
  BlockTable other(pool);
  EXPECT_EQ(other.find_prefix(root, Tokens{1, 2, 3, 4}), 4);
  EXPECT_EQ(other.blocks()[1], before);
}

// Sequences that grow, fork, are remembered and end at random; block contents are written down by
// hand, and every table must read its own tokens back.
TEST(BlockTable, EveryTableReadsItsOwnTokensOverRandomSteps) {
  struct One {
    explicit One(BlockPool& pool) : table(pool) {}
    BlockTable table;
    Tokens tokens;  // all of them are written
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    constexpr std::int32_t kSize = 3;
    BlockPool pool(20, kSize);
    std::vector<Tokens> contents(20, Tokens(kSize, -1));
    const PrefixHash root = prefix_root(seed, 0);
    std::vector<std::unique_ptr<One>> all;
    int found_tokens = 0;
    int copied = 0;
    for (int step = 0; step < 2000; ++step) {
      const std::uint64_t what = random() % 8;
      One* one = all.empty() ? nullptr : all[random() % all.size()].get();
      if (one == nullptr || (what == 0 && all.size() < 8)) {
        auto fresh = std::make_unique<One>(pool);
        Tokens wish;
        for (std::uint64_t i = 0; i < 1 + random() % 9; ++i) {
          wish.push_back(static_cast<std::int32_t>(random() % 2));
        }
        const std::int32_t known = fresh->table.known_prefix(root, wish);
        ASSERT_EQ(fresh->table.find_prefix(root, wish), known);
        found_tokens += known;
        fresh->tokens.assign(wish.begin(), wish.begin() + known);
        all.push_back(std::move(fresh));
      } else if (what == 1) {
        std::erase_if(all, [&](const auto& each) { return each.get() == one; });
      } else if (what == 2 && all.size() < 8) {
        auto fork = std::make_unique<One>(pool);
        const std::size_t shared = random() % (one->tokens.size() + 1);
        fork->table.fork(one->table, static_cast<std::int32_t>(shared));
        fork->tokens.assign(one->tokens.begin(),
                            one->tokens.begin() + static_cast<std::ptrdiff_t>(shared));
        all.push_back(std::move(fork));
      } else if (what == 3) {
        one->table.remember(root, one->tokens);
      } else {
        const auto computed = static_cast<std::int32_t>(one->tokens.size());
        const auto end = computed + 1 + static_cast<std::int32_t>(random() % 4);
        std::vector<BlockCopy> copies;
        const std::int32_t missing = one->table.missing(computed, end);
        const bool fits = missing <= pool.available();
        ASSERT_EQ(one->table.prepare(computed, end, copies), fits);
        if (!fits) continue;
        copied += static_cast<int>(copies.size());
        for (const BlockCopy& copy : copies) {
          contents[static_cast<std::size_t>(copy.to)] =
              contents[static_cast<std::size_t>(copy.from)];
        }
        for (std::int32_t at = computed; at < end; ++at) {
          const BlockId block = one->table.blocks()[static_cast<std::size_t>(at / kSize)];
          ASSERT_TRUE(pool.writable(block));
          one->tokens.push_back(static_cast<std::int32_t>(random() % 2));
          contents[static_cast<std::size_t>(block)][static_cast<std::size_t>(at % kSize)] =
              one->tokens.back();
        }
      }
      for (const auto& each : all) {
        for (std::size_t at = 0; at < each->tokens.size(); ++at) {
          const BlockId block = each->table.blocks()[at / kSize];
          ASSERT_EQ(contents[static_cast<std::size_t>(block)][at % kSize], each->tokens[at]);
        }
      }
    }
    all.clear();
    EXPECT_EQ(pool.held(), 0);
    EXPECT_GT(found_tokens, 0);
    EXPECT_GT(copied, 0);
  }
}

}  // namespace
}  // namespace hangar
