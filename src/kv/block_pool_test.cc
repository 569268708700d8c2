#include "kv/block_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace hangar {
namespace {

PrefixHash hash(std::uint64_t n) {
  return {n, n + 1};
}

TEST(BlockPool, GivesEachBlockOnceAndRunsDry) {
  BlockPool pool(3, 2);
  std::set<BlockId> seen;
  for (int i = 0; i < 3; ++i) seen.insert(pool.take().value());
  EXPECT_EQ(seen, (std::set<BlockId>{0, 1, 2}));
  EXPECT_FALSE(pool.take().has_value());
  EXPECT_EQ(pool.held(), 3);
  pool.give(1);
  EXPECT_EQ(pool.available(), 1);
  EXPECT_EQ(pool.take(), 1);
}

TEST(BlockPoolDeathTest, LettingGoOfWhatIsNotHeldIsCaught) {
  BlockPool pool(2, 2);
  const BlockId block = pool.take().value();
  pool.give(block);
  EXPECT_DEATH(pool.give(block), "");
  EXPECT_DEATH(pool.give(7), "");
  EXPECT_DEATH(pool.share(block), "");
}

TEST(BlockPool, SharedBlocksStayUntilTheLastHolderLetsGo) {
  BlockPool pool(1, 2);
  const BlockId block = pool.take().value();
  EXPECT_TRUE(pool.writable(block));
  pool.share(block);
  EXPECT_FALSE(pool.writable(block));
  EXPECT_EQ(pool.holders(block), 2);
  pool.give(block);
  EXPECT_EQ(pool.free(), 0);
  pool.give(block);
  EXPECT_EQ(pool.free(), 1);
}

TEST(BlockPool, FindsByHashAndBelievesOnlyTheTokens) {
  BlockPool pool(2, 2);
  const BlockId block = pool.take().value();
  pool.remember(block, hash(9), hash(1), std::vector{4, 5});
  EXPECT_FALSE(pool.writable(block));
  EXPECT_FALSE(pool.find(hash(8), hash(1), std::vector{4, 5}));
  EXPECT_FALSE(pool.find(hash(9), hash(2), std::vector{4, 5}));
  EXPECT_FALSE(pool.find(hash(9), hash(1), std::vector{4, 6}));
  EXPECT_EQ(pool.find(hash(9), hash(1), std::vector{4, 5}), block);
  EXPECT_EQ(pool.holders(block), 2);
  pool.give(block);
  pool.give(block);
  EXPECT_EQ(pool.kept(), 1);
  EXPECT_EQ(pool.peek(hash(9), hash(1), std::vector{4, 5}), block);
  EXPECT_EQ(pool.kept(), 1);
  EXPECT_EQ(pool.find(hash(9), hash(1), std::vector{4, 5}), block);
  EXPECT_EQ(pool.kept(), 0);
  EXPECT_EQ(pool.holders(block), 1);
}

TEST(BlockPool, TheFirstToBeKnownByAHashStaysTheOneThatIsFound) {
  BlockPool pool(2, 1);
  const BlockId first = pool.take().value();
  const BlockId second = pool.take().value();
  pool.remember(first, hash(9), hash(1), std::vector{4});
  pool.remember(second, hash(9), hash(1), std::vector{4});
  EXPECT_TRUE(pool.writable(second));
  EXPECT_EQ(pool.find(hash(9), hash(1), std::vector{4}), first);
}

TEST(BlockPool, ForgetsWhatWasLetGoLongestAgo) {
  BlockPool pool(3, 1);
  std::vector<BlockId> blocks;
  for (std::uint64_t i = 0; i < 3; ++i) {
    blocks.push_back(pool.take().value());
    pool.remember(blocks.back(), hash(i), hash(100), std::vector{1});
  }
  for (const std::size_t i : {1U, 0U, 2U}) pool.give(blocks[i]);
  // Found and let go again: the newest.
  ASSERT_TRUE(pool.find(hash(1), hash(100), std::vector{1}));
  pool.give(blocks[1]);
  EXPECT_EQ(pool.take(), blocks[0]);
  EXPECT_EQ(pool.take(), blocks[2]);
  EXPECT_FALSE(pool.peek(hash(0), hash(100), std::vector{1}));
  EXPECT_TRUE(pool.peek(hash(1), hash(100), std::vector{1}));
  EXPECT_EQ(pool.take(), blocks[1]);
  EXPECT_FALSE(pool.take());
}

TEST(BlockPool, ForgetAllFreesTheKeptAndHidesTheHeld) {
  BlockPool pool(2, 1);
  const BlockId held = pool.take().value();
  const BlockId kept = pool.take().value();
  pool.remember(held, hash(1), hash(0), std::vector{1});
  pool.remember(kept, hash(2), hash(0), std::vector{2});
  pool.give(kept);
  pool.forget_all();
  EXPECT_EQ(pool.free(), 1);
  EXPECT_EQ(pool.kept(), 0);
  EXPECT_FALSE(pool.find(hash(1), hash(0), std::vector{1}));
  EXPECT_FALSE(pool.find(hash(2), hash(0), std::vector{2}));
  EXPECT_TRUE(pool.writable(held));
  pool.give(held);
  EXPECT_EQ(pool.free(), 2);
}

// The same, said the slow way: a list of kept blocks and a map.
class NaivePool {
 public:
  explicit NaivePool(int blocks) : holders_(static_cast<std::size_t>(blocks)) {}
  int free() const {
    int count = 0;
    for (std::size_t i = 0; i < holders_.size(); ++i) {
      if (holders_[i] == 0 && !hash_of_.contains(static_cast<BlockId>(i))) ++count;
    }
    return count;
  }
  // What take() must give if nothing is free.
  BlockId oldest() const { return kept_.front(); }
  void taken(BlockId block) {
    std::erase(kept_, block);
    hash_of_.erase(block);
    holders_[static_cast<std::size_t>(block)] = 1;
  }
  void share(BlockId block) { ++holders_[static_cast<std::size_t>(block)]; }
  void give(BlockId block) {
    if (--holders_[static_cast<std::size_t>(block)] == 0 && hash_of_.contains(block)) {
      kept_.push_back(block);
    }
  }
  void remember(BlockId block, std::uint64_t name) {
    for (const auto& [other, known] : hash_of_) {
      if (known == name) return;
    }
    hash_of_[block] = name;
  }
  BlockId find(std::uint64_t name) {
    for (const auto& [block, known] : hash_of_) {
      if (known != name) continue;
      ++holders_[static_cast<std::size_t>(block)];
      std::erase(kept_, block);
      return block;
    }
    return -1;
  }
  int holders(BlockId block) const { return holders_[static_cast<std::size_t>(block)]; }
  int kept() const { return static_cast<int>(kept_.size()); }
  bool named(BlockId block) const { return hash_of_.contains(block); }

