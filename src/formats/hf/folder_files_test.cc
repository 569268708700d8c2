#include "formats/hf/folder_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "formats/hf/test_folder.h"

namespace hangar::hf {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<FolderFiles> open(const fs::path& path) {
  return FolderFiles::open(path);
}

TEST(FolderFilesTest, FindsWhatIsThere) {
  const TestFolder temp;
  write_file(temp / "m/config.json", "{}");
  write_file(temp / "m/b.safetensors", "");
  write_file(temp / "m/a.safetensors", "");
  write_file(temp / "m/sub/x.jinja", "x");
  const auto folder = open(temp / "m");
  ASSERT_TRUE(folder);
  EXPECT_TRUE(folder->has("config.json"));
  EXPECT_FALSE(folder->has("other.json"));
  EXPECT_EQ(folder->find("config.json").value(), temp / "m/config.json");
  EXPECT_EQ(folder->find("other.json").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(folder->read_optional("config.json", 100).value(), "{}");
  EXPECT_EQ(folder->read_optional("other.json", 100).value(), std::nullopt);
  EXPECT_EQ(folder->read_optional("sub/x.jinja", 100).value(), "x");
  EXPECT_EQ(folder->read_optional("config.json", 1).error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(folder->names_with(".safetensors"), ElementsAre("a.safetensors", "b.safetensors"));
  EXPECT_THAT(folder->names_in("sub", ".jinja"), ElementsAre("x.jinja"));
}

TEST(FolderFilesTest, NamesDoNotLeadOut) {
  const TestFolder temp;
  write_file(temp / "secret", "s");
  write_file(temp / "m/config.json", "{}");
  const auto folder = open(temp / "m");
  ASSERT_TRUE(folder);
  for (const std::string& name :
       {std::string("../secret"), (temp / "secret").string(), std::string("x/../../secret"),
        std::string(""), std::string("a\0b", 3), std::string("./config.json")}) {
    const auto found = folder->find(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(found.error().message, HasSubstr("leads out of the folder"));
  }
}

TEST(FolderFilesTest, LinksStayInside) {
  const TestFolder temp;
  write_file(temp / "secret", "s");
  write_file(temp / "m/real.json", "{}");
  fs::create_symlink("real.json", temp / "m/inside.json");
  fs::create_symlink("../secret", temp / "m/outside.json");
  fs::create_symlink(temp / "secret", temp / "m/absolute.json");
  fs::create_symlink("loop.json", temp / "m/loop.json");
  fs::create_symlink("gone.json", temp / "m/dangling.json");
  fs::create_directory_symlink(temp.path(), temp / "m/up");
  fs::create_directory_symlink(temp / "m", temp / "alias");
  for (const fs::path& path : {temp / "m", temp / "alias"}) {
    const auto folder = open(path);
    ASSERT_TRUE(folder);
    EXPECT_TRUE(folder->find("inside.json"));
    for (const std::string name : {"outside.json", "absolute.json", "up/secret"}) {
      const auto found = folder->find(name);
      ASSERT_FALSE(found) << name;
      EXPECT_EQ(found.error().code, ErrorCode::kCorrupt);
      EXPECT_THAT(found.error().message, HasSubstr("symlink out of its folder"));
      EXPECT_FALSE(folder->read_optional(name, 100)) << name;
    }
    EXPECT_EQ(folder->find("loop.json").error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(folder->find("dangling.json").error().code, ErrorCode::kNotFound);
  }
}

TEST(FolderFilesTest, AHubCacheLinksToItsBlobs) {
  const TestFolder temp;
  write_file(temp / "hub/models--org--name/blobs/0123", "{}");
  write_file(temp / "hub/models--org--name/elsewhere", "{}");
  write_file(temp / "hub/models--other--name/blobs/4567", "{}");
  const fs::path snapshot = temp / "hub/models--org--name/snapshots/main";
  fs::create_directories(snapshot);
  fs::create_symlink("../../blobs/0123", snapshot / "config.json");
  fs::create_symlink("../../elsewhere", snapshot / "other.json");
  fs::create_symlink("../../../models--other--name/blobs/4567", snapshot / "foreign.json");
  const auto folder = open(snapshot);
  ASSERT_TRUE(folder);
  EXPECT_EQ(folder->read_optional("config.json", 100).value(), "{}");
  EXPECT_FALSE(folder->find("other.json"));
  EXPECT_FALSE(folder->find("foreign.json"));
}

TEST(FolderFilesTest, OnlyRegularFilesAreRead) {
  const TestFolder temp;
  ASSERT_EQ(::mkfifo((temp / "pipe.json").c_str(), 0600), 0);
  fs::create_directory(temp / "folder.json");
  const auto folder = open(temp.path());
  ASSERT_TRUE(folder);
  for (const std::string name : {"pipe.json", "folder.json"}) {
    EXPECT_THAT(folder->find(name).error().message, HasSubstr("not a regular file"));
  }
}

TEST(FolderFilesTest, AMissingFolder) {
  EXPECT_EQ(open("/no/such/folder").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace hangar::hf
