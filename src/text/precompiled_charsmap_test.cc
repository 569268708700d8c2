#include "text/precompiled_charsmap.h"

#include <gtest/gtest.h>

#include "text/grapheme.h"
#include "text/tokenizer_test_data.h"
#include "text/utf8.h"

namespace hangar {
namespace {

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::string word(std::uint32_t value) {
  std::string bytes;
  for (unsigned i = 0; i < 4; ++i) bytes.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
  return bytes;
}

std::string golden_charsmap() {
  return from_hex(
      std::string_view(test::read_json("charsmap.json").at("charsmap").at("hex").as_string()));
}

TEST(PrecompiledCharsmap, NormalizesAsHuggingFaceDoes) {
  const auto golden = test::read_json("charsmap.json");
  for (const std::string_view name : {"charsmap", "clusters_charsmap"}) {
    const auto& entry = golden.at(name);
    const auto map =
        PrecompiledCharsmap::parse(from_hex(std::string_view(entry.at("hex").as_string())));
    ASSERT_TRUE(map.has_value()) << map.error().message;
    const auto& cases = entry.at("cases").as_array();
    ASSERT_GT(cases.size(), 200U);
    std::size_t changed = 0;
    for (const auto& pair : cases) {
      const std::string_view text = pair.at(0).as_string();
      const std::string_view wanted = pair.at(1).as_string();
      EXPECT_EQ(map->normalize(text), wanted) << name << ": " << text;
      if (text != wanted) ++changed;
    }
    EXPECT_GT(changed, 100U);
  }
}

TEST(PrecompiledCharsmap, RefusesWhatIsCutShort) {
  const std::string whole = golden_charsmap();
  ASSERT_TRUE(PrecompiledCharsmap::parse(whole).has_value());
  for (const std::string& broken :
       {std::string(), whole.substr(0, 3), whole.substr(0, 400), word(8) + word(1) + "\xFF",
        word(4) + word(1) + "\xE4\xB8", word(0xFFFFFFFF)}) {
    const auto map = PrecompiledCharsmap::parse(broken);
    ASSERT_FALSE(map.has_value());
    EXPECT_EQ(map.error().code, ErrorCode::kCorrupt);
  }
  const auto empty = PrecompiledCharsmap::parse(word(0));
  ASSERT_TRUE(empty.has_value());
  EXPECT_EQ(empty->normalize("a\u0301 b"), "a\u0301 b");
}

TEST(PrecompiledCharsmap, WhatPointsOutOfTheMapIsNoRule) {
  // 'a' leads to a value that lies outside the replacements, 'b' to one inside a character, 'c'
  // to a unit that is not there.
  std::vector<std::uint32_t> units(512);
  units[0] = 256U << 10U;
  const auto lead = [&](char letter, std::uint32_t value_at) {
    const auto byte = static_cast<std::uint32_t>(letter);
    units[256 + byte] = byte | 0x100U | (((256 + byte) ^ value_at) << 10U);
  };
  lead('a', 10);
  lead('b', 11);
  lead('c', 5000);
  lead('d', 12);
  units[10] = 0x8000'0000U | 99;
  units[11] = 0x8000'0000U | 1;
  units[12] = 0x8000'0000U | 2;
  std::string bytes = word(static_cast<std::uint32_t>(4 * units.size()));
  for (const std::uint32_t unit : units) bytes += word(unit);
  bytes += "é!";
  const auto map = PrecompiledCharsmap::parse(bytes);
  ASSERT_TRUE(map.has_value()) << map.error().message;
  EXPECT_EQ(map->normalize("abcd"), "abc!");
}

TEST(PrecompiledCharsmap, AnyBytesAreReadWithinTheirBounds) {
  test::Random random(9);
  const std::string whole = golden_charsmap();
  const std::string text = "plain \ufb01 é e\u0301 Ａ１ ㄱ \r\n \u2122";
  std::size_t parsed = 0;
  for (int round = 0; round < 300; ++round) {
    std::string broken = whole;
    for (std::uint32_t n = 1 + random.below(400); n > 0; --n) {
      broken[4 + random.below(4096)] = static_cast<char>(random.below(256));
    }
    const auto map = PrecompiledCharsmap::parse(broken);
    if (!map) continue;
    ++parsed;
    const std::string out = map->normalize(text);
    EXPECT_EQ(valid_utf8_prefix(out), out.size());
  }
  EXPECT_GT(parsed, 250U);
}

TEST(PrecompiledCharsmap, BrokenBytesStay) {
  const auto map = PrecompiledCharsmap::parse(golden_charsmap());
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(map->normalize("\xFF\ufb01\xEF\xAC"),
            "\xFF"
            "fi\xEF\xAC");
}

TEST(Grapheme, ClustersOfTheAnnex) {
  const auto clusters = [](std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
      out.emplace_back(text.substr(0, first_grapheme(text)));
      text.remove_prefix(out.back().size());
    }
    return out;
  };
  using Clusters = std::vector<std::string>;
  EXPECT_EQ(clusters("a\r\n\n\r"), (Clusters{"a", "\r\n", "\n", "\r"}));
  EXPECT_EQ(clusters("e\u0301\u0302x\n\u0301"), (Clusters{"e\u0301\u0302", "x", "\n", "\u0301"}));
  EXPECT_EQ(clusters("\u1100\u1161\u11A8\uAC00\u11A8\u1100"),
            (Clusters{"\u1100\u1161\u11A8", "\uAC00\u11A8", "\u1100"}));
  EXPECT_EQ(clusters("\U0001F1EB\U0001F1F7\U0001F1EF\U0001F1F5\U0001F1E6"),
            (Clusters{"\U0001F1EB\U0001F1F7", "\U0001F1EF\U0001F1F5", "\U0001F1E6"}));
  EXPECT_EQ(clusters("\U0001F469\U0001F3FD\u200D\U0001F680\U0001F600"),
            (Clusters{"\U0001F469\U0001F3FD\u200D\U0001F680", "\U0001F600"}));
  EXPECT_EQ(clusters("a\u200D\U0001F680"), (Clusters{"a\u200D", "\U0001F680"}));
  EXPECT_EQ(clusters("\u0915\u094D\u0937\u0915"), (Clusters{"\u0915\u094D\u0937", "\u0915"}));
  EXPECT_EQ(clusters("\u0600a\u093E"), Clusters{"\u0600a\u093E"});
  EXPECT_EQ(clusters("a\U000E0080\u0301\u0308"), (Clusters{"a", "\U000E0080", "\u0301\u0308"}));
  EXPECT_EQ(clusters("a\xFF\u0301"), (Clusters{"a", "\xFF", "\u0301"}));
}

}  // namespace
}  // namespace hangar
