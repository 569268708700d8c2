#include "text/decoders.h"

#include <gtest/gtest.h>

#include "text/stage_test_data.h"
#include "text/stream_decoder.h"

namespace hangar {
namespace {

TEST(Decoders, GiveTheTextOfHuggingFace) {
  const auto& lists = test::stages_json().at("token_lists").as_array();
  const auto& rows = test::stages_json().at("decoders").as_array();
  ASSERT_GT(rows.size(), 10U);
  for (const auto& row : rows) {
    const auto decoders = Decoders::build(test::all_of(row.at("stages"), test::decoder_of));
    ASSERT_TRUE(decoders.has_value()) << decoders.error().message;
    const auto wanted = test::list_of<std::string>(row.at("out"));
    ASSERT_EQ(wanted.size(), lists.size());
    for (std::size_t i = 0; i < lists.size(); ++i) {
      EXPECT_EQ(to_valid_utf8(decoders->decode(test::list_of<std::string>(lists[i]))), wanted[i])
          << row.at("stages") << " of " << lists[i];
    }
  }
}

TEST(Decoders, InsideATextAMarkIsASpaceAndAByteItself) {
  const auto inside = [](std::vector<DecoderSpec> specs, std::string_view token) {
    const auto decoders = Decoders::build(specs);
    EXPECT_TRUE(decoders.has_value());
    std::string out = ">";
    decoders->append_inside(token, out);
    return out;
  };
  using Kind = DecoderKind;
  const std::vector<DecoderSpec> sentence_piece = {
      {.kind = Kind::kReplace, .pattern = {.text = "\u2581"}, .content = " "},
      {.kind = Kind::kByteFallback},
      {.kind = Kind::kFuse},
      {.kind = Kind::kStrip, .content = " ", .start = 1}};
  EXPECT_EQ(inside(sentence_piece, "\u2581the"), "> the");
  EXPECT_EQ(inside(sentence_piece, "<0xE4>"), ">\xE4");
  EXPECT_EQ(inside({{.kind = Kind::kMetaspace}}, "\u2581a\u2581"), "> a ");
  EXPECT_EQ(inside({{.kind = Kind::kWordPiece, .content = "##"}}, "##ing"), ">ing");
  EXPECT_EQ(inside({{.kind = Kind::kWordPiece, .content = "##"}}, "run"), "> run");
  EXPECT_EQ(inside({{.kind = Kind::kWordPiece, .content = "##"}}, "."), ">.");
  EXPECT_EQ(inside({{.kind = Kind::kByteLevel}}, "\u0120a"), "> a");
  EXPECT_EQ(inside({{.kind = Kind::kBpe, .content = "</w>"}}, "lo</w>"), ">lo ");
  EXPECT_EQ(inside({}, "word"), "> word");
  EXPECT_EQ(inside({{.kind = Kind::kStrip, .content = "_", .start = 2, .stop = 1}}, "___a_"),
            ">_a");
}

TEST(Decoders, BytesOfByteLevelAreNotLost) {
  const auto decoders = Decoders::build({{.kind = DecoderKind::kByteLevel}});
  ASSERT_TRUE(decoders.has_value());
  EXPECT_TRUE(decoders->is_byte_level());
  EXPECT_EQ(decoders->decode({spell_bytes("\xFF"), spell_bytes("\xE4 ")}), "\xFF\xE4 ");
}

TEST(Decoders, SayWhatIsWrong) {
  const auto decoders = Decoders::build({{.kind = DecoderKind::kStrip, .content = "ab"}});
  ASSERT_FALSE(decoders.has_value());
  EXPECT_EQ(decoders.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace hangar
