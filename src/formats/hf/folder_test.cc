// Whole folders: right ones opened, wrong ones refused with one clear error each.
#include "formats/hf/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "formats/checkpoint.h"
#include "formats/hf/test_folder.h"

namespace hangar::hf {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::unique_ptr<Checkpoint> right(const fs::path& path) {
  auto opened = open_checkpoint(path);
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

Error error_of(const fs::path& path) {
  const auto opened = open_checkpoint(path);
  EXPECT_FALSE(opened);
  return opened ? Error{} : opened.error();
}

std::vector<float> floats(const TensorView& view) {
  std::vector<float> out(view.data.size() / sizeof(float));
  std::memcpy(out.data(), view.data.data(), view.data.size());
  return out;
}

TEST(FolderTest, OpensATinyLlama) {
  const TestFolder folder;
  TestModel model;
  model.write(folder);
  write_file(folder / "README.md", "---\nlicense: mit\n---\n");
  write_file(folder / "generation_config.json", R"({"top_k": 7, "eos_token_id": 2})");
  write_file(folder / "chat_template.jinja", "{{ messages }}");
  const auto checkpoint = right(folder.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->format(), "safetensors");
  const auto config = checkpoint->config();
  ASSERT_TRUE(config);
  EXPECT_EQ(config->architecture, "llama");
  EXPECT_EQ(config->license, "mit");
  EXPECT_EQ(config->name, folder.path().filename().string());
  EXPECT_EQ(checkpoint->tensors().size(), 21U);
  EXPECT_EQ(checkpoint->generation_defaults().top_k, 7);
  EXPECT_THAT(checkpoint->generation_defaults().end_of_generation, ElementsAre(2));
  ASSERT_EQ(checkpoint->chat_templates().size(), 1U);
  EXPECT_EQ(checkpoint->chat_templates()[0].text, "{{ messages }}");
  EXPECT_EQ(checkpoint->file_bytes(), fs::file_size(folder / "model.safetensors"));
  EXPECT_THAT(checkpoint->files(), Contains(folder / "model.safetensors"));
  EXPECT_THAT(checkpoint->files(), Contains(folder / "config.json"));
  EXPECT_THAT(checkpoint->metadata(), Contains(Pair("hidden_size", "8")));
  EXPECT_THAT(checkpoint->metadata(), Contains(Pair("generation.top_k", "7")));
  EXPECT_THAT(checkpoint->metadata(), Contains(Pair("safetensors.format", "pt")));
}

TEST(FolderTest, NamesShapesAndValuesAreTheFiles) {
  const TestFolder folder;
  TestModel model;
  model.write(folder);
  const auto checkpoint = right(folder.path());
  ASSERT_TRUE(checkpoint);
  const std::vector<std::pair<std::string, std::string>> names = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"blk.1.attn_norm.weight", "model.layers.1.input_layernorm.weight"},
      {"blk.1.attn_q.weight", "model.layers.1.self_attn.q_proj.weight"},
      {"blk.1.attn_k.weight", "model.layers.1.self_attn.k_proj.weight"},
      {"blk.1.attn_v.weight", "model.layers.1.self_attn.v_proj.weight"},
      {"blk.1.attn_output.weight", "model.layers.1.self_attn.o_proj.weight"},
      {"blk.1.ffn_norm.weight", "model.layers.1.post_attention_layernorm.weight"},
      {"blk.1.ffn_gate.weight", "model.layers.1.mlp.gate_proj.weight"},
      {"blk.1.ffn_up.weight", "model.layers.1.mlp.up_proj.weight"},
      {"blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"output.weight", "lm_head.weight"}};
  for (const auto& [gguf, hf] : names) {
    const TensorView* view = checkpoint->find(gguf);
    ASSERT_NE(view, nullptr) << gguf;
    EXPECT_EQ(view->dtype, DType::kF32);
    EXPECT_EQ(view->shape, model.tensors[hf].shape) << gguf;
    EXPECT_EQ(floats(*view), model.tensors[hf].values) << gguf;
    const auto read = checkpoint->read(*view);
    ASSERT_TRUE(read);
    EXPECT_EQ(floats(*read), model.tensors[hf].values) << gguf;
  }
  EXPECT_EQ(checkpoint->find("model.norm.weight"), nullptr);
}

TEST(FolderTest, ShardsAreOneModel) {
  const TestFolder whole;
  const TestFolder sharded;
  TestModel model;
  model.write(whole);
  model.write_shards(sharded, 3);
  const auto a = right(whole.path());
  const auto b = right(sharded.path());
  ASSERT_TRUE(a && b);
  ASSERT_EQ(a->tensors().size(), b->tensors().size());
  for (const TensorView& view : a->tensors()) {
    const TensorView* other = b->find(view.name);
    ASSERT_NE(other, nullptr) << view.name;
    EXPECT_EQ(floats(view), floats(*other)) << view.name;
  }
  EXPECT_EQ(b->files().size(), 4U);
}

TEST(FolderTest, AFileTakesTheConfigBesideIt) {
  const TestFolder folder;
  TestModel().write(folder);
  const auto checkpoint = right(folder / "model.safetensors");
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->config()->layers, 2);
  fs::remove(folder / "config.json");
  EXPECT_THAT(error_of(folder / "model.safetensors").message,
              HasSubstr("config.json, which says what they mean, is expected beside it"));
  EXPECT_THAT(error_of(folder.path()).message, HasSubstr("config.json is missing"));
}

TEST(FolderTest, AShardIsNoModel) {
  const TestFolder folder;
  TestModel().write_shards(folder, 2);
  const Error error = error_of(folder / TestModel::shard_name(1, 2));
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("open its folder instead"));
}

