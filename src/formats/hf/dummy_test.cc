// Models from their config.json alone: what they list, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "formats/checkpoint.h"
#include "formats/hf/test_folder.h"

namespace hangar::hf {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr RandomWeights kNormal = {.kind = RandomWeights::Kind::kNormal, .seed = 7};

std::unique_ptr<Checkpoint> dummy(const fs::path& path, const RandomWeights& random = {}) {
  auto opened = open_dummy(path, random);
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

Error error_of(const fs::path& path) {
  const auto opened = open_dummy(path, {});
  EXPECT_FALSE(opened);
  return opened ? Error{} : opened.error();
}

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

Shapes shapes_of(const Checkpoint& checkpoint) {
  Shapes shapes;
  for (const TensorView& view : checkpoint.tensors()) shapes[view.name] = view.shape;
  return shapes;
}

// The tiny models that transformers wrote, of every architecture.
class DummyOfModelTest : public ::testing::TestWithParam<std::string> {};

TEST_P(DummyOfModelTest, ListsWhatTheModelHas) {
  const auto real = open_checkpoint(model_data(GetParam()));
  ASSERT_TRUE(real) << real.error().message;
  const TestFolder folder;
  fs::copy_file(model_data(GetParam()) / "config.json", folder / "config.json");
  const auto made = dummy(folder.path());
  ASSERT_TRUE(made);
  const Shapes expected = shapes_of(**real);
  const Shapes shapes = shapes_of(*made);
  EXPECT_EQ(shapes.size(), made->tensors().size()) << "a tensor is listed twice";
  for (const auto& [name, shape] : expected) {
    ASSERT_TRUE(shapes.contains(name)) << name;
    EXPECT_EQ(shapes.at(name), shape) << name;
  }
  EXPECT_EQ(shapes.size(), expected.size());
  for (const TensorView& view : made->tensors()) {
    EXPECT_TRUE(view.data.empty()) << view.name;
    EXPECT_EQ(view.dtype, (*real)->find(view.name)->dtype) << view.name;
    EXPECT_EQ(made->find(view.name), &view);
  }
  EXPECT_EQ(made->config()->architecture, (*real)->config()->architecture);
  EXPECT_EQ(made->config()->layers, (*real)->config()->layers);
}

INSTANTIATE_TEST_SUITE_P(Models, DummyOfModelTest,
                         ::testing::Values("gemma", "gemma2", "gemma3", "llama2", "llama3",
                                           "llama_biases", "mistral", "mixtral", "phi3",
                                           "phi3_longrope", "qwen2", "qwen2_windows", "qwen3",
                                           "qwen3moe", "qwen3moe_mixed", "smollm3"),
                         [](const auto& test) { return test.param; });

TEST(DummyTest, SaysThatItIsOne) {
  const TestFolder folder;
  TestModel().write_config(folder);
  const auto made = dummy(folder.path(), kNormal);
  ASSERT_TRUE(made);
  ASSERT_TRUE(made->random_weights());
  EXPECT_EQ(made->random_weights()->kind, RandomWeights::Kind::kNormal);
  EXPECT_EQ(made->random_weights()->seed, 7U);
  EXPECT_EQ(made->format(), "config.json, weights made up (normal)");
  EXPECT_THAT(made->files(), ElementsAre(folder / "config.json"));
  // 2 layers of {8,8} twice, {4,8} twice and {12,8} thrice, two tables of {16,8}; norms of 8.
  const std::uint64_t matrices = 2 * (2 * 64 + 2 * 32 + 3 * 96) + 2 * 128;
  EXPECT_EQ(made->file_bytes(), 2 * matrices + 4 * 5 * 8);
  const auto read = made->read(made->tensors().front());
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->data.empty());
  TestModel().write(folder);
  EXPECT_FALSE(open_checkpoint(folder.path()).value()->random_weights());
}

TEST(DummyTest, WeightsBesideTheConfigAreNotLookedAt) {
  const TestFolder folder;
  TestModel model;
  model.write_config(folder);
  write_file(folder / "model.safetensors", "broken");
  EXPECT_TRUE(dummy(folder.path()));
  EXPECT_TRUE(dummy(folder / "config.json"));
}

TEST(DummyTest, MatricesAreOfTheConfigsType) {
  for (const auto& [key, name, type] : {std::tuple{"torch_dtype", "float16", DType::kF16},
                                        {"dtype", "float32", DType::kF32},
                                        {"dtype", "bfloat16", DType::kBF16},
                                        {"torch_dtype", "auto", DType::kBF16}}) {
    const TestFolder folder;
    TestModel model;
    model.config[key] = name;
    model.write_config(folder);
    const auto made = dummy(folder.path());
    ASSERT_TRUE(made);
    EXPECT_EQ(made->find("output.weight")->dtype, type) << name;
    EXPECT_EQ(made->find("output_norm.weight")->dtype, DType::kF32);
  }
  const TestFolder folder;
  TestModel model;
  model.config["torch_dtype"] = "float8_e4m3fn";
  model.write_config(folder);
  EXPECT_EQ(error_of(folder.path()).code, ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(folder.path()).message, HasSubstr("float8_e4m3fn"));
}

TEST(DummyTest, ATokenizerThatIsNotThereIsStoodInFor) {
  const TestFolder folder;
  TestModel model;
  model.config["vocab_size"] = 300;
  model.config["eos_token_id"] = 2;
  model.write_config(folder);
  const auto made = dummy(folder.path());
  ASSERT_TRUE(made);
  const auto spec = made->tokenizer();
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->tokens.size(), 300U);
  EXPECT_EQ(spec->model_name, "stand-in");
  EXPECT_THAT(spec->end_of_generation, ElementsAre(2));
  ASSERT_EQ(made->chat_templates().size(), 1U);
  EXPECT_EQ(made->chat_templates()[0].name, "default");
}

TEST(DummyTest, ATokenizerThatIsThereIsTaken) {
  const TestFolder folder;
  for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json"}) {
    fs::copy_file(model_data("llama3") / name, folder / name);
  }
  const auto made = dummy(folder.path());
  const auto real = open_checkpoint(model_data("llama3"));
  ASSERT_TRUE(made && real);
  ASSERT_TRUE(made->tokenizer());
  EXPECT_TRUE(made->tokenizer()->tokens == (*real)->tokenizer()->tokens);
  EXPECT_EQ(made->chat_templates().size(), (*real)->chat_templates().size());
}

TEST(DummyTest, RefusesWhatItCannotMakeUp) {
  const TestFolder empty;
  EXPECT_EQ(error_of(empty.path()).code, ErrorCode::kNotFound);
  EXPECT_EQ(error_of(empty / "missing").code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of(empty / "model.gguf").code, ErrorCode::kInvalidArgument);

  const TestFolder quantized;
  TestModel model;
  model.config["quantization_config"] = {{"quant_method", "awq"},
                                         {"bits", 4},
                                         {"group_size", 32},
                                         {"version", "gemm"},
                                         {"zero_point", true}};
  model.write_config(quantized);
  EXPECT_EQ(error_of(quantized.path()).code, ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(quantized.path()).message, HasSubstr("AWQ"));

  const TestFolder many;
  write_file(many / "config.json",
             R"({"model_type": "mixtral", "hidden_size": 8, "intermediate_size": 8, "vocab_size": 8,
                 "num_hidden_layers": 4000, "num_attention_heads": 2, "num_key_value_heads": 2,
                 "num_local_experts": 60000})");
  EXPECT_EQ(error_of(many.path()).code, ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(many.path()).message, HasSubstr("4000 layers of 60000 experts"));
}

}  // namespace
}  // namespace hangar::hf
