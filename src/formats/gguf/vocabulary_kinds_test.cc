// The tokenizers of GGUF files other than byte-level BPE: the spec that stands for the model's own
// tokenizer.json.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "formats/gguf/checkpoint.h"
#include "formats/gguf/test_writer.h"
#include "formats/gguf/vocabulary.h"
#include "text/tokenizer.h"

namespace hangar::gguf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Texts = std::vector<std::string>;
using Kinds = std::vector<std::int32_t>;  // 1 normal, 2 unknown, 3 control, 4 user-defined, 6 byte

TestWriter file_of(const std::string& model, const Texts& tokens, const Kinds& kinds) {
  TestWriter file;
  file.add("tokenizer.ggml.model", model);
  file.add_array("tokenizer.ggml.tokens", tokens);
  file.add_array("tokenizer.ggml.token_type", kinds);
  return file;
}

Result<TokenizerSpec> read(const TestWriter& writer) {
  const std::vector<std::byte> bytes = writer.bytes();
  HANGAR_TRY(const std::unique_ptr<Checkpoint> opened, open_gguf_bytes(bytes, "v.gguf"));
  return opened->tokenizer();
}

std::vector<TokenId> ids(const TestWriter& writer, std::string_view text, bool special = false) {
  Result<TokenizerSpec> spec = read(writer);
  if (!spec) {
    ADD_FAILURE() << spec.error().message;
    return {};
  }
  const auto tokenizer = make_tokenizer(std::move(*spec));
  if (!tokenizer) {
    ADD_FAILURE() << tokenizer.error().message;
    return {};
  }
  return (*tokenizer)->encode(text, {.add_special = special});
}

TestWriter sentencepiece() {
  TestWriter file = file_of(
      "llama", {"<unk>", "<s>", "</s>", "<0x0A>", "\u2581", "a", "b", "ab", "\u2581ab", "<x>"},
      {2, 3, 3, 6, 1, 1, 1, 1, 1, 4});
  file.add_array("tokenizer.ggml.scores",
                 std::vector<float>{0, 0, 0, 0, -1, -2, -3, -0.5F, -0.25F, -1000});
  return file;
}

TEST(VocabularyKindsTest, SentencePiecePutsTheMarkInFront) {
  const auto spec = read(sentencepiece());
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->model, TokenizerModel::kBpe);
  EXPECT_TRUE(spec->byte_fallback && spec->fuse_unknown && spec->merges.empty());
  EXPECT_EQ(spec->scores[7], -0.5);
  EXPECT_EQ(spec->unknown, 0);
  EXPECT_EQ(spec->bos, 1);
  EXPECT_EQ(spec->eos, 2);
  EXPECT_THAT(ids(sentencepiece(), "ab ab"), ElementsAre(8, 8));
  EXPECT_THAT(ids(sentencepiece(), "ab", true), ElementsAre(1, 8));
  EXPECT_THAT(ids(sentencepiece(), "ab\n"), ElementsAre(8, 3));
  EXPECT_THAT(ids(sentencepiece(), "a<x>b"), ElementsAre(4, 5, 9, 4, 6));
  EXPECT_THAT(ids(sentencepiece(), "<unk></s>"), ElementsAre(0, 2));
}

TEST(VocabularyKindsTest, SentencePieceAsTheFileAsks) {
  TestWriter file = sentencepiece();
  file.add("tokenizer.ggml.add_space_prefix", false);
  file.add("tokenizer.ggml.add_bos_token", false).add("tokenizer.ggml.add_eos_token", true);
  EXPECT_THAT(ids(file, "ab ab", true), ElementsAre(7, 8, 2));
  file.add("tokenizer.ggml.remove_extra_whitespaces", true);
  EXPECT_THAT(ids(file, "  ab   ab "), ElementsAre(7, 8));
  EXPECT_THAT(ids(sentencepiece(), "ab  ab"), ElementsAre(8, 4, 8));
}

TEST(VocabularyKindsTest, Gemma4HasMergesAndNoPrefix) {
  TestWriter file =
      file_of("gemma4", {"<pad>", "<eos>", "<bos>", "<unk>", "\u2581", "a", "b", "\u2581a"},
              {3, 3, 3, 3, 1, 1, 1, 1});
  file.add_array("tokenizer.ggml.merges", Texts{"\u2581 a"});
  file.add("tokenizer.ggml.bos_token_id", std::uint32_t{2});
  file.add("tokenizer.ggml.unknown_token_id", std::uint32_t{3});
  EXPECT_THAT(ids(file, "a a b", true), ElementsAre(2, 5, 7, 4, 6));
  EXPECT_THAT(ids(file, "zz"), ElementsAre(3));  // unknown ones in a row are one
}

