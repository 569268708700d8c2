#include "base/log.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

namespace hangar {
namespace {

TEST(Log, GoesToStandardErrorFromItsLevelUp) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  ASSERT_TRUE(start_log("warn").has_value());
  spdlog::info("quiet {}", 1);
  spdlog::warn("loud {}", 2);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("quiet"), std::string::npos);
  EXPECT_NE(text.find("loud 2"), std::string::npos);
}

TEST(Log, KnowsItsLevels) {
  for (const std::string_view name : log_level_names()) EXPECT_TRUE(start_log(name).has_value());
  const Status bad = start_log("verbose");
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace hangar
