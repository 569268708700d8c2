#include "cli/interrupt.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <future>

namespace hangar {
namespace {

TEST(InterruptScope, TakesCtrlCAndWakesAWait) {
  const InterruptScope scope;
  EXPECT_FALSE(InterruptScope::taken());
  const pid_t self = ::getpid();
  std::thread sender([self] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ::kill(self, SIGINT);
  });
  timespec wait{10, 0};
  EXPECT_EQ(::nanosleep(&wait, &wait), -1);
  EXPECT_EQ(errno, EINTR);
  sender.join();
  EXPECT_TRUE(InterruptScope::pending());
  EXPECT_TRUE(InterruptScope::taken());
  EXPECT_FALSE(InterruptScope::taken());
}

TEST(InterruptScope, PutsBackWhatWasThere) {
  struct sigaction before{};
  ::sigaction(SIGINT, nullptr, &before);
  {
    const InterruptScope scope;
  }
  struct sigaction after{};
  ::sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(TerminationWatch, CallsAtTheFirstSignal) {
  std::promise<int> got;
  {
    const TerminationWatch watch([&](int signal) { got.set_value(signal); });
    ::kill(::getpid(), SIGTERM);
    auto future = got.get_future();
    ASSERT_EQ(future.wait_for(std::chrono::seconds(5)), std::future_status::ready);
    EXPECT_EQ(future.get(), SIGTERM);
  }
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&blocked, SIGTERM), 0);
}

TEST(TerminationWatchDeathTest, TheSecondSignalEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const TerminationWatch watch([](int) { ::kill(::getpid(), SIGTERM); });
        ::kill(::getpid(), SIGINT);
        ::sleep(10);
      },
      testing::ExitedWithCode(128 + SIGTERM), "");
}

}  // namespace
}  // namespace hangar
