#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "formats/checkpoint.h"
#include "formats/gguf/test_writer.h"

namespace hangar {
namespace {

using testing::HasSubstr;

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

class StrangerTest : public testing::TestWithParam<Stranger> {};

TEST_P(StrangerTest, IsRefusedByWhatItIs) {
  const gguf::TestFolder folder;
  const std::filesystem::path path = folder / "model.gguf";
  std::ofstream(path, std::ios::binary) << GetParam().content;
  const Error error = error_of(path);
  EXPECT_EQ(error.code, GetParam().code) << error.message;
  EXPECT_THAT(error.message, HasSubstr(path.string()));
  EXPECT_THAT(error.message, HasSubstr(GetParam().words));
}

const std::string kSafetensors = std::string("\x10\0\0\0\0\0\0\0", 8) + R"({"a":{"b":"c"}} )";

INSTANTIATE_TEST_SUITE_P(
    Files, StrangerTest,
    testing::Values(Stranger{"Empty", "", ErrorCode::kCorrupt, "empty (0 bytes)"},
                    Stranger{"CutInMagic", "GG", ErrorCode::kCorrupt, "cut short: 2 bytes"},
                    Stranger{"MagicOnly", "GGUF", ErrorCode::kCorrupt, "version at byte 4"},
                    Stranger{"Zip", "PK\x03\x04rest", ErrorCode::kUnsupported, "PyTorch"},
                    Stranger{"Pickle", "\x80\x02}q", ErrorCode::kUnsupported, "pickle"},
                    Stranger{"Safetensors", kSafetensors, ErrorCode::kUnsupported, "safetensors"},
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

TEST(OpenTest, FoldersSayWhatToDo) {
  const gguf::TestFolder folder;
  EXPECT_EQ(error_of(folder.path()).code, ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(folder.path()).message, HasSubstr("without a .gguf file"));
  std::ofstream(folder / "b.gguf") << "x";
  std::ofstream(folder / "a.gguf") << "x";
  EXPECT_THAT(error_of(folder.path()).message, HasSubstr("give one file of it: a.gguf, b.gguf"));
  std::ofstream(folder / "config.json") << "{}";
  EXPECT_EQ(error_of(folder.path()).code, ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(folder.path()).message,
              HasSubstr("Hugging Face folders are not supported yet"));
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
