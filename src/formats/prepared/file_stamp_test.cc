#include "formats/prepared/file_stamp.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace hangar {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class FileStampTest : public ::testing::Test {
 protected:
  FileStampTest() { fs::create_directories(folder_); }
  ~FileStampTest() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  // The old time, as a copying tool gives it.
  static void set_time(const fs::path& path, std::int64_t seconds, std::int64_t nanoseconds) {
    const timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  static std::string change(const fs::path& path, const FileStamp& was) {
    const std::vector<FileStamp> before = {was};
    const std::vector<FileStamp> now = {stamp_file(path).value()};
    return difference(before, now);
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("hangar_file_stamp_" + std::to_string(::getpid()));
};

TEST_F(FileStampTest, TheSameFileIsKnownAgain) {
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{5000}, std::size_t{1} << 20,
        (std::size_t{1} << 20) + 70'000, std::size_t{3} << 20}) {
    const fs::path path = write("model.gguf", std::string(bytes, 'x'));
    const FileStamp stamp = stamp_file(path).value();
    EXPECT_EQ(stamp.bytes, bytes);
    EXPECT_EQ(stamp.name, "model.gguf");
    EXPECT_EQ(change(path, stamp), "") << bytes;
  }
}

TEST_F(FileStampTest, SizeTimeAndContentsEachTell) {
  const fs::path path = write("m", std::string(4 << 20, 'x'));
  set_time(path, 1000, 5);
  const FileStamp stamp = stamp_file(path).value();
  set_time(path, 1000, 6);
  EXPECT_EQ(change(path, stamp), "m: its time");
  set_time(path, 1001, 5);
  EXPECT_EQ(change(path, stamp), "m: its time");
  // An archive keeps whole seconds.
  set_time(path, 1000, 0);
  EXPECT_EQ(change(path, stamp), "");
  write("m", std::string((4 << 20) + 1, 'x'));
  set_time(path, 1000, 5);
  EXPECT_EQ(change(path, stamp), "m: its size");
  // The first byte, the last, and other weights of the same shape, with the old time given back.
  for (const int place : {0, 1, 2}) {
    std::string text(4 << 20, 'x');
    if (place == 0) text.front() = 'y';
    if (place == 1) text.back() = 'y';
    if (place == 2) std::fill(text.begin() + (2 << 20), text.begin() + (3 << 20), 'y');
    write("m", text);
    set_time(path, 1000, 5);
    EXPECT_EQ(change(path, stamp), "m: its contents") << place;
  }
}

TEST_F(FileStampTest, AModelIsItsFilesAndWhatSaysHowToReadThem) {
  const std::vector<fs::path> files = {write("a.safetensors", "1"), write("b.safetensors", "2")};
  const std::vector<FileStamp> two = stamp_model(files).value();
  ASSERT_EQ(two.size(), 2U);
  write("config.json", "{}");
  const std::vector<FileStamp> three = stamp_model(files).value();
  ASSERT_EQ(three.size(), 3U);
  EXPECT_EQ(difference(two, three), "3 files instead of 2");
  write("config.json", "{} ");
  EXPECT_EQ(difference(three, stamp_model(files).value()), "config.json: its size");
  std::vector<FileStamp> renamed = three;
  renamed[1].name = "c.safetensors";
  EXPECT_EQ(difference(three, renamed), "c.safetensors instead of b.safetensors");
}

TEST_F(FileStampTest, AMissingFileIsSaid) {
  const auto stamp = stamp_file(folder_ / "nothing");
  ASSERT_FALSE(stamp.has_value());
  EXPECT_EQ(stamp.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(stamp.error().message, HasSubstr("nothing"));
}

}  // namespace
}  // namespace hangar