 private:
  std::vector<int> holders_;
  std::map<BlockId, std::uint64_t> hash_of_;
  std::vector<BlockId> kept_;
};

TEST(BlockPool, DoesAsANaiveOneOverRandomSteps) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    constexpr int kBlocks = 12;
    BlockPool pool(kBlocks, 1);
    NaivePool naive(kBlocks);
    std::vector<BlockId> held;  // once for each holder
    for (int step = 0; step < 2000; ++step) {
      const std::uint64_t name = random() % 20;
      const std::vector<std::int32_t> tokens{static_cast<std::int32_t>(name)};
      const std::size_t one = held.empty() ? 0 : random() % held.size();
      switch (random() % 6) {
        case 0:
        case 1: {
          const int free = naive.free();
          const auto block = pool.take();
          ASSERT_EQ(block.has_value(), free + naive.kept() > 0);
          if (!block) break;
          if (free == 0) {
            ASSERT_EQ(*block, naive.oldest());
          }
          ASSERT_EQ(naive.holders(*block), 0);
          naive.taken(*block);
          held.push_back(*block);
          break;
        }
        case 2:
          if (held.empty()) break;
          pool.share(held[one]);
          naive.share(held[one]);
          held.push_back(held[one]);
          break;
        case 3:
          if (held.empty()) break;
          pool.give(held[one]);
          naive.give(held[one]);
          held.erase(held.begin() + static_cast<std::ptrdiff_t>(one));
          break;
        case 4:
          if (held.empty() || naive.named(held[one])) break;
          pool.remember(held[one], hash(name), hash(0), tokens);
          naive.remember(held[one], name);
          break;
        default: {
          const auto block = pool.find(hash(name), hash(0), tokens);
          ASSERT_EQ(block.value_or(-1), naive.find(name));
          if (block) held.push_back(*block);
          break;
        }
      }
      ASSERT_EQ(pool.free(), naive.free());
      ASSERT_EQ(pool.kept(), naive.kept());
      ASSERT_EQ(pool.free() + pool.kept() + pool.held(), kBlocks);
      for (BlockId block = 0; block < kBlocks; ++block) {
        ASSERT_EQ(pool.holders(block), naive.holders(block));
        ASSERT_EQ(pool.writable(block), naive.holders(block) == 1 && !naive.named(block));
      }
    }
  }
}

}  // namespace
}  // namespace hangar
