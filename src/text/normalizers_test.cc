#include "text/normalizers.h"

#include <gtest/gtest.h>

#include "text/stage_test_data.h"
#include "text/utf8.h"

namespace hangar {
namespace {

TEST(Normalizers, AreThoseOfHuggingFace) {
  const auto texts = test::list_of<std::string>(test::stages_json().at("texts"));
  const auto& rows = test::stages_json().at("normalizers").as_array();
  ASSERT_GT(rows.size(), 20U);
  for (const auto& row : rows) {
    const auto normalizers =
        Normalizers::build(test::all_of(row.at("stages"), test::normalizer_of));
    ASSERT_TRUE(normalizers.has_value()) << normalizers.error().message;
    const auto wanted = test::list_of<std::string>(row.at("out"));
    ASSERT_EQ(wanted.size(), texts.size());
    Normalizers::Scratch scratch;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      bool cut_front = false;
      EXPECT_EQ(normalizers->normalize(texts[i], scratch, cut_front), wanted[i])
          << row.at("stages") << " of text " << i << ": " << texts[i];
    }
  }
}

TEST(Normalizers, SayWhetherTheFrontWasCut) {
  const auto cuts_front = [](const NormalizerSpec& spec, std::string_view text) {
    const auto normalizers = Normalizers::build({spec});
    EXPECT_TRUE(normalizers.has_value());
    Normalizers::Scratch scratch;
    bool cut_front = false;
    normalizers->normalize(text, scratch, cut_front);
    return cut_front;
  };
  using Kind = NormalizerKind;
  EXPECT_TRUE(cuts_front({.kind = Kind::kStrip}, " a"));
  EXPECT_FALSE(cuts_front({.kind = Kind::kStrip}, "a "));
  EXPECT_TRUE(cuts_front({.kind = Kind::kNmt}, "\x01\x02 a"));
  EXPECT_FALSE(cuts_front({.kind = Kind::kNmt}, "a\x01"));
  EXPECT_TRUE(cuts_front({.kind = Kind::kStripAccents}, "\u0301a"));
  EXPECT_TRUE(cuts_front({.kind = Kind::kBert}, "\x01a"));
  EXPECT_TRUE(cuts_front({.kind = Kind::kReplace, .pattern = {.text = "x"}}, "xxa"));
  EXPECT_FALSE(cuts_front({.kind = Kind::kReplace, .pattern = {.text = "x"}}, "ax"));
}

TEST(Normalizers, GiveValidTextForAnyValidText) {
  test::Random random(7);
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    const char32_t c = random.below(random.below(2) == 0 ? 0x500 : 0x30000);
    if (c < 0xD800 || c > 0xDFFF) append_utf8(c, all);
  }
  for (const auto& row : test::stages_json().at("normalizers").as_array()) {
    const auto normalizers =
        Normalizers::build(test::all_of(row.at("stages"), test::normalizer_of));
    ASSERT_TRUE(normalizers.has_value());
    Normalizers::Scratch scratch;
    bool cut_front = false;
    const std::string_view out = normalizers->normalize(all, scratch, cut_front);
    EXPECT_EQ(valid_utf8_prefix(out), out.size()) << row.at("stages");
    EXPECT_GT(out.size(), 1000U);
  }
}

TEST(Normalizers, SayWhatIsWrong) {
  const auto broken = Normalizers::build(
      {{.kind = NormalizerKind::kReplace, .pattern = {.text = "[a", .regex = true}}});
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(broken.error().message.find("[a"), std::string::npos);
}

}  // namespace
}  // namespace hangar
