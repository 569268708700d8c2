// Folders that contradict themselves, or that are not read: one clear error each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/checkpoint.h"
#include "formats/hf/test_folder.h"

namespace hangar::hf {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

Error error_of(const fs::path& path) {
  const auto opened = open_checkpoint(path);
  EXPECT_FALSE(opened);
  return opened ? Error{} : opened.error();
}

void expect_error(const fs::path& path, ErrorCode code, std::string_view words) {
  const Error error = error_of(path);
  EXPECT_EQ(error.code, code) << error.message;
  EXPECT_THAT(error.message, HasSubstr(std::string(words)));
}

TEST(FolderRefusalsTest, AMissingShard) {
  const TestFolder folder;
  TestModel().write_shards(folder, 3);
  fs::remove(folder / TestModel::shard_name(1, 3));
  expect_error(folder.path(), ErrorCode::kNotFound, "shard 'model-00002-of-00003.safetensors'");
}

TEST(FolderRefusalsTest, AnIndexNamingAMissingTensor) {
  const TestFolder folder;
  auto index = TestModel().write_shards(folder, 2);
  index["weight_map"].as_object()["model.layers.9.x"] = TestModel::shard_name(0, 2);
  TestModel::write_index(folder, index);
  expect_error(folder.path(), ErrorCode::kCorrupt,
               "tensor 'model.layers.9.x' should be in model-00001-of-00002.safetensors");
}

TEST(FolderRefusalsTest, ATensorInTheWrongShard) {
  const TestFolder folder;
  auto index = TestModel().write_shards(folder, 2);
  auto& map = index["weight_map"].as_object();
  const bool first = map["lm_head.weight"].as_string() == TestModel::shard_name(0, 2).c_str();
  map["lm_head.weight"] = TestModel::shard_name(first ? 1 : 0, 2);
  TestModel::write_index(folder, index);
  expect_error(folder.path(), ErrorCode::kCorrupt, "tensor 'lm_head.weight' should be in");
}

TEST(FolderRefusalsTest, ATensorInTwoShards) {
  const TestFolder folder;
  TestModel model;
  model.write_shards(folder, 2);
  write_file(folder / TestModel::shard_name(1, 2), model.writer().bytes());
  expect_error(folder.path(), ErrorCode::kCorrupt, "model-00001-of-00002.safetensors too");
}

TEST(FolderRefusalsTest, ShardNamesThatLeadOut) {
  const TestFolder folder;
  write_file(folder / "outside.safetensors", TestModel().writer().bytes());
  for (const std::string& name :
       {std::string("../outside.safetensors"), (folder / "outside.safetensors").string()}) {
    write_file(folder / "m/config.json", boost::json::serialize(TestModel().config));
    write_file(folder / "m/model.safetensors.index.json",
               boost::json::serialize(boost::json::object{{"weight_map", {{"t", name}}}}));
    expect_error(folder / "m", ErrorCode::kCorrupt, "leads out of the folder");
  }
}

TEST(FolderRefusalsTest, SymlinksOutOfTheFolder) {
  const TestFolder folder;
  write_file(folder / "outside.safetensors", TestModel().writer().bytes());
  write_file(folder / "m/config.json", boost::json::serialize(TestModel().config));
  fs::create_symlink("../outside.safetensors", folder / "m/model.safetensors");
  expect_error(folder / "m", ErrorCode::kCorrupt, "is a symlink out of its folder");
}

TEST(FolderRefusalsTest, BrokenIndexes) {
  const TestFolder folder;
  TestModel().write_config(folder);
  const auto write = [&](std::string_view text) {
    write_file(folder / "model.safetensors.index.json", text);
  };
  write("{");
  expect_error(folder.path(), ErrorCode::kCorrupt, "model.safetensors.index.json: not JSON");
  write("{}");
  expect_error(folder.path(), ErrorCode::kCorrupt, "'weight_map' is missing");
  write(R"({"weight_map": {"t": 3}})");
  expect_error(folder.path(), ErrorCode::kCorrupt, "'t' is not mapped to a file name");
  write(R"({"weight_map": {"t": "a.safetensors", "t": "b.safetensors"}})");
  expect_error(folder.path(), ErrorCode::kCorrupt, "key 't' is there twice");
}

TEST(FolderRefusalsTest, AShardWithoutItsIndex) {
  const TestFolder folder;
  TestModel().write_shards(folder, 2);
  fs::remove(folder / "model.safetensors.index.json");
  expect_error(folder.path(), ErrorCode::kNotFound, "model.safetensors.index.json is missing");
  fs::remove(folder / TestModel::shard_name(0, 2));
  expect_error(folder.path(), ErrorCode::kNotFound, "model.safetensors.index.json is missing");
}

TEST(FolderRefusalsTest, ShapesThatDoNotMatchTheConfig) {
  struct Case {
    std::string name;
    std::vector<std::int64_t> shape;
    std::string words;
  };
  for (const Case& test : std::vector<Case>{
           {"model.embed_tokens.weight", {15, 8}, "shape {15, 8} found, {16, 8} expected"},
           {"model.layers.1.self_attn.k_proj.weight", {8, 8}, "{8, 8} found, {4, 8} expected"},
           {"model.layers.0.mlp.down_proj.weight", {12, 8}, "{12, 8} found, {8, 12} expected"},
           {"model.layers.0.mlp.up_proj.weight", {96}, "{96} found, {12, 8} expected"},
           {"model.norm.weight", {1, 8}, "{1, 8} found, {8} expected"},
           {"lm_head.weight", {0, 8}, "{0, 8} found, {16, 8} expected"}}) {
    const TestFolder folder;
    TestModel model;
    model.add(test.name, test.shape);
    model.write(folder);
    const Error error = error_of(folder.path());
    EXPECT_EQ(error.code, ErrorCode::kCorrupt);
    EXPECT_THAT(error.message, AllOf(HasSubstr("'" + test.name + "'"), HasSubstr(test.words)));
  }
}

TEST(FolderRefusalsTest, EveryTensorIsNeeded) {
  const TestModel whole;
  for (const auto& [name, tensor] : whole.tensors) {
    const TestFolder folder;
    TestModel model;
    model.tensors.erase(name);
    model.write(folder);
    expect_error(folder.path(), ErrorCode::kCorrupt, "tensor '" + name + "' is missing");
  }
}

TEST(FolderRefusalsTest, TypesThatAreNoWeights) {
  for (const std::string type : {"F64", "I32", "U8", "F8_E4M3", "F8_E5M2"}) {
    const std::size_t bytes = type == "F64" ? 8 : type == "I32" ? 4 : 1;
    for (const std::string name : {"lm_head.weight", "model.norm.weight"}) {
      const TestFolder folder;
      TestModel model;
      model.write_config(folder);
      const std::vector<std::int64_t> shape = model.tensors[name].shape;
      const std::size_t elements = model.tensors[name].values.size();
      model.tensors.erase(name);
      write_file(
          folder / "model.safetensors",
          model.writer().add(name, type, shape, std::string(elements * bytes, '\0')).bytes());
      expect_error(folder.path(), ErrorCode::kUnsupported,
                   "'" + name + "': weights of type " + type + " are not supported");
    }
  }
}

TEST(FolderRefusalsTest, AnUnknownArchitecture) {
  const TestFolder folder;
  TestModel model;
  model.config["model_type"] = "lama";
  model.write(folder);
  const Error error = error_of(folder.path());
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("'lama' is not supported"), HasSubstr("the nearest that is: 'llama'"),
                    HasSubstr("docs/adding_an_architecture.md")));
}

