#include "formats/hf/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/hf/tokenizer_json_test_data.h"

namespace hangar::hf {
namespace {

using test::json;
using test::read;
using test::read_with;
using test::read_with_model;
using test::small_tokenizer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Piece = TemplatePiece;

#define ASSERT_READ(spec) ASSERT_TRUE(spec) << (spec).error().message

std::vector<std::string> written(const std::vector<TemplatePiece>& pieces) {
  std::vector<std::string> out;
  for (const TemplatePiece& piece : pieces) {
    const std::string what = piece.kind == Piece::Kind::kSequenceA   ? "A"
                             : piece.kind == Piece::Kind::kSequenceB ? "B"
                                                                     : std::to_string(piece.token);
    out.push_back(what + ":" + std::to_string(piece.type_id));
  }
  return out;
}

std::vector<std::pair<std::string, std::size_t>> written(const MergeList& merges) {
  std::vector<std::pair<std::string, std::size_t>> out;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    out.emplace_back(merges[i].text, merges[i].left_bytes);
  }
  return out;
}

TEST(TokenizerJsonTest, ReadsABytePairModel) {
  const auto spec = read(small_tokenizer());
  ASSERT_READ(spec);
  EXPECT_EQ(spec->model, TokenizerModel::kBpe);
  EXPECT_EQ(spec->model_name, "BPE");
  EXPECT_THAT(spec->tokens, ElementsAre("<s>", "a", "b", "ab", "é\"", "<tool>"));
  EXPECT_THAT(spec->kinds,
              ElementsAre(TokenKind::kControl, TokenKind::kNormal, TokenKind::kNormal,
                          TokenKind::kNormal, TokenKind::kNormal, TokenKind::kUserDefined));
  EXPECT_THAT(written(spec->merges), ElementsAre(::testing::Pair("ab", 1U)));
  ASSERT_EQ(spec->added.size(), 2U);
  EXPECT_TRUE(spec->added[0].special && !spec->added[0].normalized && !spec->added[0].lstrip);
  const AddedToken& tool = spec->added[1];
  EXPECT_EQ(tool.id, 5);
  EXPECT_EQ(tool.content, "<tool>");
  EXPECT_TRUE(tool.single_word && tool.lstrip && tool.rstrip && tool.normalized && !tool.special);
  EXPECT_FALSE(spec->unknown || spec->bos || spec->eos || spec->padding);
  EXPECT_FALSE(spec->byte_fallback || spec->ignore_merges || spec->fuse_unknown);
  EXPECT_THAT(spec->single, IsEmpty());
}

TEST(TokenizerJsonTest, MergesAsPairsMayHoldSpaces) {
  const auto spec = read_with_model("merges", R"([["a", "b"], ["\u00e9 ", "b c"]])");
  ASSERT_READ(spec);
  EXPECT_THAT(written(spec->merges),
              ElementsAre(::testing::Pair("ab", 1U), ::testing::Pair("é b c", 3U)));
}

TEST(TokenizerJsonTest, SettingsOfABytePairModel) {
  boost::json::object file = small_tokenizer();
  file["model"] = json(R"({"type": "BPE", "unk_token": "b", "continuing_subword_prefix": "##",
    "end_of_word_suffix": "</w>", "fuse_unk": true, "byte_fallback": true, "ignore_merges": true,
    "vocab": {"<s>": 0, "a": 1, "b": 2, "<0x0A>": 3, "x": 4}, "merges": [], "dropout": 0.0})");
  const auto spec = read(file);
  ASSERT_READ(spec);
  EXPECT_EQ(spec->unknown, 2);
  EXPECT_EQ(spec->subword_prefix, "##");
  EXPECT_EQ(spec->word_suffix, "</w>");
  EXPECT_TRUE(spec->fuse_unknown && spec->byte_fallback && spec->ignore_merges);
  EXPECT_EQ(spec->kinds[3], TokenKind::kByte);
  EXPECT_EQ(spec->kinds[2], TokenKind::kNormal);  // not an added token: shown as it is
}

TEST(TokenizerJsonTest, ReadsAUnigramModel) {
  boost::json::object file = small_tokenizer();
  file["model"] = json(R"({"type": "Unigram", "unk_id": 0, "byte_fallback": false,
    "vocab": [["<s>", 0], ["\u2581a", -1.5], ["b", -3.4635426998138428], ["c", -4], ["d", -5e0]]})");
  const auto spec = read(file);
  ASSERT_READ(spec);
  EXPECT_EQ(spec->model, TokenizerModel::kUnigram);
  EXPECT_THAT(spec->tokens, ElementsAre("<s>", "\u2581a", "b", "c", "d", "<tool>"));
  ASSERT_GE(spec->scores.size(), 5U);
  EXPECT_EQ(spec->scores[1], -1.5);
  EXPECT_EQ(spec->scores[2], -3.4635426998138428);
  EXPECT_EQ(spec->unknown, 0);
  EXPECT_EQ(spec->kinds[0], TokenKind::kUnknown);
}

