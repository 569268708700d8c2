// Every way in which a tokenizer.json or its settings are refused, by what the message names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "formats/hf/tokenizer_json_test_data.h"

namespace hangar::hf {
namespace {

using test::json;
using test::small_tokenizer;
using ::testing::HasSubstr;

constexpr ErrorCode kCorrupt = ErrorCode::kCorrupt;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

struct Wrong {
  std::string name;
  std::function<Result<TokenizerSpec>()> read;
  ErrorCode code;
  std::vector<std::string> words;
};

void PrintTo(const Wrong& wrong, std::ostream* out) {
  *out << wrong.name;
}

class WrongTokenizerTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongTokenizerTest, IsRefused) {
  const Result<TokenizerSpec> spec = GetParam().read();
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().code, GetParam().code) << spec.error().message;
  EXPECT_THAT(spec.error().message, HasSubstr("tokenizer"));
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(spec.error().message, HasSubstr(word));
  }
}

auto with(std::string field, std::string value) {
  return [=] { return test::read_with(field, value); };
}
auto with_model(std::string field, std::string value) {
  return [=] { return test::read_with_model(field, value); };
}
auto text(std::string file) {
  return [=] { return test::read(file); };
}
auto with_config(std::string config) {
  return [=] { return test::read(small_tokenizer(), config); };
}
auto with_added(std::string token) {
  return [=] {
    boost::json::object file = small_tokenizer();
    file["added_tokens"].as_array().push_back(json(token));
    return test::read(file);
  };
}

