#include "base/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace hangar {
namespace {

using ::testing::HasSubstr;

class MappedFileTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(::testing::TempDir()) / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
};

TEST_F(MappedFileTest, HoldsTheBytesAndSurvivesMoving) {
  const auto path = write("mapped", std::string("ab\0c", 4));
  MappedFile first = MappedFile::open(path).value();
  MappedFile second = std::move(first);
  MappedFile third;
  third = std::move(second);
  ASSERT_EQ(third.bytes().size(), 4U);
  EXPECT_EQ(third.bytes()[3], std::byte{'c'});
  EXPECT_EQ(third.path(), path);
}

TEST_F(MappedFileTest, AnEmptyFileHasNoBytes) {
  EXPECT_TRUE(MappedFile::open(write("empty", "")).value().bytes().empty());
}

TEST_F(MappedFileTest, SaysWhatIsWrongWithAPath) {
  const auto missing = MappedFile::open("/no/such/file");
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("/no/such/file"));
  const auto folder = MappedFile::open(::testing::TempDir());
  EXPECT_EQ(folder.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(folder.error().message, HasSubstr("folder"));
  EXPECT_EQ(MappedFile::open("/dev/null").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(MappedFileTest, ReadTextFileKeepsToItsLimit) {
  const auto path = write("text", "hello");
  EXPECT_EQ(read_text_file(path, 5).value(), "hello");
  const auto longer = read_text_file(path, 4);
  EXPECT_EQ(longer.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(longer.error().message, HasSubstr("5 bytes"));
  EXPECT_EQ(read_text_file("/no/such/file", 4).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace hangar