TEST(TokenizerJsonTest, ReadsAWordPieceModel) {
  boost::json::object file = small_tokenizer();
  file["model"] = json(R"({"type": "WordPiece", "unk_token": "[UNK]",
    "continuing_subword_prefix": "##", "max_input_chars_per_word": 7,
    "vocab": {"##a": 3, "[UNK]": 2, "b": 1, "<s>": 0, "c": 4}})");
  const auto spec = read(file);
  ASSERT_READ(spec);
  EXPECT_EQ(spec->model, TokenizerModel::kWordPiece);
  EXPECT_THAT(spec->tokens, ElementsAre("<s>", "b", "[UNK]", "##a", "c", "<tool>"));
  EXPECT_EQ(spec->subword_prefix, "##");
  EXPECT_EQ(spec->max_word_characters, 7);
  EXPECT_EQ(spec->unknown, 2);
}

TEST(TokenizerJsonTest, ModelsWithoutATypeAreKnownByTheirFields) {
  boost::json::object file = small_tokenizer();
  file["model"].as_object().erase("type");
  const auto spec = read(file);
  ASSERT_READ(spec);
  EXPECT_EQ(spec->model, TokenizerModel::kBpe);
}

TEST(TokenizerJsonTest, HolesStayEmpty) {
  const auto spec = read_with_model("vocab", R"({"<s>": 0, "a": 1, "b": 2, "ab": 9, "z": 4})");
  ASSERT_READ(spec);
  EXPECT_THAT(spec->tokens, ElementsAre("<s>", "a", "b", "", "z", "<tool>", "", "", "", "ab"));
}

TEST(TokenizerJsonTest, Normalizers) {
  const auto spec = read_with("normalizer", R"({"type": "Sequence", "normalizers": [
    {"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Lowercase"},
    {"type": "StripAccents"}, {"type": "Nmt"}, {"type": "ByteLevel"},
    {"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": false, "strip_right": true}]},
    {"type": "Replace", "pattern": {"String": " "}, "content": "_"},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": ""},
    {"type": "Prepend", "prepend": "\u2581"},
    {"type": "BertNormalizer", "clean_text": false, "handle_chinese_chars": false,
     "strip_accents": true, "lowercase": false},
    {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
     "strip_accents": null, "lowercase": true},
    {"type": "Precompiled", "precompiled_charsmap": "AAEC/w=="}]})");
  ASSERT_READ(spec);
  std::vector<NormalizerKind> kinds;
  for (const NormalizerSpec& one : spec->normalizers) kinds.push_back(one.kind);
  using Kind = NormalizerKind;
  EXPECT_THAT(kinds, ElementsAre(Kind::kNfc, Kind::kNfd, Kind::kNfkc, Kind::kNfkd, Kind::kLowercase,
                                 Kind::kStripAccents, Kind::kNmt, Kind::kByteLevel, Kind::kStrip,
                                 Kind::kReplace, Kind::kReplace, Kind::kPrepend, Kind::kBert,
                                 Kind::kBert, Kind::kPrecompiled));
  const std::vector<NormalizerSpec>& all = spec->normalizers;
  EXPECT_TRUE(!all[8].left && all[8].right);
  EXPECT_TRUE(all[9].pattern.text == " " && !all[9].pattern.regex && all[9].content == "_");
  EXPECT_TRUE(all[10].pattern.text == " {2,}" && all[10].pattern.regex && all[10].content.empty());
  EXPECT_EQ(all[11].content, "\u2581");
  EXPECT_TRUE(!all[12].clean_text && !all[12].chinese && !all[12].lowercase);
  EXPECT_EQ(all[12].strip_accents, true);
  EXPECT_TRUE(all[13].clean_text && all[13].chinese && all[13].lowercase);
  EXPECT_FALSE(all[13].strip_accents.has_value());
  EXPECT_EQ(all[14].charsmap, std::string("\0\1\2\xff", 4));
}

