#include "kv/block_table.h"

#include <gtest/gtest.h>

#include <set>

namespace hangar {
namespace {

TEST(BlockPool, GivesEachBlockOnceAndRunsDry) {
  BlockPool pool(3);
  std::set<BlockId> seen;
  for (int i = 0; i < 3; ++i) seen.insert(pool.take().value());
  EXPECT_EQ(seen, (std::set<BlockId>{0, 1, 2}));
  EXPECT_FALSE(pool.take().has_value());
  EXPECT_EQ(pool.used(), 3);
  pool.give(1);
  EXPECT_EQ(pool.take(), 1);
}

TEST(BlockPoolDeathTest, GivingBackTwiceIsCaught) {
  BlockPool pool(2);
  const BlockId block = pool.take().value();
  pool.give(block);
  EXPECT_DEATH(pool.give(block), "");
  EXPECT_DEATH(pool.give(7), "");
}

TEST(BlockTable, TakesBlocksAsTokensNeedThem) {
  BlockPool pool(4);
  {
    BlockTable table(pool, 16);
    EXPECT_TRUE(table.reserve(1));
    EXPECT_EQ(table.blocks().size(), 1U);
    EXPECT_TRUE(table.reserve(16));
    EXPECT_EQ(table.blocks().size(), 1U);
    EXPECT_TRUE(table.reserve(17));
    EXPECT_EQ(table.blocks().size(), 2U);
    EXPECT_FALSE(table.reserve(65));  // five blocks: one too many
    EXPECT_EQ(table.blocks().size(), 2U);
    EXPECT_TRUE(table.reserve(64));
    EXPECT_EQ(pool.free(), 0);
    table.clear();
    EXPECT_EQ(pool.free(), 4);
    EXPECT_TRUE(table.reserve(33));
  }
  EXPECT_EQ(pool.free(), 4);  // the destructor gave them back
}

}  // namespace
}  // namespace hangar
