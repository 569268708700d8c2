#include "hub/file_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<HubFile> repo(const std::vector<std::string>& paths) {
  std::vector<HubFile> files;
  for (const std::string& path : paths) files.push_back({path, 1'000'000, "", "x"});
  return files;
}

Result<std::vector<std::string>> chosen(const std::vector<std::string>& paths,
                                        const std::string& name,
                                        std::vector<std::string> include = {},
                                        std::vector<std::string> exclude = {}) {
  HANGAR_TRY(const HubName parsed, parse_hub_name(name));
  HANGAR_TRY(const Selection selection,
             select_files(repo(paths), {parsed, std::move(include), std::move(exclude)}));
  std::vector<std::string> out;
  for (const HubFile& file : selection.files) out.push_back(file.path);
  return out;
}

TEST(Selection, ASafetensorsRepositoryWithoutItsCopies) {
  const std::vector<std::string> paths = {".gitattributes",
                                          "LICENSE",
                                          "README.md",
                                          "config.json",
                                          "logo.png",
                                          "model-00001-of-00002.safetensors",
                                          "flax_model.msgpack",
                                          "model-00002-of-00002.safetensors",
                                          "merges.txt",
                                          "model.safetensors.index.json",
                                          "tokenizer.json",
                                          "tokenizer.model",
                                          "tf_model.h5",
                                          "consolidated.safetensors",
                                          "pytorch_model.bin",
                                          "model.fp16.safetensors",
                                          "onnx/model.onnx",
                                          "onnx/config.json",
                                          "chat_template.jinja",
                                          "1_Pooling/config.json",
                                          "original/params.json"};
  const auto got = chosen(paths, "hf:o/n");
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_THAT(*got,
              ElementsAre("1_Pooling/config.json", "LICENSE", "README.md", "chat_template.jinja",
                          "config.json", "merges.txt", "model-00001-of-00002.safetensors",
                          "model-00002-of-00002.safetensors", "model.safetensors.index.json",
                          "tokenizer.json", "tokenizer.model"));
}

TEST(Selection, OtherNamesOfWeightsAreTakenWhereThereIsNoPlainOne) {
  const auto got = chosen({"adapter_config.json", "adapter_model.safetensors"}, "hf:o/n");
  ASSERT_TRUE(got.has_value());
  EXPECT_THAT(*got, ElementsAre("adapter_config.json", "adapter_model.safetensors"));
}

TEST(Selection, APartThatIsMissingIsSaidBeforehand) {
  const auto got = chosen(
      {"config.json", "model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"},
      "hf:o/n");
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(got.error().message, HasSubstr("lacks model-00002-of-00003.safetensors"));
}