TEST(TokenizerJsonTest, PreTokenizers) {
  const auto spec = read_with("pre_tokenizer", R"({"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": "\\d"}, "behavior": "MergedWithPrevious", "invert": true},
    {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false},
    {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false},
    {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": false},
    {"type": "Metaspace", "str_rep": "\u2581", "replacement": "\u2581", "add_prefix_space": true},
    {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": false},
    {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "BertPreTokenizer"},
    {"type": "Punctuation"}, {"type": "Punctuation", "behavior": "Contiguous"},
    {"type": "Digits", "individual_digits": true},
    {"type": "CharDelimiterSplit", "delimiter": "\u00e9"}, {"type": "UnicodeScripts"},
    {"type": "FixedLength"}, {"type": "FixedLength", "length": 3}]})");
  ASSERT_READ(spec);
  std::vector<PreTokenizerKind> kinds;
  for (const PreTokenizerSpec& one : spec->pre_tokenizers) kinds.push_back(one.kind);
  using Kind = PreTokenizerKind;
  EXPECT_THAT(kinds, ElementsAre(Kind::kSplit, Kind::kByteLevel, Kind::kByteLevel, Kind::kMetaspace,
                                 Kind::kMetaspace, Kind::kMetaspace, Kind::kWhitespace,
                                 Kind::kWhitespaceSplit, Kind::kBert, Kind::kPunctuation,
                                 Kind::kPunctuation, Kind::kDigits, Kind::kCharDelimiter,
                                 Kind::kUnicodeScripts, Kind::kFixedLength, Kind::kFixedLength));
  const std::vector<PreTokenizerSpec>& all = spec->pre_tokenizers;
  EXPECT_TRUE(all[0].pattern.text == "\\d" && all[0].pattern.regex && all[0].invert);
  EXPECT_EQ(all[0].behavior, SplitBehavior::kMergedWithPrevious);
  EXPECT_TRUE(all[1].add_prefix_space && !all[1].use_regex);
  EXPECT_TRUE(!all[2].add_prefix_space && all[2].use_regex);
  EXPECT_TRUE(all[3].replacement == "_" && !all[3].split);
  EXPECT_EQ(all[3].prepend, PrependScheme::kFirst);
  EXPECT_TRUE(all[4].replacement == "\u2581" && all[4].split);
  EXPECT_EQ(all[4].prepend, PrependScheme::kAlways);
  EXPECT_EQ(all[5].prepend, PrependScheme::kNever);
  EXPECT_EQ(all[9].behavior, SplitBehavior::kIsolated);
  EXPECT_EQ(all[10].behavior, SplitBehavior::kContiguous);
  EXPECT_TRUE(all[11].individual);
  EXPECT_EQ(all[12].pattern.text, "é");
  EXPECT_EQ(all[14].length, 5U);
  EXPECT_EQ(all[15].length, 3U);
}

TEST(TokenizerJsonTest, Decoders) {
  const auto spec = read_with("decoder", R"({"type": "Sequence", "decoders": [
    {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
    {"type": "Metaspace", "replacement": "_", "prepend_scheme": "never", "split": true},
    {"type": "WordPiece", "prefix": "##", "cleanup": false}, {"type": "ByteFallback"},
    {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 2},
    {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
    {"type": "BPEDecoder", "suffix": "</w>"}]})");
  ASSERT_READ(spec);
  std::vector<DecoderKind> kinds;
  for (const DecoderSpec& one : spec->decoders) kinds.push_back(one.kind);
  using Kind = DecoderKind;
  EXPECT_THAT(kinds,
              ElementsAre(Kind::kByteLevel, Kind::kMetaspace, Kind::kWordPiece, Kind::kByteFallback,
                          Kind::kFuse, Kind::kStrip, Kind::kReplace, Kind::kBpe));
  const std::vector<DecoderSpec>& all = spec->decoders;
  EXPECT_EQ(all[1].replacement, "_");
  EXPECT_EQ(all[1].prepend, PrependScheme::kNever);
  EXPECT_TRUE(all[2].content == "##" && !all[2].cleanup);
  EXPECT_TRUE(all[5].content == " " && all[5].start == 1 && all[5].stop == 2);
  EXPECT_TRUE(all[6].pattern.text == "\u2581" && all[6].content == " ");
  EXPECT_EQ(all[7].content, "</w>");
}

