#include "text/pipeline_tokenizer.h"

#include <gtest/gtest.h>

#include "text/post_processor.h"
#include "text/stage_test_data.h"

namespace hangar {
namespace {

using Ids = std::vector<TokenId>;

bool flag(const boost::json::value& flags, const char* name) {
  const auto* value = flags.as_object().if_contains(name);
  return value != nullptr && value->as_bool();
}

// Single characters, and "ab".
TokenizerSpec spec_of(const boost::json::value& row) {
  TokenizerSpec spec;
  spec.tokens = test::list_of<std::string>(test::stages_json().at("vocabulary"));
  test::add_merge("a b", spec);
  spec.normalizers = test::all_of(row.at("normalizers"), test::normalizer_of);
  spec.pre_tokenizers = test::all_of(row.at("pre_tokenizers"), test::pre_tokenizer_of);
  for (const auto& one : row.at("added").as_array()) {
    const auto id = static_cast<TokenId>(one.at(0).as_int64());
    const auto& flags = one.at(2);
    const std::string content(one.at(1).as_string());
    spec.added.push_back({.id = id,
                          .content = content,
                          .special = flag(flags, "special"),
                          .lstrip = flag(flags, "lstrip"),
                          .rstrip = flag(flags, "rstrip"),
                          .single_word = flag(flags, "single_word"),
                          .normalized = flag(flags, "normalized")});
    if (static_cast<std::size_t>(id) >= spec.tokens.size()) {
      spec.tokens.resize(static_cast<std::size_t>(id) + 1);
    }
    spec.tokens.set(static_cast<std::size_t>(id), content);
  }
  return spec;
}

TEST(PipelineTokenizer, AddedTokensAndStagesAreThoseOfHuggingFace) {
  const auto texts = test::list_of<std::string>(test::stages_json().at("added_texts"));
  const auto& rows = test::stages_json().at("pipelines").as_array();
  ASSERT_GE(rows.size(), 7U);
  for (const auto& row : rows) {
    const auto tokenizer = make_tokenizer(spec_of(row));
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      for (const bool special : {true, false}) {
        EXPECT_EQ((*tokenizer)->encode(texts[i], {.add_special = false, .parse_special = special}),
                  test::list_of<TokenId>(row.at(special ? "special" : "plain").at(i)))
            << row.at("normalizers") << row.at("pre_tokenizers") << " of text " << i << ": "
            << texts[i];
      }
    }
  }
}

TEST(PipelineTokenizer, TemplatesAndPairsAreThoseOfHuggingFace) {
  using Kind = TemplatePiece::Kind;
  for (const auto& row : test::stages_json().at("pipelines").as_array()) {
    TokenizerSpec spec = spec_of(row);
    const TokenId mark = spec.added[0].id;
    const TokenizerSpec bare = spec;
    spec.single = {{.kind = Kind::kToken, .token = mark, .type_id = 0},
                   {.kind = Kind::kSequenceA, .type_id = 2}};
    spec.pair = {{.kind = Kind::kToken, .token = mark, .type_id = 1},
                 {.kind = Kind::kSequenceB, .type_id = 1},
                 {.kind = Kind::kToken, .token = mark, .type_id = 0},
                 {.kind = Kind::kSequenceA, .type_id = 0},
                 {.kind = Kind::kToken, .token = mark, .type_id = 5}};
    const auto tokenizer = make_tokenizer(spec);
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    const auto& wanted = row.at("template");
    EXPECT_EQ((*tokenizer)->encode("a b", {}), test::list_of<TokenId>(wanted.at(0).at(0)));
    const Encoding pair = (*tokenizer)->encode_pair("a b", "c", {});
    EXPECT_EQ(pair.ids, test::list_of<TokenId>(wanted.at(1).at(0)));
    EXPECT_EQ(pair.type_ids, test::list_of<std::int32_t>(wanted.at(1).at(1)));
    const Encoding plain = (*tokenizer)->encode_pair("a b", "c", {.add_special = false});
    EXPECT_EQ(plain.ids, test::list_of<TokenId>(wanted.at(2).at(0)));
    EXPECT_EQ(plain.type_ids, test::list_of<std::int32_t>(wanted.at(2).at(1)));

    const auto without = make_tokenizer(bare);
    ASSERT_TRUE(without.has_value());
    const Encoding ids = (*without)->encode_pair("a b", "c", {});
    EXPECT_EQ(ids.ids.size(), ids.type_ids.size());
    EXPECT_EQ(ids.type_ids.front(), 0);
    EXPECT_EQ(ids.type_ids.back(), 1);
  }
}

TEST(PipelineTokenizer, BrokenBytesBecomeTheReplacementCharacterWhereNoByteCanBeSaid) {
  TokenizerSpec spec;
  spec.tokens = {"a", "\uFFFD", "b"};
  const auto tokenizer = make_tokenizer(spec);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)
                ->encode("a\xFF\xE4\xBD"
                         "b\xF0\x9F",
                         {}),
            (Ids{0, 1, 1, 2, 1}));
}

TEST(PipelineTokenizer, BrokenBytesAreKeptWhereBytesBecomeVisibleBeforeTheLastStage) {
  TokenizerSpec spec = test::byte_spec("falcon");
  const auto tokenizer = make_tokenizer(spec);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  for (const std::string text : {"a\xFF\xE4\xBD 12345\xB2\xC2\xB2", "\xE4", "é!?"}) {
    EXPECT_EQ((*tokenizer)->decode((*tokenizer)->encode(text, {})), text);
  }
}

TEST(PipelineTokenizer, TokensOfAStreamHaveTheirSpacesAndADecodedTextNotTheFirst) {
  TokenizerSpec spec;
  spec.tokens = {"<s>", "\u2581Hi", "\u2581you", "<0x0A>", "!", ""};
  spec.kinds = {TokenKind::kControl, TokenKind::kNormal, TokenKind::kNormal,
                TokenKind::kByte,    TokenKind::kNormal, TokenKind::kUnused};
  spec.added = added_tokens_of_kinds(spec);
  spec.decoders = {{.kind = DecoderKind::kReplace, .pattern = {.text = "\u2581"}, .content = " "},
                   {.kind = DecoderKind::kByteFallback},
                   {.kind = DecoderKind::kFuse},
                   {.kind = DecoderKind::kStrip, .content = " ", .start = 1}};
  const auto made = make_tokenizer(spec);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  const Tokenizer& tokenizer = **made;
  EXPECT_EQ(tokenizer.token_bytes(0), "<s>");
  EXPECT_EQ(tokenizer.token_bytes(1), " Hi");
  EXPECT_EQ(tokenizer.token_bytes(3), "\n");
  EXPECT_EQ(tokenizer.token_bytes(5), "");
  EXPECT_EQ(tokenizer.decode(Ids{0, 1, 2, 3, 4, 5, -1, 6}), "Hi you\n!");
  EXPECT_EQ(tokenizer.decode(Ids{0, 1}, /*keep_special=*/true), "<s> Hi");
}

TEST(PipelineTokenizer, AddedTokensOutsideTheVocabularyAreAnError) {
  TokenizerSpec spec = test::byte_spec("gpt-2");
  spec.added.push_back({.id = 256, .content = "<x>"});
  const auto tokenizer = make_tokenizer(spec);
  ASSERT_FALSE(tokenizer.has_value());
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(tokenizer.error().message.find("<x>"), std::string::npos);
}

}  // namespace
}  // namespace hangar
