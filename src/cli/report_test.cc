#include "cli/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar {
namespace {

using ::testing::StartsWith;

TEST(ErrorReport, SaysWhatAndWhatToDo) {
  const Error error = with_hint({ErrorCode::kIo, "address in use"}, "choose another --port");
  EXPECT_EQ(error_report(error), "hangar: error: address in use\nhint: choose another --port\n");
}

TEST(ErrorReport, KindsHaveTheirUsualHint) {
  EXPECT_THAT(error_report({ErrorCode::kCorrupt, "m.gguf: cut short"}),
              StartsWith("hangar: error: m.gguf: cut short\nhint: the file is damaged"));
  EXPECT_EQ(error_report({ErrorCode::kNotFound, "no such file"}), "hangar: error: no such file\n");
  EXPECT_EQ(error_report({ErrorCode::kUnsupported, "no driver", "backend"}),
            "hangar: error: no driver\nhint: `hangar devices` shows what is here to compute on\n");
}

}  // namespace
}  // namespace hangar