TEST(FolderRefusalsTest, AnUnknownQuantization) {
  const TestFolder folder;
  TestModel model;
  model.config["quantization_config"] = {{"quant_method", "bitsandbytes"}, {"load_in_4bit", true}};
  model.write(folder);
  const Error error = error_of(folder.path());
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("config.json"));
}

TEST(FolderRefusalsTest, AnUnknownQuantizationInAFileOfItsOwn) {
  const TestFolder folder;
  TestModel().write(folder);
  write_file(folder / "quant_config.json", R"({"load_in_4bit": true})");
  const Error error = error_of(folder.path());
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("quant_config.json"));
  write_file(folder / "quant_config.json", "{");
  EXPECT_EQ(error_of(folder.path()).code, ErrorCode::kCorrupt);
}

TEST(FolderRefusalsTest, BrokenSmallFiles) {
  const TestFolder folder;
  TestModel().write(folder);
  write_file(folder / "generation_config.json", R"({"top_k": "x"})");
  expect_error(folder.path(), ErrorCode::kCorrupt, "generation_config.json: 'top_k'");
  fs::remove(folder / "generation_config.json");
  write_file(folder / "tokenizer_config.json", "nonsense");
  expect_error(folder.path(), ErrorCode::kCorrupt, "tokenizer_config.json: not JSON");
}

TEST(FolderRefusalsTest, WeightsInOtherFormats) {
  struct Case {
    std::string file;
    std::string words;
  };
  for (const Case& test :
       std::vector<Case>{{"pytorch_model.bin", "it has code inside that loading it would run"},
                         {"pytorch_model-00001-of-00002.bin", "convert it to safetensors"},
                         {"model.pth", "convert it to safetensors"},
                         {"model.pt", "PyTorch checkpoint (pickle)"},
                         {"tf_model.h5", "HDF5"},
                         {"flax_model.msgpack", "Flax (msgpack)"},
                         {"model.onnx", "ONNX"},
                         {"adapter_config.json", "adapter (LoRA)"},
                         {"consolidated.safetensors", "the authors' own layout"}}) {
    const TestFolder folder;
    TestModel().write_config(folder);
    write_file(folder / test.file, "x");
    const Error error = error_of(folder.path());
    EXPECT_EQ(error.code, ErrorCode::kUnsupported) << test.file << error.message;
    EXPECT_THAT(error.message, HasSubstr(test.words)) << test.file;
  }
}

TEST(FolderRefusalsTest, NoWeightsAtAll) {
  const TestFolder folder;
  TestModel().write_config(folder);
  expect_error(folder.path(), ErrorCode::kNotFound, "has no weights");
}

TEST(FolderRefusalsTest, APointerInPlaceOfTheWeights) {
  const TestFolder folder;
  TestModel().write_config(folder);
  write_file(folder / "model.safetensors", "version https://git-lfs.github.com/spec/v1\noid x");
  expect_error(folder.path(), ErrorCode::kCorrupt, "git lfs pull");
}

}  // namespace
}  // namespace hangar::hf
