#include "formats/gguf/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "formats/gguf/checkpoint.h"
#include "formats/gguf/test_writer.h"
#include "text/post_processor.h"

namespace hangar::gguf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A byte-level vocabulary of 6 tokens; keys in `except` (without their prefix) are left out.
TestWriter small_vocabulary(const std::vector<std::string>& except = {}) {
  const auto wanted = [&](std::string_view key) {
    return std::find(except.begin(), except.end(), key) == except.end();
  };
  TestWriter file;
  if (wanted("model")) file.add("tokenizer.ggml.model", std::string("gpt2"));
  if (wanted("pre")) file.add("tokenizer.ggml.pre", std::string("smollm"));
  if (wanted("tokens")) {
    file.add_array("tokenizer.ggml.tokens", std::vector<std::string>{"<|endoftext|>", "<|im_end|>",
                                                                     "a", "b", "ab", "<tool>"});
  }
  if (wanted("token_type")) {
    file.add_array("tokenizer.ggml.token_type", std::vector<std::int32_t>{3, 3, 1, 1, 1, 4});
  }
  if (wanted("merges")) {
    file.add_array("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
  }
  return file;
}

struct Vocabulary {
  Result<TokenizerSpec> tokenizer;
  std::vector<ChatTemplateSource> templates;
};

Vocabulary read(const TestWriter& writer) {
  const std::vector<std::byte> bytes = writer.bytes();
  const Result<std::unique_ptr<Checkpoint>> opened = open_gguf_bytes(bytes, "v.gguf");
  if (!opened) return {tl::unexpected<Error>(opened.error()), {}};
  EXPECT_FALSE((*opened)->config());  // no tensors: a vocabulary only
  return {(*opened)->tokenizer(), (*opened)->chat_templates()};
}

TEST(VocabularyTest, ReadsAByteLevelVocabularyWithoutTensors) {
  TestWriter file = small_vocabulary();
  file.add("tokenizer.ggml.bos_token_id", std::uint32_t{0});
  file.add("tokenizer.ggml.eos_token_id", std::uint32_t{1});
  file.add("tokenizer.ggml.unknown_token_id", std::uint32_t{0});
  file.add("tokenizer.ggml.padding_token_id", std::uint32_t{5});
  file.add("tokenizer.ggml.add_bos_token", true).add("tokenizer.ggml.add_eos_token", true);
  const Vocabulary vocabulary = read(file);
  ASSERT_TRUE(vocabulary.tokenizer) << vocabulary.tokenizer.error().message;
  const TokenizerSpec& spec = *vocabulary.tokenizer;
  EXPECT_EQ(spec.model, TokenizerModel::kBpe);
  EXPECT_EQ(spec.model_name, "gpt2");
  ASSERT_EQ(spec.pre_tokenizers.size(), 2U);
  EXPECT_EQ(spec.pre_tokenizers[0].kind, PreTokenizerKind::kDigits);
  EXPECT_EQ(spec.pre_tokenizers[1].kind, PreTokenizerKind::kByteLevel);
  EXPECT_THAT(spec.tokens, ElementsAre("<|endoftext|>", "<|im_end|>", "a", "b", "ab", "<tool>"));
  EXPECT_THAT(spec.kinds,
              ElementsAre(TokenKind::kControl, TokenKind::kControl, TokenKind::kNormal,
                          TokenKind::kNormal, TokenKind::kNormal, TokenKind::kUserDefined));
  ASSERT_EQ(spec.merges.size(), 1U);
  EXPECT_EQ(spec.merges[0].text, "ab");
  EXPECT_EQ(spec.merges[0].left_bytes, 1U);
  ASSERT_EQ(spec.added.size(), 3U);
  EXPECT_EQ(spec.added[1].content, "<|im_end|>");
  EXPECT_TRUE(spec.added[1].special);
  EXPECT_EQ(spec.added[2].id, 5);
  EXPECT_FALSE(spec.added[2].special);
  EXPECT_EQ(spec.bos, 0);
  EXPECT_EQ(spec.eos, 1);
  EXPECT_EQ(spec.unknown, 0);
  EXPECT_EQ(spec.padding, 5);
  EXPECT_TRUE(begins_with_bos(spec));
  ASSERT_EQ(spec.single.size(), 3U);
  EXPECT_EQ(spec.single[2].token, 1);
  EXPECT_THAT(spec.end_of_generation, ::testing::IsEmpty());
}

TEST(VocabularyTest, WhatTheFileDoesNotSay) {
  const Vocabulary vocabulary = read(small_vocabulary({"pre", "token_type"}));
  ASSERT_TRUE(vocabulary.tokenizer) << vocabulary.tokenizer.error().message;
  ASSERT_EQ(vocabulary.tokenizer->pre_tokenizers.size(), 1U);
  EXPECT_EQ(vocabulary.tokenizer->pre_tokenizers[0].kind, PreTokenizerKind::kByteLevel);
  EXPECT_TRUE(vocabulary.tokenizer->pre_tokenizers[0].use_regex);
  EXPECT_TRUE(vocabulary.tokenizer->kinds.empty());
  EXPECT_FALSE(vocabulary.tokenizer->bos.has_value());
  EXPECT_TRUE(vocabulary.tokenizer->single.empty());
  EXPECT_THAT(vocabulary.tokenizer->end_of_generation, ::testing::IsEmpty());
}

TEST(VocabularyTest, Llama3BeginsWithBosUnlessTheFileSaysNo) {
  TestWriter file = small_vocabulary({"pre"});
  file.add("tokenizer.ggml.pre", std::string("llama-bpe"));
  file.add("tokenizer.ggml.bos_token_id", std::uint32_t{2});
  const Vocabulary silent = read(file);
  ASSERT_TRUE(silent.tokenizer) << silent.tokenizer.error().message;
  EXPECT_TRUE(begins_with_bos(*silent.tokenizer));
  const Vocabulary refused = read(file.add("tokenizer.ggml.add_bos_token", false));
  ASSERT_TRUE(refused.tokenizer) << refused.tokenizer.error().message;
  EXPECT_FALSE(begins_with_bos(*refused.tokenizer));
}

TEST(VocabularyTest, EndsOfTurnAndMessageAreTheFiles) {
  TestWriter file = small_vocabulary();
  file.add("tokenizer.ggml.eos_token_id", std::uint32_t{0});
  file.add("tokenizer.ggml.eot_token_id", std::uint32_t{1});
  file.add("tokenizer.ggml.eom_token_id", std::uint32_t{5});
  file.add("tokenizer.ggml.padding_token_id", std::int32_t{-1});  // "none"
  const Vocabulary vocabulary = read(file);
  ASSERT_TRUE(vocabulary.tokenizer) << vocabulary.tokenizer.error().message;
  EXPECT_THAT(vocabulary.tokenizer->end_of_generation, ElementsAre(1, 5));
  EXPECT_FALSE(vocabulary.tokenizer->padding.has_value());
}

TEST(VocabularyTest, TemplatesDefaultFirst) {
  TestWriter file = small_vocabulary();
  file.add("tokenizer.chat_template.tool_use", std::string("T"));
  file.add("tokenizer.chat_template.rag", std::string("R"));
  file.add_array("tokenizer.chat_templates", std::vector<std::string>{"tool_use", "rag"});
  file.add("tokenizer.chat_template", std::string("D"));
  const Vocabulary vocabulary = read(file);
  std::vector<std::pair<std::string, std::string>> templates;
  for (const ChatTemplateSource& t : vocabulary.templates) templates.emplace_back(t.name, t.text);
  EXPECT_THAT(templates,
              ElementsAre(::testing::Pair("default", "D"), ::testing::Pair("tool_use", "T"),
                          ::testing::Pair("rag", "R")));
  EXPECT_TRUE(read(small_vocabulary()).templates.empty());
}

struct Wrong {
  std::string name;
  std::vector<std::string> except;
  std::function<void(TestWriter&)> break_it;
  ErrorCode code;
  std::vector<std::string> words;
};

void PrintTo(const Wrong& wrong, std::ostream* out) {
  *out << wrong.name;
}

class WrongVocabularyTest : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongVocabularyTest, IsRefusedByField) {
  TestWriter file = small_vocabulary(GetParam().except);
  GetParam().break_it(file);
  const Vocabulary vocabulary = read(file);
  ASSERT_FALSE(vocabulary.tokenizer);
  EXPECT_EQ(vocabulary.tokenizer.error().code, GetParam().code);
  EXPECT_THAT(vocabulary.tokenizer.error().message, HasSubstr("v.gguf"));
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(vocabulary.tokenizer.error().message, HasSubstr(word));
  }
}

