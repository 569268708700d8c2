#include "text/unicode_forms.h"

#include <gtest/gtest.h>

#include <chrono>

namespace hangar {
namespace {

std::string to_nfc(std::string_view text) {
  return to_form(text, UnicodeForm::kNfc);
}

TEST(UnicodeForms, ComposesOrdersAndDecomposesWhatMustBe) {
  EXPECT_EQ(to_nfc("e\u0301"), "é");
  EXPECT_EQ(to_nfc("a\u0302\u0323"), "\u1EAD");   // marks in either order
  EXPECT_EQ(to_nfc("\u1112\u1161\u11AB"), "한");  // jamo
  EXPECT_EQ(to_nfc("\u212B"), "\u00C5");          // Angstrom sign
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093C");    // excluded from composition
  EXPECT_EQ(to_nfc("\u0344"), "\u0308\u0301");
  EXPECT_EQ(to_nfc("\uFB01 ² plain"), "\uFB01 ² plain");  // no compatibility mappings
  EXPECT_EQ(to_nfc(""), "");
  EXPECT_EQ(to_nfc(std::string("a\0b", 3)), std::string("a\0b", 3));
}

TEST(UnicodeForms, WhatIsNewerThanUnicode9StaysAndParts) {
  for (const char* text : {"a\u1CD2\u0C3C", "a\u0C3C\u0301", "\U00011935\U00011930"}) {
    EXPECT_EQ(to_nfc(text), text);
  }
  EXPECT_EQ(to_nfc("e\u0301\u0C3Ce\u0301"), "é\u0C3Cé");
}

TEST(UnicodeForms, TheQuickLookNeverPassesWhatWouldChange) {
  for (const char* text : {"e\u0301", "\u212B", "\u0344", "\u0340", "\u1112\u1161"}) {
    EXPECT_FALSE(surely_in_form(text, UnicodeForm::kNfc));
    EXPECT_NE(to_nfc(text), text);
  }
  EXPECT_TRUE(surely_in_form("plain, déjà vu, ˿", UnicodeForm::kNfc));
}

TEST(UnicodeForms, ARowOfMarksOutOfOrderTakesNoQuadraticTime) {
  std::string marks;
  for (int i = 0; i < 100'000; ++i) marks += "\u0301\u0323\u0F73";
  const auto start = std::chrono::steady_clock::now();
  const std::string nfc = to_nfc("x" + marks);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_EQ(nfc, to_nfc(nfc));
  EXPECT_GT(nfc.size(), marks.size() / 2);
}

}  // namespace
}  // namespace hangar
