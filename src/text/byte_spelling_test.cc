#include "text/byte_spelling.h"

#include <gtest/gtest.h>

#include <set>

namespace hangar {
namespace {

TEST(ByteSpelling, KnownCharacters) {
  EXPECT_EQ(spell_bytes("Hello world\n"), "HelloĠworldĊ");
  EXPECT_EQ(spelling_of_byte(0x00), U'\u0100');
  EXPECT_EQ(spelling_of_byte(0x7F), U'\u0121');
  EXPECT_EQ(spelling_of_byte(0xA0), U'\u0142');
  EXPECT_EQ(spelling_of_byte(0xAD), U'\u0143');
  EXPECT_EQ(spelling_of_byte(0xFF), U'\u00FF');
  EXPECT_EQ(spell_bytes("é"), "Ã©");
}

TEST(ByteSpelling, AllBytesComeBackAndDiffer) {
  std::set<char32_t> characters;
  std::string all;
  for (unsigned byte = 0; byte < 256; ++byte) {
    all.push_back(static_cast<char>(byte));
    characters.insert(spelling_of_byte(static_cast<std::uint8_t>(byte)));
  }
  EXPECT_EQ(characters.size(), 256U);
  EXPECT_EQ(unspell_bytes(spell_bytes(all)), all);
}

TEST(ByteSpelling, WhatStandsForNoByteIsRefused) {
  EXPECT_EQ(unspell_bytes("a b"), std::nullopt);
  EXPECT_EQ(unspell_bytes("中"), std::nullopt);
  EXPECT_EQ(unspell_bytes("\xFF"), std::nullopt);
  EXPECT_EQ(unspell_bytes("\u0144"), std::nullopt);
  EXPECT_EQ(unspell_bytes(""), "");
}

}  // namespace
}  // namespace hangar
