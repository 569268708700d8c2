#include "base/result.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace hangar {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return make_error(ErrorCode::kInvalidArgument, "{} is odd", n);
  return n / 2;
}

Result<int> quarter(int n) {
  HANGAR_TRY(const int once, half(n));
  HANGAR_TRY(const int twice, half(once));
  return twice;
}

Status is_even(int n) {
  HANGAR_CHECK_OK(half(n));
  return {};
}

TEST(Result, TryGivesTheValueOrReturnsTheError) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_TRUE(is_even(4).has_value());
  EXPECT_EQ(is_even(5).error().code, ErrorCode::kInvalidArgument);
}

TEST(Result, ContextGoesInFront) {
  const Result<int> failed = with_context(half(3).error(), "file.gguf");
  EXPECT_EQ(failed.error().message, "file.gguf: 3 is odd");
}

TEST(Result, EachCodeHasANameAndAnExitCodeOfItsOwn) {
  std::set<int> exits;
  std::set<std::string_view> names;
  const int codes = static_cast<int>(ErrorCode::kInternal) + 1;
  for (int code = 0; code < codes; ++code) {
    exits.insert(exit_code_of(static_cast<ErrorCode>(code)));
    names.insert(error_code_name(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(exits.size(), static_cast<std::size_t>(codes));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(codes));
  EXPECT_FALSE(exits.contains(0));
  EXPECT_FALSE(exits.contains(1));  // what a shell or a crash handler says
}

}  // namespace
}  // namespace hangar
