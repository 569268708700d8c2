// Split models: NAME-00001-of-0000N.gguf.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/checkpoint.h"
#include "formats/gguf/test_writer.h"

namespace hangar::gguf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint32_t kFloat32 = 0;

std::string part_name(int number, int count = 3) {
  return fmt::format("model-{:05}-of-{:05}.gguf", number, count);
}

struct Keys {
  std::uint16_t number;  // counts from 0
  std::uint16_t count = 3;
  std::int32_t tensors = 3;
};

void add_keys(TestWriter& file, const Keys& keys) {
  file.add("split.no", keys.number).add("split.count", keys.count);
  file.add("split.tensors.count", keys.tensors);
}

// A model in three parts: its table, nothing, and two norms.
class SplitTest : public ::testing::Test {
 protected:
  void write_first(const Keys& keys = {.number = 0}) {
    TestWriter file = small_llama_metadata();
    add_keys(file, keys);
    file.tensor_with("token_embd.weight", kFloat32, {64, 29}, std::string(64 * 29 * 4, 'e'));
    file.write(folder_ / part_name(1));
  }
  void write_second(const Keys& keys = {.number = 1}) {
    TestWriter file;
    add_keys(file, keys);
    file.write(folder_ / part_name(2));
  }
  void write_third(const Keys& keys = {.number = 2},
                   const std::string& name = "output_norm.weight") {
    TestWriter file;
    add_keys(file, keys);
    file.tensor_with("blk.0.attn_norm.weight", kFloat32, {64}, std::string(256, 'a'));
    file.tensor_with(name, kFloat32, {64}, std::string(256, 'n'));
    file.write(folder_ / part_name(3));
  }
  void write_all() {
    write_first();
    write_second();
    write_third();
  }
  Error error_of(int number) {
    const auto opened = open_checkpoint(folder_ / part_name(number));
    EXPECT_FALSE(opened);
    return opened ? Error{} : opened.error();
  }

  TestFolder folder_;
};

TEST_F(SplitTest, OpeningTheFirstOpensAll) {
  write_all();
  const auto opened = open_checkpoint(folder_ / part_name(1));
  ASSERT_TRUE(opened) << opened.error().message;
  const Checkpoint& checkpoint = **opened;
  EXPECT_THAT(checkpoint.files(),
              ElementsAre(folder_ / part_name(1), folder_ / part_name(2), folder_ / part_name(3)));
  ASSERT_EQ(checkpoint.tensors().size(), 3U);
  const TensorView* norm = checkpoint.find("output_norm.weight");
  ASSERT_NE(norm, nullptr);
  EXPECT_EQ(norm->data[255], std::byte{'n'});
  const auto config = checkpoint.config();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->vocabulary, 29);
  std::uint64_t bytes = 0;
  for (const auto& path : checkpoint.files()) bytes += std::filesystem::file_size(path);
  EXPECT_EQ(checkpoint.file_bytes(), bytes);
}

TEST_F(SplitTest, AnotherThanTheFirstSaysWhichToOpen) {
  write_all();
  const Error error = error_of(3);
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("part 3 of 3"));
  EXPECT_THAT(error.message, HasSubstr((folder_ / part_name(1)).string()));
}

TEST_F(SplitTest, AMissingPartIsNamed) {
  write_all();
  std::filesystem::remove(folder_ / part_name(2));
  const Error error = error_of(1);
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.message, HasSubstr("part 2 of 3"));
  EXPECT_THAT(error.message, HasSubstr((folder_ / part_name(2)).string()));
}

TEST_F(SplitTest, ARenamedFirstPartSaysWhatItsNameMustBe) {
  write_all();
  std::filesystem::rename(folder_ / part_name(1), folder_ / "other.gguf");
  const auto opened = open_checkpoint(folder_ / "other.gguf");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(opened.error().message, HasSubstr("'-00001-of-00003.gguf'"));
}

TEST_F(SplitTest, PartsOfAnotherModelAreRefused) {
  write_all();
  write_second({.number = 1, .count = 4});
  Error error = error_of(1);
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_THAT(error.message, HasSubstr(part_name(2)));
  EXPECT_THAT(error.message, HasSubstr("part 2 of 4"));
  EXPECT_THAT(error.message, HasSubstr("part 2 of 3"));
  write_second({.number = 2});
  error = error_of(1);
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_THAT(error.message, HasSubstr("part 3 of 3"));
}

TEST_F(SplitTest, TensorsAreCounted) {
  write_first({.number = 0, .tensors = 4});
  write_second({.number = 1, .tensors = 4});
  write_third({.number = 2, .tensors = 4});
  const Error error = error_of(1);
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_THAT(error.message, HasSubstr("'split.tensors.count': 4 found"));
  EXPECT_THAT(error.message, HasSubstr("hold 3 tensors"));
}

TEST_F(SplitTest, ATensorInTwoPartsIsRefused) {
  write_all();
  write_third({.number = 2}, "token_embd.weight");
  const Error error = error_of(1);
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_THAT(error.message, HasSubstr("'token_embd.weight' is in two parts"));
}

TEST_F(SplitTest, ABrokenPartIsRefusedByItsName) {
  write_all();
  std::filesystem::resize_file(folder_ / part_name(3), 300);
  EXPECT_EQ(error_of(1).code, ErrorCode::kCorrupt);
  EXPECT_THAT(error_of(1).message, HasSubstr(part_name(3)));
}

TEST_F(SplitTest, OnePartIsNoSplit) {
  TestWriter file = small_llama_metadata();
  add_keys(file, {.number = 0, .count = 1, .tensors = 1});
  file.tensor("token_embd.weight", kFloat32, {64, 29}, 64 * 29 * 4);
  file.write(folder_ / "whole.gguf");
  const auto opened = open_checkpoint(folder_ / "whole.gguf");
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ((*opened)->tensors().size(), 1U);
}

}  // namespace
}  // namespace hangar::gguf
