// A file made by the `gguf` Python package (tools/make_gguf_golden.py), read back.
#include "formats/gguf/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/gguf/test_writer.h"
#include "quant/dequantize.h"

namespace hangar::gguf {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Pair;

class TinyLlamaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened =
        open_checkpoint(std::string(HANGAR_SOURCE_DIR) + "/tests/data/gguf/tiny_llama.gguf");
    ASSERT_TRUE(opened) << opened.error().message;
    checkpoint_ = std::move(*opened);
  }
  std::unique_ptr<Checkpoint> checkpoint_;
};

TEST_F(TinyLlamaTest, MetadataOfEveryTypeIsWrittenOut) {
  EXPECT_EQ(checkpoint_->format(), "GGUF v3");
  const auto metadata = checkpoint_->metadata();
  EXPECT_EQ(metadata.front(),
            (std::pair<std::string, std::string>("general.architecture", "llama")));
  EXPECT_THAT(metadata, Contains(Pair("test.uint8", "200")));
  EXPECT_THAT(metadata, Contains(Pair("test.int8", "-100")));
  EXPECT_THAT(metadata, Contains(Pair("test.uint16", "60000")));
  EXPECT_THAT(metadata, Contains(Pair("test.int16", "-30000")));
  EXPECT_THAT(metadata, Contains(Pair("test.uint32", "4000000000")));
  EXPECT_THAT(metadata, Contains(Pair("test.int32", "-2000000000")));
  EXPECT_THAT(metadata, Contains(Pair("test.float32", "0.1")));
  EXPECT_THAT(metadata, Contains(Pair("test.bool", "true")));
  EXPECT_THAT(metadata, Contains(Pair("test.string", "héllo\\n")));
  EXPECT_THAT(metadata, Contains(Pair("test.uint64", "18000000000000000000")));
  EXPECT_THAT(metadata, Contains(Pair("test.int64", "-9000000000000000000")));
  EXPECT_THAT(metadata, Contains(Pair("test.float64", "0.1")));
  EXPECT_THAT(metadata, Contains(Pair("test.array", "int32[3] [1, 2, 3]")));
}

TEST_F(TinyLlamaTest, ConfigTokenizerAndTemplates) {
  const auto config = checkpoint_->config();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->name, "Tiny");
  EXPECT_EQ(config->head_dim, 16);
  EXPECT_EQ(config->vocabulary, 29);
  EXPECT_EQ(config->rope.scaling, RopeScalingKind::kYarn);
  EXPECT_EQ(config->rope.original_context_tokens, 16);
  const auto spec = checkpoint_->tokenizer();
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->tokens.size(), 29U);
  EXPECT_EQ(spec->tokens[27], "abc");
  ASSERT_EQ(spec->merges.size(), 2U);
  EXPECT_EQ(spec->merges[1].text, "abc");
  EXPECT_EQ(spec->merges[1].left_bytes, 2U);
  ASSERT_EQ(spec->single.size(), 2U);
  EXPECT_EQ(spec->single[0].token, spec->bos);
  EXPECT_EQ(spec->kinds[28], TokenKind::kControl);
  EXPECT_EQ(spec->eos, 27);
  const auto templates = checkpoint_->chat_templates();
  ASSERT_EQ(templates.size(), 2U);
  EXPECT_EQ(templates[0].name, "default");
  EXPECT_EQ(templates[1].text, "{{ tools }}");
}

TEST_F(TinyLlamaTest, TensorsAreWhereTheWriterPutThem) {
  const TensorView* norm = checkpoint_->find("output_norm.weight");
  ASSERT_NE(norm, nullptr);
  EXPECT_THAT(norm->shape, ElementsAre(64));
  std::vector<float> values(64);
  dequantize_row(norm->dtype, norm->data.data(), values.data(), 64);
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(values[static_cast<std::size_t>(i)], static_cast<float>(i));

  const TensorView* gate = checkpoint_->find("blk.0.ffn_gate.weight");
  ASSERT_NE(gate, nullptr);
  EXPECT_EQ(gate->dtype, DType::kQ4_1);
  EXPECT_THAT(gate->shape, ElementsAre(96, 64));
  std::vector<float> row(64);
  double squares = 0;
  for (std::size_t r = 0; r < 96; ++r) {
    dequantize_row(gate->dtype, gate->data.data() + r * row_bytes(gate->dtype, 64), row.data(), 64);
    for (const float x : row) squares += static_cast<double>(x) * static_cast<double>(x);
  }
  EXPECT_NEAR(std::sqrt(squares / (96 * 64)), 1.0, 0.05);  // drawn from a normal distribution

  EXPECT_EQ(checkpoint_->find("no.such.tensor"), nullptr);
  EXPECT_EQ(checkpoint_->find("token_embd.weight"), &checkpoint_->tensors()[0]);
  EXPECT_EQ(checkpoint_->files().size(), 1U);
  EXPECT_EQ(checkpoint_->file_bytes(), std::filesystem::file_size(checkpoint_->files()[0]));
}

}  // namespace
}  // namespace hangar::gguf