TEST(Selection, PicklesAndStrangersAreRefusedWithTheReason) {
  const auto pickles = chosen({"config.json", "pytorch_model.bin"}, "hf:o/n");
  EXPECT_EQ(pickles.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(pickles.error().message, HasSubstr("run the code inside"));
  EXPECT_THAT(pickles.error().message, HasSubstr("safetensors"));
  const auto onnx = chosen({"model.onnx"}, "hf:o/n");
  EXPECT_EQ(onnx.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(onnx.error().message, HasSubstr("model.onnx"));
  EXPECT_EQ(chosen({"README.md"}, "hf:o/n").error().code, ErrorCode::kNotFound);
  const auto asked = chosen({"a.bin", "b.json"}, "hf:o/n", {"*"});
  EXPECT_EQ(asked.error().code, ErrorCode::kUnsupported);
}

const std::vector<std::string> kGgufRepo = {"M-Q4_K_M.gguf",
                                            "M-Q8_0.gguf",
                                            "M-UD-Q4_K_XL.gguf",
                                            "BF16/M-BF16-00001-of-00002.gguf",
                                            "BF16/M-BF16-00002-of-00002.gguf",
                                            "mmproj-M-F16.gguf",
                                            "LICENSE",
                                            "config.json"};

TEST(Selection, AQuantizationMustBeNamed) {
  const auto none = chosen(kGgufRepo, "hf:o/n");
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(none.error().message, HasSubstr("1.0 MB  M-Q4_K_M.gguf"));
  EXPECT_THAT(none.error().message, HasSubstr("2.0 MB  BF16/M-BF16-00001-of-00002.gguf"));
  EXPECT_THAT(none.error().message, ::testing::Not(HasSubstr("mmproj")));
  const auto wrong = chosen(kGgufRepo, "hf:o/n:Q3_K_S");
  EXPECT_EQ(wrong.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(wrong.error().message, HasSubstr("M-Q8_0.gguf"));

  EXPECT_THAT(*chosen(kGgufRepo, "hf:o/n:q4_k_m"), ElementsAre("LICENSE", "M-Q4_K_M.gguf"));
  EXPECT_THAT(*chosen(kGgufRepo, "hf:o/n:UD-Q4_K_XL"), ElementsAre("LICENSE", "M-UD-Q4_K_XL.gguf"));
  EXPECT_THAT(
      *chosen(kGgufRepo, "hf:o/n:BF16"),
      ElementsAre("BF16/M-BF16-00001-of-00002.gguf", "BF16/M-BF16-00002-of-00002.gguf", "LICENSE"));
  EXPECT_THAT(
      *chosen(kGgufRepo, "hf:o/n/BF16/M-BF16-00002-of-00002.gguf"),
      ElementsAre("BF16/M-BF16-00001-of-00002.gguf", "BF16/M-BF16-00002-of-00002.gguf", "LICENSE"));
  EXPECT_EQ(chosen(kGgufRepo, "hf:o/n/M-Q2_K.gguf").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(*chosen({"only.gguf"}, "hf:o/n"), ElementsAre("only.gguf"));
}

TEST(Selection, WhatToOpenAndWhatTellsThemApart) {
  const auto name = parse_hub_name("hf:o/n:BF16");
  const auto selection = select_files(repo(kGgufRepo), {*name, {}, {}});
  ASSERT_TRUE(selection.has_value());
  EXPECT_EQ(selection->model_file, "BF16/M-BF16-00001-of-00002.gguf");
  EXPECT_EQ(selection->variant, "BF16/M-BF16");
}

TEST(Selection, GlobsNarrowAndWiden) {
  const std::vector<std::string> paths = {"a.json", "model.safetensors", "x/y.safetensors",
                                          "z.txt"};
  EXPECT_THAT(*chosen(paths, "hf:o/n", {"x/*", "*.txt"}), ElementsAre("x/y.safetensors", "z.txt"));
  EXPECT_THAT(*chosen(paths, "hf:o/n", {}, {"*.txt"}), ElementsAre("a.json", "model.safetensors"));
  EXPECT_EQ(chosen(paths, "hf:o/n", {"*.none"}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(chosen(kGgufRepo, "hf:o/n:Q8_0", {}, {"*.gguf"}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(chosen(kGgufRepo, "hf:o/n:Q8_0", {"*"}).error().code, ErrorCode::kInvalidArgument);
}

TEST(Selection, AFileThatIsAFolderTooIsRefused) {
  EXPECT_EQ(chosen({"a.json", "a.json/b.json"}, "hf:o/n", {"*"}).error().code, ErrorCode::kCorrupt);
}

TEST(Quantization, IsTheEndOfTheNameOrTheFolder) {
  EXPECT_TRUE(is_quantization_of("d/M-Q4_K_M-00001-of-00002.gguf", "q4_k_m"));
  EXPECT_TRUE(is_quantization_of("M.Q4_0.gguf", "Q4_0"));
  EXPECT_TRUE(is_quantization_of("Q4_K_M/model.gguf", "Q4_K_M"));
  EXPECT_FALSE(is_quantization_of("M-IQ4_0.gguf", "Q4_0"));
  EXPECT_FALSE(is_quantization_of("M-Q4_K_M.gguf", "Q4_K"));
}

}  // namespace
}  // namespace hangar::hub
