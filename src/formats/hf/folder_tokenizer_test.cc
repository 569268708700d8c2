#include "formats/hf/folder_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/hf/strict_json.h"
#include "formats/hf/test_folder.h"

namespace hangar::hf {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kVocabulary = R"({"a": 0, "b": 1, "ab": 2, "<|end|>": 3})";
constexpr std::string_view kMerges = "#version: 0.2\r\na b\r\n";

Result<TokenizerSpec> spec_of(const TestFolder& folder) {
  return read_folder_tokenizer(FolderFiles::open(folder.path()).value());
}

TEST(FolderTokenizerTest, ReadsTheCommittedTinyModels) {
  const auto folder = FolderFiles::open(model_data("llama3"));
  ASSERT_TRUE(folder);
  EXPECT_TRUE(has_tokenizer(*folder));
  const auto spec = read_folder_tokenizer(*folder);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_FALSE(spec->tokens.empty());
}

TEST(FolderTokenizerTest, MakesOneOfVocabularyAndMerges) {
  const TestFolder folder;
  write_file(folder / "vocab.json", kVocabulary);
  write_file(folder / "merges.txt", kMerges);
  write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "Qwen2Tokenizer",
      "eos_token": "<|end|>", "added_tokens_decoder": {"3": {"content": "<|end|>",
      "lstrip": false, "normalized": false, "rstrip": false, "single_word": false,
      "special": true}}})");
  const auto spec = spec_of(folder);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->model, TokenizerModel::kBpe);
  ASSERT_EQ(spec->tokens.size(), 4U);
  EXPECT_EQ(spec->tokens[2], "ab");
  ASSERT_EQ(spec->merges.size(), 1U);
  EXPECT_EQ(spec->merges[0].text, "ab");
  ASSERT_EQ(spec->added.size(), 1U);
  EXPECT_EQ(spec->added[0].content, "<|end|>");
  EXPECT_TRUE(spec->added[0].special);
  ASSERT_EQ(spec->normalizers.size(), 1U);
  EXPECT_EQ(spec->normalizers[0].kind, NormalizerKind::kNfc);
  ASSERT_EQ(spec->pre_tokenizers.size(), 2U);
  EXPECT_TRUE(spec->pre_tokenizers[0].pattern.regex);
  EXPECT_EQ(spec->pre_tokenizers[1].kind, PreTokenizerKind::kByteLevel);
  EXPECT_FALSE(spec->pre_tokenizers[1].use_regex);
  EXPECT_EQ(spec->eos, 3);
}

TEST(FolderTokenizerTest, Gpt2sForm) {
  const auto text =
      tokenizer_json_of(kVocabulary, kMerges, R"({"tokenizer_class": "GPT2Tokenizer"})", "folder");
  ASSERT_TRUE(text) << text.error().message;
  const auto json = parse_object(*text, "t");
  ASSERT_TRUE(json);
  EXPECT_TRUE(json->at("normalizer").is_null());
  EXPECT_EQ(json->at("pre_tokenizer").at("type"), "ByteLevel");
  EXPECT_EQ(json->at("pre_tokenizer").at("use_regex"), true);
  EXPECT_EQ(json->at("model").at("merges").as_array().size(), 1U);
}

TEST(FolderTokenizerTest, SaysWhatElseIsThere) {
  const TestFolder folder;
  EXPECT_EQ(spec_of(folder).error().code, ErrorCode::kNotFound);
  write_file(folder / "tokenizer.model", "x");
  EXPECT_EQ(spec_of(folder).error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(spec_of(folder).error().message, HasSubstr("only as tokenizer.model"));
  EXPECT_THAT(spec_of(folder).error().message, HasSubstr("save_pretrained"));
}

TEST(FolderTokenizerTest, RefusesWhatItCannotBuild) {
  EXPECT_THAT(tokenizer_json_of(kVocabulary, kMerges, "", "f").error().message,
              HasSubstr("class '(none)'"));
  EXPECT_THAT(tokenizer_json_of(kVocabulary, kMerges, R"({"tokenizer_class": "Bert"})", "f")
                  .error()
                  .message,
              HasSubstr("class 'Bert'"));
  EXPECT_THAT(tokenizer_json_of(R"({"a": 0, "a": 1})", kMerges,
                                R"({"tokenizer_class": "GPT2Tokenizer"})", "f")
                  .error()
                  .message,
              HasSubstr("'a' is there twice"));
  EXPECT_THAT(tokenizer_json_of(kVocabulary, kMerges,
                                R"({"tokenizer_class": "GPT2Tokenizer",
                                    "added_tokens_decoder": {"x": {}}})",
                                "f")
                  .error()
                  .message,
              HasSubstr("added_tokens_decoder.x"));
}

TEST(FolderTokenizerTest, ErrorsNameTheFolder) {
  const TestFolder folder;
  write_file(folder / "tokenizer.json", "{");
  EXPECT_THAT(spec_of(folder).error().message, HasSubstr(folder.path().string()));
}

}  // namespace
}  // namespace hangar::hf