TestWriter unigram() {
  TestWriter file = file_of("t5", {"<pad>", "</s>", "<unk>", "\u2581", "\u2581a", "b", "\u2581ab"},
                            {3, 3, 2, 1, 1, 1, 1});
  file.add_array("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -2, -3, -4, -5});
  return file;
}

TEST(VocabularyKindsTest, UnigramCutsAtWhiteSpace) {
  const auto spec = read(unigram());
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->model, TokenizerModel::kUnigram);
  EXPECT_EQ(spec->scores[6], -5);
  EXPECT_EQ(spec->unknown, 2);
  EXPECT_EQ(spec->eos, 1);
  EXPECT_THAT(ids(unigram(), " ab \n a  b"), ElementsAre(6, 4, 3, 5));
  EXPECT_THAT(ids(unigram(), "ab", true), ElementsAre(6, 1));
}

TEST(VocabularyKindsTest, UnigramPairs) {
  using Kind = TemplatePiece::Kind;
  const auto shape = [](const std::vector<TemplatePiece>& pieces) {
    std::string out;
    for (const TemplatePiece& piece : pieces) {
      EXPECT_EQ(piece.type_id, 0);
      out += piece.kind == Kind::kSequenceA   ? "A"
             : piece.kind == Kind::kSequenceB ? "B"
                                              : std::to_string(piece.token);
    }
    return out;
  };
  const auto t5 = read(unigram());
  ASSERT_TRUE(t5);
  EXPECT_EQ(shape(t5->pair), "A1B1");
  TestWriter file = unigram();
  file.add("tokenizer.ggml.bos_token_id", std::uint32_t{0})
      .add("tokenizer.ggml.add_bos_token", true);
  const auto roberta = read(file);
  ASSERT_TRUE(roberta);
  EXPECT_EQ(shape(roberta->single), "0A1");
  EXPECT_EQ(shape(roberta->pair), "0A11B1");
}

TestWriter word_piece(const std::string& last = "\u2581c") {
  Texts tokens = {"[PAD]", "[CLS]", "[SEP]", "[UNK]", "\u2581a", "b", "\u2581", last};
  TestWriter file = file_of("bert", tokens, {3, 3, 3, 3, 1, 1, 1, 1});
  file.add("tokenizer.ggml.cls_token_id", std::uint32_t{1});
  file.add("tokenizer.ggml.seperator_token_id", std::uint32_t{2});
  file.add("tokenizer.ggml.unknown_token_id", std::uint32_t{3});
  return file;
}

TEST(VocabularyKindsTest, WordPieceHasItsOwnSpellingBack) {
  const auto spec = read(word_piece());
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->model, TokenizerModel::kWordPiece);
  EXPECT_THAT(spec->tokens,
              ElementsAre("[PAD]", "[CLS]", "[SEP]", "[UNK]", "a", "##b", "##\u2581", "c"));
  EXPECT_THAT(ids(word_piece(), "AB a x", true), ElementsAre(1, 4, 5, 4, 3, 2));
}

TEST(VocabularyKindsTest, AWordInCapitalsMakesAVocabularyCased) {
  EXPECT_THAT(ids(word_piece(), "C"), ElementsAre(7));
  EXPECT_THAT(ids(word_piece("\u2581C"), "C"), ElementsAre(7));
  EXPECT_THAT(ids(word_piece("\u2581C"), "c"), ElementsAre(3));
}

TEST(VocabularyKindsTest, BadScoresAndCharsmapsAreRefused) {
  TestWriter no_scores = file_of("llama", {"<unk>", "<s>", "</s>"}, {2, 3, 3});
  EXPECT_THAT(read(no_scores).error().message, HasSubstr("'tokenizer.ggml.scores': 0 elements"));
  TestWriter few = file_of("t5", {"a", "b"}, {1, 1});
  few.add_array("tokenizer.ggml.scores", std::vector<float>{0});
  EXPECT_THAT(read(few).error().message, HasSubstr("1 elements found, 2 expected"));
  TestWriter odd = file_of("t5", {"a", "b"}, {1, 1});
  odd.add_array("tokenizer.ggml.scores",
                std::vector<float>{0, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_THAT(read(odd).error().message, HasSubstr("the score of token 1"));
  TestWriter charsmap = unigram();
  charsmap.add("tokenizer.ggml.precompiled_charsmap", std::string("x"));
  EXPECT_THAT(read(charsmap).error().message, HasSubstr("an array of bytes expected"));
  TestWriter short_bert = file_of("bert", {"a", "b"}, {1, 1});
  EXPECT_THAT(read(short_bert).error().message, HasSubstr("'tokenizer.ggml.cls_token_id'"));
}

}  // namespace
}  // namespace hangar::gguf
