#include "hub/disk.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/mapped_file.h"

namespace hangar::hub {
namespace {

namespace fs = std::filesystem;

class DiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("hub_disk_" + std::to_string(::getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& path, std::string_view text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::string get(const std::string& path) {
    const auto text = read_text_file(root_ / path, 1000);
    return text ? *text : "(none)";
  }
  std::size_t entries() {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(root_), fs::directory_iterator()));
  }

  fs::path root_;
};

TEST_F(DiskTest, LocksKeepOthersOut) {
  const fs::path file = root_ / "lock";
  {
    auto first = FileLock::try_take(file, FileLock::Mode::kExclusive, true);
    ASSERT_TRUE(first.has_value() && first->has_value());
    const auto second = FileLock::try_take(file, FileLock::Mode::kExclusive, true);
    ASSERT_TRUE(second.has_value());
    EXPECT_FALSE(second->has_value());
  }
  EXPECT_FALSE(fs::exists(file));
  put("used", "x");
  auto reader = FileLock::try_take(root_ / "used", FileLock::Mode::kShared, false);
  auto other = FileLock::try_take(root_ / "used", FileLock::Mode::kShared, false);
  EXPECT_TRUE(reader->has_value() && other->has_value());
  EXPECT_FALSE(FileLock::try_take(root_ / "used", FileLock::Mode::kExclusive, false)->has_value());
  other->reset();
  reader->reset();
  EXPECT_TRUE(FileLock::try_take(root_ / "used", FileLock::Mode::kExclusive, false)->has_value());
  EXPECT_TRUE(fs::exists(root_ / "used"));
  EXPECT_EQ(FileLock::try_take(root_ / "absent", FileLock::Mode::kShared, false).error().code,
            ErrorCode::kIo);
}

TEST_F(DiskTest, SwapTakesAnEmptyOrAFullPlace) {
  put("new/a", "1");
  ASSERT_TRUE(swap_in(root_ / "new", root_ / "place").has_value());
  EXPECT_EQ(get("place/a"), "1");
  put("new/a", "2");
  ASSERT_TRUE(swap_in(root_ / "new", root_ / "place").has_value());
  EXPECT_EQ(get("place/a"), "2");
  EXPECT_EQ(entries(), 1U);
  EXPECT_FALSE(swap_in(root_ / "absent", root_ / "place").has_value());
  EXPECT_EQ(get("place/a"), "2");
}

TEST_F(DiskTest, FilesAreWrittenWhole) {
  ASSERT_TRUE(write_file_whole(root_ / "f", "one").has_value());
  ASSERT_TRUE(write_file_whole(root_ / "f", "two").has_value());
  EXPECT_EQ(get("f"), "two");
  EXPECT_EQ(entries(), 1U);
  EXPECT_EQ(write_file_whole(root_ / "no/such/f", "x").error().code, ErrorCode::kIo);
}

TEST_F(DiskTest, RemovalCountsAndFollowsNoLink) {
  put("keep/file", "12345");
  put("gone/a", "123");
  put("gone/d/b", "1234");
  fs::create_hard_link(root_ / "keep/file", root_ / "gone/hard");
  fs::create_directory_symlink(root_ / "keep", root_ / "gone/link");
  const auto removed = remove_folder(root_ / "gone");
  ASSERT_TRUE(removed.has_value()) << removed.error().message;
  EXPECT_EQ(removed->freed_bytes, 7U);
  EXPECT_EQ(removed->files, 4U);
  EXPECT_EQ(get("keep/file"), "12345");
  EXPECT_EQ(entries(), 1U);
  EXPECT_EQ(remove_file(root_ / "keep/file")->freed_bytes, 5U);
  EXPECT_FALSE(remove_folder(root_ / "absent").has_value());
}

TEST_F(DiskTest, FreeSpaceIsKnown) {
  EXPECT_GT(*free_bytes(root_), 0U);
  EXPECT_FALSE(free_bytes(root_ / "absent").has_value());
}

}  // namespace
}  // namespace hangar::hub