TEST(FolderTest, AnyNameWillDoForTheOnlyFile) {
  const TestFolder folder;
  TestModel model;
  model.write_config(folder);
  write_file(folder / "gptq_model-4bit.safetensors", model.writer().bytes());
  EXPECT_TRUE(right(folder.path()));
}

TEST(FolderTest, AHubCacheOpens) {
  const TestFolder folder;
  TestModel model;
  const fs::path repository = folder / "models--org--Tiny-Llama";
  write_file(repository / "blobs/1", boost::json::serialize(model.config));
  write_file(repository / "blobs/2", model.writer().bytes());
  fs::create_directories(repository / "snapshots/abc");
  fs::create_symlink("../../blobs/1", repository / "snapshots/abc/config.json");
  fs::create_symlink("../../blobs/2", repository / "snapshots/abc/model.safetensors");
  const auto checkpoint = right(repository / "snapshots/abc");
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->config()->name, "Tiny-Llama");
}

TEST(FolderTest, TiedEmbeddingsNeedNoHead) {
  const TestFolder folder;
  TestModel model;
  model.config["tie_word_embeddings"] = true;
  model.write(folder);
  auto checkpoint = right(folder.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->find("output.weight"), nullptr);
  model.tensors.erase("lm_head.weight");
  model.write(folder);
  EXPECT_TRUE(right(folder.path()));
}

TEST(FolderTest, BiasesComeByTheConfig) {
  const TestFolder folder;
  TestModel model;
  for (int i = 0; i < 2; ++i) {
    const std::string attention = "model.layers." + std::to_string(i) + ".self_attn.";
    model.add(attention + "q_proj.bias", {8});
    model.add(attention + "k_proj.bias", {4});
    model.add(attention + "v_proj.bias", {4});
  }
  model.write(folder);
  auto checkpoint = right(folder.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->find("blk.0.attn_q.bias"), nullptr);
  model.config["model_type"] = "qwen2";
  model.write(folder);
  checkpoint = right(folder.path());
  ASSERT_TRUE(checkpoint);
  ASSERT_NE(checkpoint->find("blk.0.attn_q.bias"), nullptr);
  EXPECT_EQ(checkpoint->find("blk.1.attn_k.bias")->elements(), 4);
  model.tensors.erase("model.layers.1.self_attn.v_proj.bias");
  model.write(folder);
  EXPECT_THAT(error_of(folder.path()).message,
              HasSubstr("'model.layers.1.self_attn.v_proj.bias' is missing"));
}

TEST(FolderTest, TensorsNobodyNeedsDoNoHarm) {
  const TestFolder folder;
  TestModel model;
  model.add("model.layers.0.self_attn.rotary_emb.inv_freq", {2});
  model.add("something.else", {3});
  model.write(folder);
  const auto checkpoint = right(folder.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->tensors().size(), 21U);
}

