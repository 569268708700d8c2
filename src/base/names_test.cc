#include "base/names.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace hangar {
namespace {

enum class Fruit : std::uint8_t { kApple, kPear, kPlum };
constexpr auto kFruits = names_of<Fruit>({{Fruit::kPear, "pear"}, {Fruit::kApple, "apple"}});

TEST(NamesTest, GoBothWays) {
  static_assert(kFruits.of(Fruit::kApple) == "apple");
  static_assert(kFruits.of("pear") == Fruit::kPear);
  EXPECT_EQ(kFruits.of(Fruit::kPlum), "");
  EXPECT_EQ(kFruits.of("plum"), std::nullopt);
  EXPECT_EQ(kFruits.of("Pear"), std::nullopt);
  EXPECT_EQ(kFruits.of(""), std::nullopt);
}

TEST(NamesTest, KeepTheOrderOfTheList) {
  std::string all;
  for (const auto& [value, name] : kFruits) {
    EXPECT_EQ(kFruits.of(value), name);
    all += name;
  }
  EXPECT_EQ(all, "pearapple");
}

}  // namespace
}  // namespace hangar
