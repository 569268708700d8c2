#include "base/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

namespace hangar {
namespace {

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(fds), 0); }
  ~Pipe() {
    close_read();
    close_write();
  }
  void close_read() {
    if (fds[0] >= 0) ::close(fds[0]);
    fds[0] = -1;
  }
  void close_write() {
    if (fds[1] >= 0) ::close(fds[1]);
    fds[1] = -1;
  }
  int fds[2] = {-1, -1};
};

TEST(Output, WritesAllInOrderThroughASmallPipe) {
  Pipe pipe;
  ASSERT_NE(::fcntl(pipe.fds[1], F_SETFL, O_NONBLOCK), -1);
  std::string expected;
  std::thread writer([&] {
    Output out(pipe.fds[1], "pipe");
    for (int i = 0; i < 50000; ++i) ASSERT_TRUE(out.print("{}\n", i).has_value());
    ASSERT_TRUE(out.flush().has_value());
    pipe.close_write();
  });
  for (int i = 0; i < 50000; ++i) expected += fmt::format("{}\n", i);
  const auto got = read_all(pipe.fds[0], "pipe", 10U << 20U);
  writer.join();
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(*got, expected);
}

TEST(Output, NothingIsWrittenBeforeFlush) {
  Pipe pipe;
  Output out(pipe.fds[1], "pipe");
  ASSERT_TRUE(out.write("held").has_value());
  ASSERT_NE(::fcntl(pipe.fds[0], F_SETFL, O_NONBLOCK), -1);
  char byte = 0;
  EXPECT_EQ(::read(pipe.fds[0], &byte, 1), -1);
  ASSERT_TRUE(out.flush().has_value());
  EXPECT_EQ(::read(pipe.fds[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'h');
}

TEST(Output, AFullDiskIsAnErrorThatStays) {
  const int fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  Output out(fd, "standard output");
  EXPECT_TRUE(out.write("x").has_value());
  const Status first = out.flush();
  ASSERT_FALSE(first.has_value());
  EXPECT_EQ(first.error().code, ErrorCode::kIo);
  EXPECT_EQ(first.error().message, "standard output: No space left on device");
  EXPECT_FALSE(out.write("y").has_value());
  EXPECT_FALSE(out.flush().has_value());
  ::close(fd);
}

TEST(Output, AClosedPipeIsAnError) {
  const auto old = std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.close_read();
  Output out(pipe.fds[1], "standard output");
  EXPECT_TRUE(out.write("x").has_value());
  EXPECT_FALSE(out.flush().has_value());
  std::signal(SIGPIPE, old);
}

TEST(ReadAll, HoldsItsLimit) {
  Pipe pipe;
  ASSERT_EQ(::write(pipe.fds[1], "12345", 5), 5);
  pipe.close_write();
  const auto got = read_all(pipe.fds[0], "standard input", 4);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace hangar