void nothing(TestWriter&) {}

constexpr ErrorCode kCorrupt = ErrorCode::kCorrupt;

const Wrong kWrong[] = {
    {"NoModel", {"model"}, nothing, kCorrupt, {"'tokenizer.ggml.model' is missing"}},
    {"UnknownModel",
     {"model"},
     [](TestWriter& w) { w.add("tokenizer.ggml.model", std::string("rwkv")); },
     ErrorCode::kUnsupported,
     {"'rwkv' is not supported", "gpt2, llama, gemma4, t5, bert"}},
    {"NoTokens", {"tokens"}, nothing, kCorrupt, {"'tokenizer.ggml.tokens'", "missing or empty"}},
    {"NoMerges", {"merges"}, nothing, kCorrupt, {"'tokenizer.ggml.merges'", "missing or empty"}},
    {"MergeIsNoPair",
     {"merges"},
     [](TestWriter& w) {
       w.add_array("tokenizer.ggml.merges", std::vector<std::string>{"a b", "ab"});
     },
     kCorrupt,
     {"'tokenizer.ggml.merges'", "merge 1, 'ab', is not a pair"}},
    {"PreTokenizerUnknown",
     {"pre"},
     [](TestWriter& w) { w.add("tokenizer.ggml.pre", std::string("no-such")); },
     ErrorCode::kUnsupported,
     {"no-such", "smollm"}},
    {"TokensAreNumbers",
     {"tokens"},
     [](TestWriter& w) { w.add_array("tokenizer.ggml.tokens", std::vector<std::uint32_t>{1, 2}); },
     kCorrupt,
     {"'tokenizer.ggml.tokens'", "array of uint32 found, of string expected"}},
    {"KindsTooFew",
     {"token_type"},
     [](TestWriter& w) { w.add_array("tokenizer.ggml.token_type", std::vector<std::int32_t>{1}); },
     kCorrupt,
     {"'tokenizer.ggml.token_type'", "1 elements", "6 expected"}},
    {"KindUnknown",
     {"token_type"},
     [](TestWriter& w) {
       w.add_array("tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 1, 1, 7, 1, 1});
     },
     kCorrupt,
     {"'tokenizer.ggml.token_type'", "7 found for token 3"}},
    {"IdPastVocabulary",
     {},
     [](TestWriter& w) { w.add("tokenizer.ggml.eos_token_id", std::uint32_t{6}); },
     kCorrupt,
     {"'tokenizer.ggml.eos_token_id'", "6 found", "6 tokens"}},
    {"IdNegative",
     {},
     [](TestWriter& w) { w.add("tokenizer.ggml.bos_token_id", std::int32_t{-2}); },
     kCorrupt,
     {"'tokenizer.ggml.bos_token_id'", "-2 found"}},
    {"BosAskedForButMissing",
     {},
     [](TestWriter& w) { w.add("tokenizer.ggml.add_bos_token", true); },
     kCorrupt,
     {"'tokenizer.ggml.add_bos_token'", "'tokenizer.ggml.bos_token_id' is missing"}},
    {"AddBosIsNoBool",
     {},
     [](TestWriter& w) { w.add("tokenizer.ggml.add_bos_token", std::uint8_t{1}); },
     kCorrupt,
     {"'tokenizer.ggml.add_bos_token'", "uint8 found, a bool expected"}},
};

INSTANTIATE_TEST_SUITE_P(Fields, WrongVocabularyTest, ::testing::ValuesIn(kWrong),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace hangar::gguf
