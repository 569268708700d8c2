#include "kv/prefix_hash.h"

#include <gtest/gtest.h>

#include <vector>

namespace hangar {
namespace {

TEST(PrefixHash, FollowsFromEverythingBeforeIt) {
  const std::vector<std::int32_t> a{1, 2, 3};
  const std::vector<std::int32_t> b{1, 2, 4};
  const PrefixHash root = prefix_root(7, 8);
  EXPECT_EQ(root, prefix_root(7, 8));
  EXPECT_NE(root, prefix_root(7, 9));
  EXPECT_NE(root, prefix_root(6, 8));
  EXPECT_EQ(extend_prefix(root, a), extend_prefix(root, a));
  EXPECT_NE(extend_prefix(root, a), extend_prefix(root, b));
  EXPECT_NE(extend_prefix(extend_prefix(root, a), b), extend_prefix(extend_prefix(root, b), b));
  EXPECT_NE(extend_prefix(prefix_root(6, 8), a), extend_prefix(root, a));
  // Both halves of the chain count.
  EXPECT_NE(extend_prefix({1, 2}, a), extend_prefix({1, 3}, a));
  EXPECT_NE(extend_prefix({1, 2}, a), extend_prefix({0, 2}, a));
}

TEST(PrefixHash, LargeBlocksToo) {
  std::vector<std::int32_t> large(1000, 5);
  const PrefixHash one = extend_prefix({}, large);
  large.back() = 6;
  EXPECT_NE(extend_prefix({}, large), one);
}

}  // namespace
}  // namespace hangar
