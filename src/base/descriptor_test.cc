#include "base/descriptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace hangar {
namespace {

TEST(Descriptor, IsClosedWithItsHolder) {
  int fd = -1;
  {
    const Descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    fd = file.fd;
    ASSERT_GE(::fcntl(fd, F_GETFD), 0);
  }
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
  const Descriptor none(-1);
  EXPECT_EQ(none.fd, -1);
}

}  // namespace
}  // namespace hangar
