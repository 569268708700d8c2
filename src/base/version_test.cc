#include "base/version.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"

namespace hangar {
namespace {

TEST(Version, IsTheBuildFilesVersion) {
  const auto text = read_text_file(HANGAR_SOURCE_DIR "/CMakeLists.txt", 1U << 20U);
  ASSERT_TRUE(text.has_value());
  EXPECT_NE(text->find(fmt::format("project(hangar VERSION {} ", kVersion)), std::string::npos);
}

}  // namespace
}  // namespace hangar
