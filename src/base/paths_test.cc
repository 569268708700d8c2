#include "base/paths.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>

namespace hangar {
namespace {

// Sets a variable for one test and puts back what was there.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    if (value == nullptr) {
      ::unsetenv(name);
    } else {
      ::setenv(name, value, 1);
    }
  }
  ~ScopedVariable() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(Paths, FollowXdgWhereItIsSet) {
  const ScopedVariable cache("XDG_CACHE_HOME", "/var/tmp/c");
  const ScopedVariable state("XDG_STATE_HOME", "/var/tmp/s");
  EXPECT_EQ(cache_folder(), "/var/tmp/c/hangar");
  EXPECT_EQ(state_folder(), "/var/tmp/s/hangar");
}

TEST(Paths, FallBackToHomeAndIgnoreRelativeXdg) {
  const ScopedVariable home("HOME", "/home/someone");
  const ScopedVariable cache("XDG_CACHE_HOME", "relative");
  const ScopedVariable state("XDG_STATE_HOME", nullptr);
  EXPECT_EQ(cache_folder(), "/home/someone/.cache/hangar");
  EXPECT_EQ(state_folder(), "/home/someone/.local/state/hangar");
}

TEST(Paths, WithoutHomeThereIsStillAFolder) {
  const ScopedVariable home("HOME", nullptr);
  EXPECT_FALSE(home_folder().empty());
}

}  // namespace
}  // namespace hangar
