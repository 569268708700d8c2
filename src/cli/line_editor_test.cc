#include "cli/line_editor.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>

#include "cli/interrupt.h"

namespace hangar {
namespace {

TEST(PipeReader, GivesLinesOfAnyLengthAndTheLastWithoutNewline) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  const std::string longest(100'000, 'x');
  std::thread writer([&] {
    const std::string text = "one\r\n\n" + longest + "\nlast";
    std::size_t done = 0;
    while (done < text.size()) {
      const ssize_t n = ::write(fds[1], text.data() + done, text.size() - done);
      ASSERT_GT(n, 0);
      done += static_cast<std::size_t>(n);
    }
    ::close(fds[1]);
  });
  const auto reader = make_pipe_reader(fds[0]);
  EXPECT_FALSE(reader->interactive());
  std::string line;
  for (const std::string& expected :
       {std::string("one"), std::string(), longest, std::string("last")}) {
    ASSERT_EQ(reader->read("> ", line), LineEnd::kLine);
    EXPECT_EQ(line, expected);
  }
  EXPECT_EQ(reader->read("> ", line), LineEnd::kEnd);
  writer.join();
  ::close(fds[0]);
}

TEST(PipeReader, CtrlCIsToldApartFromTheEnd) {
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  const InterruptScope scope;
  const auto reader = make_pipe_reader(fds[0]);
  const pid_t self = ::getpid();
  std::thread sender([self] {
    ::usleep(50'000);
    ::kill(self, SIGINT);
  });
  std::string line;
  EXPECT_EQ(reader->read("> ", line), LineEnd::kInterrupted);
  sender.join();
  ::close(fds[1]);
  EXPECT_EQ(reader->read("> ", line), LineEnd::kEnd);
  ::close(fds[0]);
}

}  // namespace
}  // namespace hangar