// The layers of a multimodal model, in both spellings, and of a model saved without its head.
TEST(FolderTest, OtherPlacesOfTheLayers) {
  for (const std::string place : {"model.language_model.", "language_model.model.", ""}) {
    const TestFolder folder;
    TestModel model;
    TestModel moved;
    moved.tensors.clear();
    for (const auto& [name, tensor] : model.tensors) {
      const bool head = name == "lm_head.weight";
      const bool old = place == "language_model.model.";
      moved.tensors[head ? (old ? "language_model." : "") + name : place + name.substr(6)] = tensor;
    }
    moved.write(folder);
    const auto checkpoint = right(folder.path());
    ASSERT_TRUE(checkpoint) << place;
    EXPECT_EQ(checkpoint->tensors().size(), 21U);
  }
}

TEST(FolderTest, NumbersAtOddPlacesAreReadAligned) {
  const TestFolder folder;
  TestModel model;
  model.write_config(folder);
  SafetensorsWriter writer = model.writer();
  std::string file = writer.bytes();
  // One more space in the header moves all the data by one byte.
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  file.insert(8 + length, " ");
  file.replace(0, 8, length_bytes(length + 1));
  write_file(folder / "model.safetensors", file);
  const auto checkpoint = right(folder.path());
  ASSERT_TRUE(checkpoint);
  const TensorView* view = checkpoint->find("blk.0.attn_q.weight");
  ASSERT_NE(view, nullptr);
  EXPECT_NE(reinterpret_cast<std::uintptr_t>(view->data.data()) % 4, 0U);
  const auto read = checkpoint->read(*view);
  ASSERT_TRUE(read);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(read->data.data()) % 4, 0U);
  EXPECT_EQ(floats(*read), model.tensors["model.layers.0.self_attn.q_proj.weight"].values);
}

TEST(FolderTest, ATokenizerAloneIsAVocabulary) {
  const TestFolder folder;
  fs::copy_file(model_data("llama3") / "tokenizer.json", folder / "tokenizer.json");
  const auto checkpoint = right(folder.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_TRUE(checkpoint->tensors().empty());
  EXPECT_EQ(checkpoint->config().error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(checkpoint->tokenizer());
}

class TokenizerFitTest : public ::testing::Test {
 protected:
  // A model of so many tokens whose tokenizer has 4, the last of them added or not.
  Result<TokenizerSpec> tokenizer(std::int64_t vocabulary, bool added) {
    TestModel model;
    model.config["vocab_size"] = vocabulary;
    model.add("model.embed_tokens.weight", {vocabulary, 8});
    model.add("lm_head.weight", {vocabulary, 8});
    model.write(folder_);
    const std::string token = R"({"id": 3, "content": "<x>", "special": true, "lstrip": false,
        "rstrip": false, "single_word": false, "normalized": false})";
    write_file(folder_ / "tokenizer.json",
               fmt::format(R"({{"version": "1.0", "added_tokens": [{}], "model": {{"type": "BPE",
                   "vocab": {{"a": 0, "b": 1, "ab": 2{}}}, "merges": ["a b"]}}}})",
                           added ? token : "", added ? "" : R"(, "c": 3)"));
    const auto checkpoint = right(folder_.path());
    return checkpoint ? checkpoint->tokenizer() : Result<TokenizerSpec>();
  }
  TestFolder folder_;
};

TEST_F(TokenizerFitTest, AddedTokensWithoutAnEmbeddingAreLeftOut) {
  EXPECT_EQ(tokenizer(4, true)->added.size(), 1U);
  const auto spec = tokenizer(3, true);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->tokens.size(), 3U);
  EXPECT_TRUE(spec->added.empty());
}

TEST_F(TokenizerFitTest, ALargerVocabularyDoesNotFit) {
  EXPECT_TRUE(tokenizer(4, false));
  const auto spec = tokenizer(3, false);
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(spec.error().message, HasSubstr("'vocab_size' is 3"));
}

TEST(FolderTest, EndsOfGenerationReachTheTokenizer) {
  const TestFolder folder;
  TestModel model;
  model.config["vocab_size"] = 600;
  model.add("model.embed_tokens.weight", {600, 8});
  model.add("lm_head.weight", {600, 8});
  model.config["eos_token_id"] = boost::json::array{3, 5};
  model.write(folder);
  fs::copy_file(model_data("llama3") / "tokenizer.json", folder / "tokenizer.json");
  const auto checkpoint = right(folder.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_THAT(checkpoint->generation_defaults().end_of_generation, ElementsAre(3, 5));
  const auto spec = checkpoint->tokenizer();
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_THAT(spec->end_of_generation, Contains(3));
  EXPECT_THAT(spec->end_of_generation, Contains(5));
}

}  // namespace
}  // namespace hangar::hf
