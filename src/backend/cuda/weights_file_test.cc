#include "backend/cuda/weights_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/mapped_file.h"

namespace hangar::cuda {
namespace {

using ::testing::HasSubstr;

class WeightFileTest : public ::testing::Test {
 protected:
  WeightFileTest() {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<char>(i * 31 / 7);
  }
  std::filesystem::path write(const std::string& name) const {
    const std::filesystem::path path =
        std::filesystem::path(::testing::TempDir()) / (name + "." + std::to_string(::getpid()));
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary).write(bytes_.data(), std::ssize(bytes_));
    return path;
  }

  std::vector<char> bytes_ = std::vector<char>(300'000);
};

TEST_F(WeightFileTest, ReadsWhatTheMappingShows) {
  const auto path = write("weights with a space");
  const MappedFile mapped = MappedFile::open(path).value();
  const auto part = mapped.bytes().subspan(12'345, 200'000);
  const auto file = WeightFile::behind(part);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->path(), std::filesystem::canonical(path));
  EXPECT_TRUE(file->shows(mapped.bytes()));
  EXPECT_EQ(file->place_of(part.data()), 12'345U);
  WeightFileReader reader;
  for (const std::size_t at : {std::size_t{100'000}, std::size_t{0}, std::size_t{7}}) {
    std::vector<std::byte> got(part.size() - at);
    ASSERT_TRUE(reader.read(file, file->place_of(part.data() + at), got).has_value());
    EXPECT_EQ(std::memcmp(got.data(), part.data() + at, got.size()), 0);
  }
  std::filesystem::remove(path);
}

TEST_F(WeightFileTest, OneReaderGoesFromFileToFile) {
  const auto first_path = write("first");
  bytes_[5] = 'x';
  const auto second_path = write("second");
  const MappedFile first = MappedFile::open(first_path).value();
  const MappedFile second = MappedFile::open(second_path).value();
  const auto of_first = WeightFile::behind(first.bytes());
  const auto of_second = WeightFile::behind(second.bytes());
  ASSERT_NE(of_first, nullptr);
  ASSERT_NE(of_second, nullptr);
  EXPECT_FALSE(of_first->shows(second.bytes()));
  WeightFileReader reader;
  for (int i = 0; i < 2; ++i) {
    std::byte got{};
    ASSERT_TRUE(reader.read(of_first, 5, {&got, 1}).has_value());
    EXPECT_EQ(got, first.bytes()[5]);
    ASSERT_TRUE(reader.read(of_second, 5, {&got, 1}).has_value());
    EXPECT_EQ(got, std::byte{'x'});
  }
  std::filesystem::remove(first_path);
  std::filesystem::remove(second_path);
}

TEST_F(WeightFileTest, MemoryIsNoFile) {
  EXPECT_EQ(WeightFile::behind(std::as_bytes(std::span(bytes_))), nullptr);
  EXPECT_EQ(WeightFile::behind({}), nullptr);
  const auto path = write("written");
  const MappedFile mapped = MappedFile::open(path).value();
  auto* const start = const_cast<std::byte*>(mapped.bytes().data());
  ASSERT_EQ(::mprotect(start, bytes_.size(), PROT_READ | PROT_WRITE), 0);
  EXPECT_EQ(WeightFile::behind(mapped.bytes()), nullptr);
  std::filesystem::remove(path);
}

TEST_F(WeightFileTest, AnotherFileOfTheNameIsNotTaken) {
  const auto path = write("replaced");
  const MappedFile mapped = MappedFile::open(path).value();
  std::filesystem::rename(write("newer"), path);
  EXPECT_EQ(WeightFile::behind(mapped.bytes()), nullptr);
  std::filesystem::remove(path);
  EXPECT_EQ(WeightFile::behind(mapped.bytes()), nullptr);
}

TEST_F(WeightFileTest, ReadsOnWhereTheNameIsGone) {
  const auto path = write("unlinked");
  const MappedFile mapped = MappedFile::open(path).value();
  const auto file = WeightFile::behind(mapped.bytes());
  ASSERT_NE(file, nullptr);
  std::filesystem::remove(path);
  WeightFileReader reader;
  std::vector<std::byte> got(bytes_.size());
  ASSERT_TRUE(reader.read(file, 0, got).has_value());
  EXPECT_EQ(std::memcmp(got.data(), bytes_.data(), got.size()), 0);
}

TEST_F(WeightFileTest, SaysWhereAFileEndsTooSoon) {
  const auto path = write("cut");
  const MappedFile mapped = MappedFile::open(path).value();
  const auto file = WeightFile::behind(mapped.bytes());
  ASSERT_NE(file, nullptr);
  std::filesystem::resize_file(path, 1000);
  WeightFileReader reader;
  std::vector<std::byte> got(2000);
  const Status read = reader.read(file, 500, got);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kIo);
  EXPECT_THAT(read.error().message, HasSubstr("cannot read 1500 bytes at 1000: the file ends"));
  EXPECT_THAT(read.error().message, HasSubstr("cut"));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace hangar::cuda
