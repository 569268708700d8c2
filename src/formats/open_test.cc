#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "formats/checkpoint.h"
#include "formats/gguf/test_writer.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;

Error error_of(const std::filesystem::path& path) {
  const auto opened = open_checkpoint(path);
  EXPECT_FALSE(opened);
  return opened ? Error{} : opened.error();
}

struct Stranger {
  std::string name;
  std::string content;
  ErrorCode code;
  std::string words;
};

void PrintTo(const Stranger& stranger, std::ostream* out) {
  *out << stranger.name;
}

class StrangerTest : public ::testing::TestWithParam<Stranger> {};

TEST_P(StrangerTest, IsRefusedByWhatItIs) {
  const gguf::TestFolder folder;
  const std::filesystem::path path = folder / "model.gguf";
  std::ofstream(path, std::ios::binary) << GetParam().content;
  const Error error = error_of(path);
  EXPECT_EQ(error.code, GetParam().code) << error.message;
  EXPECT_THAT(error.message, HasSubstr(path.string()));
  EXPECT_THAT(error.message, HasSubstr(GetParam().words));
}

const std::string kSafetensors = std::string("\x14\0\0\0\0\0\0\0", 8) + R"({"a":{"dtype":"X"}} )";

INSTANTIATE_TEST_SUITE_P(
    Files, StrangerTest,
    ::testing::Values(
        Stranger{"Empty", "", ErrorCode::kCorrupt, "empty (0 bytes)"},
        Stranger{"CutInMagic", "GG", ErrorCode::kCorrupt, "cut short: 2 bytes"},
        Stranger{"MagicOnly", "GGUF", ErrorCode::kCorrupt, "version at byte 4"},
        Stranger{"Zip", "PK\x03\x04rest", ErrorCode::kUnsupported, "PyTorch"},
        Stranger{"Pickle", "\x80\x02}q", ErrorCode::kUnsupported,
                 "code inside that loading it would run"},
        Stranger{"Pickle4", "\x80\x04\x95", ErrorCode::kUnsupported, "convert it to safetensors"},
        Stranger{"Hdf5", "\x89HDF\r\n", ErrorCode::kUnsupported, "HDF5"},
        Stranger{"Safetensors", kSafetensors, ErrorCode::kUnsupported, "dtype 'X' is not known"},
        Stranger{"OldGgml", "tjgg\x03", ErrorCode::kUnsupported, "before GGUF"},
        Stranger{"LfsPointer", "version https://git-lfs.github.com/spec/v1\noid",
                 ErrorCode::kCorrupt, "git lfs pull"},
        Stranger{"WebPage", "<!DOCTYPE html>", ErrorCode::kCorrupt, "web page"},
        Stranger{"Text", "hello\x1b[1m", ErrorCode::kUnsupported, "starts with 'hell'"},
        Stranger{"OneByte", "x", ErrorCode::kUnsupported, "starts with 'x'"}),
    [](const auto& test) { return test.param.name; });

TEST(OpenTest, AMissingFile) {
  const Error error = error_of("/no/such/model.gguf");
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.message, HasSubstr("/no/such/model.gguf"));
}

TEST(OpenTest, FilesWithoutAMagicAreToldByTheirEnding) {
  const gguf::TestFolder folder;
  for (const auto& [name, words] : {std::pair{"flax_model.msgpack", "Flax (msgpack)"},
                                    {"model.onnx", "ONNX"},
                                    {"pytorch_model.bin", "PyTorch checkpoint (pickle)"},
                                    {"model.pth", "pickle"},
                                    {"config.json", "give the folder it lies in"}}) {
    std::ofstream(folder / name) << "\x08\x07";
    const Error error = error_of(folder / name);
    EXPECT_EQ(error.code, ErrorCode::kUnsupported);
    EXPECT_THAT(error.message, HasSubstr(words));
  }
}

gguf::TestWriter small_model() {
  gguf::TestWriter writer = gguf::small_llama_metadata();
  writer.tensor("token_embd.weight", 0, {64, 29}, 64 * 29 * 4);
  return writer;
}

TEST(OpenTest, FoldersSayWhatToDo) {
  const gguf::TestFolder folder;
  EXPECT_EQ(error_of(folder.path()).code, ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(folder.path()).message, HasSubstr("is a folder without a model"));
  std::ofstream(folder / "b.gguf") << "x";
  std::ofstream(folder / "a.gguf") << "x";
  EXPECT_THAT(error_of(folder.path()).message, HasSubstr("give one file of it: a.gguf, b.gguf"));
}

TEST(OpenTest, AFolderWithOneGgufIsThatFile) {
  const gguf::TestFolder folder;
  small_model().write(folder / "model.gguf");
  // As published beside GGUF files.
  std::ofstream(folder / "config.json") << R"({"model_type": "llama"})";
  const auto opened = open_checkpoint(folder.path());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ((*opened)->format(), "GGUF v3");
}

TEST(OpenTest, AFolderWithOneSplitModelIsThatModel) {
  const gguf::TestFolder folder;
  for (int part = 0; part < 2; ++part) {
    gguf::TestWriter writer = part == 0 ? gguf::small_llama_metadata() : gguf::TestWriter();
    writer.add("split.no", static_cast<std::uint16_t>(part))
        .add("split.count", std::uint16_t{2})
        .add("split.tensors.count", std::int32_t{1});
    if (part == 1) writer.tensor("token_embd.weight", 0, {64, 29}, 64 * 29 * 4);
    writer.write(folder / fmt::format("m-0000{}-of-00002.gguf", part + 1));
  }
  const auto opened = open_checkpoint(folder.path());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ((*opened)->files().size(), 2U);
  std::ofstream(folder / "n-00001-of-00002.gguf") << "x";
  EXPECT_THAT(error_of(folder.path()).message, HasSubstr("give one file of it"));
}

TEST(OpenTest, TellsGgufByContentNotByName) {
  const gguf::TestFolder folder;
  gguf::small_llama_metadata()
      .tensor("token_embd.weight", 0, {64, 29}, 64 * 29 * 4)
      .write(folder / "weights.bin");
  const auto opened = open_checkpoint(folder / "weights.bin");
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ((*opened)->format(), "GGUF v3");
  EXPECT_EQ((*opened)->tensors().size(), 1U);
}

}  // namespace
}  // namespace hangar