const Wrong kWrong[] = {
    {"Empty", text(""), kCorrupt, {"line 1, column 1", "an object expected"}},
    {"CutShort", text(R"({"version": "1.0", "model": {"vocab": {"a")"), kCorrupt, {"':' expected"}},
    {"NoModel", text(R"({"version": "1.0"})"), kCorrupt, {"'model' is missing"}},
    {"TrailingText", text("{} x"), kCorrupt, {"'model' is missing"}},
    {"TopLevelTwice",
     text(R"({"version": "1.0", "version": "1.0"})"),
     kCorrupt,
     {"'version' is there twice"}},
    {"UnknownField", with("extra", "1"), kUnsupported, {"'extra' is not known"}},
    {"Version", with("version", "\"2.0\""), kUnsupported, {"'version'", "2.0"}},
    {"Deep",
     with("truncation", std::string(32, '[') + std::string(32, ']')),
     kCorrupt,
     {"nested deeper"}},

    {"ModelType",
     with_model("type", "\"WordLevel\""),
     kUnsupported,
     {"WordLevel", "BPE, Unigram, WordPiece"}},
    {"ModelField", with_model("new_thing", "true"), kUnsupported, {"'model.new_thing'"}},
    {"Dropout", with_model("dropout", "0.1"), kUnsupported, {"'model.dropout'"}},
    {"VocabularyIsAList",
     with_model("vocab", R"([["a", 1]])"),
     kCorrupt,
     {"'model.vocab' is a list"}},
    {"IdTwice",
     with_model("vocab", R"({"a": 1, "b": 1})"),
     kCorrupt,
     {"'a' and 'b' both have id 1"}},
    {"IdNegative", with_model("vocab", R"({"a": -1})"), kCorrupt, {"id -1 found"}},
    {"IdIsText", with_model("vocab", R"({"a": "1"})"), kCorrupt, {"a whole number expected"}},
    {"IdFarAway",
     with_model("vocab", R"({"a": 2000000000})"),
     kCorrupt,
     {"2000000000 of token 'a' is far past"}},
    {"IdTooLarge", with_model("vocab", R"({"a": 2147483647})"), kCorrupt, {"2147483647 found"}},
    {"UnknownTokenMissing",
     with_model("unk_token", "\"<unk>\""),
     kCorrupt,
     {"'model.unk_token'", "'<unk>'"}},
    {"MergeOfOne", with_model("merges", R"(["ab"])"), kCorrupt, {"merge 'ab' found"}},
    {"MergeOfThree", with_model("merges", R"(["a b c"])"), kCorrupt, {"merge 'a b c' found"}},
    {"MergePairOfOne", with_model("merges", R"([["a"]])"), kCorrupt, {"[left, right] expected"}},
    {"MergePairOfThree",
     with_model("merges", R"([["a", "b", "c"]])"),
     kCorrupt,
     {"[left, right] expected"}},
    {"MergeIsANumber", with_model("merges", "[1]"), kCorrupt, {"a string expected"}},

    {"AddedTwice",
     with_added(R"({"id": 6, "content": "<tool>", "special": false})"),
     kCorrupt,
     {"added token '<tool>' is there twice"}},
    {"AddedIdTaken",
     with_added(R"({"id": 3, "content": "new"})"),
     kCorrupt,
     {"'new' has id 3", "is 6"}},
    {"AddedIdOfTheVocabularyDiffers",
     with_added(R"({"id": 6, "content": "ab"})"),
     kCorrupt,
     {"'ab' has id 6", "in the vocabulary is 3"}},
    {"AddedIdLeavesAGap",
     with_added(R"({"id": 9, "content": "new"})"),
     kCorrupt,
     {"'new' has id 9", "is 6"}},
    {"AddedWithoutContent",
     with_added(R"({"id": 6})"),
     kCorrupt,
     {"an added token without content"}},
    {"AddedEmpty",
     with_added(R"({"id": 6, "content": ""})"),
     kCorrupt,
     {"an added token without content"}},
    {"AddedWithoutId", with_added(R"({"content": "x"})"), kCorrupt, {"an added token without id"}},
    {"AddedUnknownField",
     with_added(R"({"id": 6, "content": "x", "glow": true})"),
     kCorrupt,
     {"'glow'"}},

    {"NormalizerType",
     with("normalizer", R"({"type": "Rot13"})"),
     kUnsupported,
     {"'normalizer.type'", "Rot13", "NFKC"}},
    {"NormalizerIsText", with("normalizer", "\"NFC\""), kCorrupt, {"'normalizer'"}},
    {"NestedPlace",
     with("normalizer",
          R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Strip"}]})"),
     kCorrupt,
     {"'normalizer.normalizers[1].strip_left'", "missing"}},
    {"StageUnknownField",
     with("normalizer", R"({"type": "NFC", "form": 1})"),
     kUnsupported,
     {"'normalizer.form'", "NFC"}},
    {"NotBase64",
     with("normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "a*"})"),
     kCorrupt,
     {"precompiled_charsmap", "base64"}},
    {"PatternKind",
     with("normalizer", R"({"type": "Replace", "pattern": {"Glob": "*"}, "content": ""})"),
     kUnsupported,
     {"'normalizer.pattern'", "Glob"}},
    {"PreTokenizerType",
     with("pre_tokenizer", R"({"type": "Jieba"})"),
     kUnsupported,
     {"'pre_tokenizer.type'", "Jieba"}},
    {"Behavior",
     with("pre_tokenizer",
          R"({"type": "Split", "pattern": {"String": "x"}, "behavior": "Odd", "invert": false})"),
     kUnsupported,
     {"'pre_tokenizer.behavior'", "Odd"}},
    {"TwoCharacters",
     with("pre_tokenizer", R"({"type": "CharDelimiterSplit", "delimiter": "ab"})"),
     kCorrupt,
     {"one character expected"}},
    {"MetaspaceContradicts",
     with(
         "pre_tokenizer",
         R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false, "prepend_scheme": "always"})"),
     kCorrupt,
     {"add_prefix_space", "always"}},
    {"PrependScheme",
     with("pre_tokenizer",
          R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "often"})"),
     kUnsupported,
     {"prepend_scheme", "often"}},
    {"DecoderType", with("decoder", R"({"type": "CTC"})"), kUnsupported, {"'decoder.type'", "CTC"}},
    {"PostProcessorType",
     with("post_processor", R"({"type": "Odd"})"),
     kUnsupported,
     {"'post_processor.type'", "Odd"}},
    {"TemplateTokenUnnamed",
     with("post_processor", R"({"type": "TemplateProcessing", "pair": [], "special_tokens": {},
       "single": [{"SpecialToken": {"id": "x", "type_id": 0}}]})"),
     kCorrupt,
     {"'post_processor.single'", "\"x\""}},
    {"TemplateIdPastVocabulary",
     with("post_processor", R"({"type": "BertProcessing", "sep": ["x", 6], "cls": ["a", 1]})"),
     kCorrupt,
     {"'post_processor'", "6 found"}},
    {"TwoTemplates",
     with("post_processor", R"({"type": "Sequence", "processors": [
       {"type": "BertProcessing", "sep": ["x", 1], "cls": ["a", 1]},
       {"type": "BertProcessing", "sep": ["x", 1], "cls": ["a", 1]}]})"),
     kUnsupported,
     {"processors[1]", "a second one"}},

    {"ConfigIsNoJson", with_config("{"), kCorrupt, {"tokenizer_config.json"}},
    {"ConfigKeyTwice",
     with_config(R"({"a": 1, "a": 2})"),
     kCorrupt,
     {"tokenizer_config.json", "a"}},
    {"EosMissing", with_config(R"({"eos_token": "</s>"})"), kCorrupt, {"'eos_token'", "'</s>'"}},
    {"EosIsANumber", with_config(R"({"eos_token": 2})"), kCorrupt, {"'eos_token'", "2 found"}},
    {"AddBosIsText", with_config(R"({"add_bos_token": "yes"})"), kCorrupt, {"'add_bos_token'"}},
    {"DecoderKeyIsNoId",
     with_config(R"({"added_tokens_decoder": {"x": {"content": "y"}}})"),
     kCorrupt,
     {"'x' is no id"}},
    {"DecoderClashes",
     with_config(R"({"added_tokens_decoder": {"7": {"content": "<tool>"}}})"),
     kCorrupt,
     {"'<tool>' has id 7", "says 5"}},
};