TEST(TokenizerJsonTest, PostProcessors) {
  const auto bert = read_with("post_processor",
                              R"({"type": "BertProcessing", "sep": ["b", 2], "cls": ["a", 1]})");
  ASSERT_READ(bert);
  EXPECT_THAT(written(bert->single), ElementsAre("1:0", "A:0", "2:0"));
  EXPECT_THAT(written(bert->pair), ElementsAre("1:0", "A:0", "2:0", "B:1", "2:1"));

  const auto roberta = read_with("post_processor", R"({"type": "RobertaProcessing",
    "sep": ["b", 2], "cls": ["a", 1], "trim_offsets": true, "add_prefix_space": false})");
  ASSERT_READ(roberta);
  EXPECT_THAT(written(roberta->single), ElementsAre("1:0", "A:0", "2:0"));
  EXPECT_THAT(written(roberta->pair), ElementsAre("1:0", "A:0", "2:0", "2:0", "B:0", "2:0"));

  const auto sequence = read_with("post_processor", R"({"type": "Sequence", "processors": [
    {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
    {"type": "TemplateProcessing",
     "single": [{"SpecialToken": {"id": "x", "type_id": 3}}, {"Sequence": {"id": "A", "type_id": 4}}],
     "pair": [{"Sequence": {"id": "B", "type_id": 1}}, {"Sequence": {"id": "A", "type_id": 0}},
              {"SpecialToken": {"id": "y", "type_id": 2}}],
     "special_tokens": {"x": {"id": "x", "ids": [0, 3], "tokens": ["<s>", "ab"]},
                        "y": {"id": "y", "ids": [5], "tokens": ["<tool>"]}}}]})");
  ASSERT_READ(sequence);
  EXPECT_THAT(written(sequence->single), ElementsAre("0:3", "3:3", "A:4"));
  EXPECT_THAT(written(sequence->pair), ElementsAre("B:1", "A:0", "5:2"));
}

TEST(TokenizerJsonTest, NamedTokensAreStringsOrObjects) {
  const auto spec = read(small_tokenizer(), R"({"bos_token": "<s>", "eos_token": {"content": "ab",
    "lstrip": false, "__type": "AddedToken"}, "pad_token": null, "unk_token": "nowhere",
    "model_max_length": 1e30, "chat_template": "{{ x }}"})",
                         R"({"pad_token": {"content": "b"}, "eos_token": "a"})");
  ASSERT_READ(spec);
  EXPECT_EQ(spec->bos, 0);
  EXPECT_EQ(spec->eos, 3);  // tokenizer_config.json comes first
  EXPECT_EQ(spec->padding, 2);
  EXPECT_FALSE(spec->unknown.has_value());  // the model has none
  EXPECT_THAT(spec->single, IsEmpty());
}

TEST(TokenizerJsonTest, AddBosAndEosTakeThePlaceOfTheTemplate) {
  boost::json::object file = small_tokenizer();
  file["post_processor"] = json(R"({"type": "BertProcessing", "sep": ["b", 2], "cls": ["a", 1]})");
  const auto both = read(file, R"({"bos_token": "<s>", "eos_token": "ab", "add_bos_token": true,
    "add_eos_token": true})");
  ASSERT_READ(both);
  EXPECT_THAT(written(both->single), ElementsAre("0:0", "A:0", "3:0"));
  EXPECT_THAT(written(both->pair), ElementsAre("0:0", "A:0", "3:0", "0:1", "B:1", "3:1"));
  const auto neither = read(file, R"({"bos_token": "<s>", "add_bos_token": false})");
  ASSERT_READ(neither);
  EXPECT_THAT(neither->single, IsEmpty());
  const auto silent = read(file, R"({"bos_token": "<s>", "add_bos_token": null})");
  ASSERT_READ(silent);
  EXPECT_THAT(written(silent->single), ElementsAre("1:0", "A:0", "2:0"));
}

TEST(TokenizerJsonTest, TheSettingsMayAddTokens) {
  const auto spec = read(small_tokenizer(), R"({"eos_token": "<end>", "added_tokens_decoder": {
    "6": {"content": "<end>", "special": true, "lstrip": false, "rstrip": true,
          "normalized": false, "single_word": false},
    "5": {"content": "<tool>", "special": true}}})");
  ASSERT_READ(spec);
  ASSERT_EQ(spec->added.size(), 3U);
  EXPECT_FALSE(spec->added[1].special);  // the file's own flags hold
  EXPECT_EQ(spec->added[2].content, "<end>");
  EXPECT_TRUE(spec->added[2].special && spec->added[2].rstrip);
  EXPECT_EQ(spec->tokens.back(), "<end>");
  EXPECT_EQ(spec->kinds.back(), TokenKind::kControl);
  EXPECT_EQ(spec->eos, 6);
}

}  // namespace
}  // namespace hangar::hf