INSTANTIATE_TEST_SUITE_P(Fields, WrongTokenizerTest, ::testing::ValuesIn(kWrong),
                         [](const auto& test) { return test.param.name; });

// The text of small_tokenizer(), where the tree cannot hold what is wrong.
std::string replaced(std::string_view what, std::string_view with_what) {
  std::string file = boost::json::serialize(small_tokenizer());
  const std::size_t at = file.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return file.replace(at, what.size(), with_what);
}

TEST(WrongTokenizerTextTest, ATokenTwice) {
  const auto spec = test::read(replaced(R"("b":2)", R"("b":2,"b":6)"));
  ASSERT_FALSE(spec);
  EXPECT_THAT(spec.error().message, HasSubstr("token 'b' is there twice, as 2 and as 6"));
  const auto same = test::read(replaced(R"("b":2)", R"("b":2,"b":2)"));
  ASSERT_FALSE(same);
  EXPECT_THAT(same.error().message, HasSubstr("both have id 2"));
}

TEST(WrongTokenizerTextTest, AStageKeyTwice) {
  const auto spec =
      test::read(replaced(R"("normalizer":null)", R"("normalizer":{"type":"NFC","type":"NFD"})"));
  ASSERT_FALSE(spec);
  EXPECT_THAT(spec.error().message, HasSubstr("'type' is there twice"));
}

TEST(WrongTokenizerTextTest, EveryCutIsRefusedAndNoneCrashes) {
  const std::string file = boost::json::serialize(small_tokenizer());
  for (std::size_t length = 0; length < file.size(); ++length) {
    const auto spec = test::read(std::string_view(file).substr(0, length));
    ASSERT_FALSE(spec) << length;
    EXPECT_EQ(spec.error().code, kCorrupt);
  }
}

TEST(WrongTokenizerTextTest, UnigramVocabularies) {
  const auto unigram = [](std::string_view vocabulary, std::string_view unk_id) {
    boost::json::object file = small_tokenizer();
    file["added_tokens"] = json("[]");
    file["model"] = json(
        fmt::format(R"({{"type": "Unigram", "unk_id": {}, "vocab": {}}})", unk_id, vocabulary));
    return test::read(file);
  };
  EXPECT_TRUE(unigram(R"([["a", -1]])", "null"));
  for (const char* wrong : {R"([["a"]])", R"([["a", -1, 2]])", R"([[1, 2]])", R"(["a"])",
                            R"([["a", "b"]])", R"([["a", -1], ["a", -2]])", R"({"a": 1})"}) {
    const auto spec = unigram(wrong, "0");
    ASSERT_FALSE(spec) << wrong;
    EXPECT_EQ(spec.error().code, kCorrupt);
  }
  const auto past = unigram(R"([["a", -1]])", "1");
  ASSERT_FALSE(past);
  EXPECT_THAT(past.error().message, HasSubstr("'model.unk_id': 1 found"));
}

}  // namespace
}  // namespace hangar::hf
