#include "base/stop_clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/thread_pool.h"

namespace hangar {
namespace {

constexpr std::int64_t kMillisecondNs = 1'000'000;

void sleep_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

TEST(StopClock, AddsWhatRanAndNotThePauses) {
  std::int64_t sum_ns = 7;
  const std::int64_t began_ns = steady_now_ns();
  {
    StopClock clock(&sum_ns);
    sleep_ms(4);
    clock.pause();
    EXPECT_GE(sum_ns, 7 + 4 * kMillisecondNs);
    sleep_ms(20);
    clock.resume();
    sleep_ms(4);
  }
  const std::int64_t all_ns = steady_now_ns() - began_ns;
  EXPECT_GE(sum_ns, 7 + 8 * kMillisecondNs);
  EXPECT_LE(sum_ns, 7 + all_ns - 20 * kMillisecondNs);
}

TEST(StopClock, WithoutASumItDoesNothing) {
  StopClock clock(nullptr);
  clock.pause();
  clock.resume();
  SUCCEED();
}

// What a pool's caller waits for counts; what it computes does not. A pool may leave a worker out
// where others want its processor: then there is nothing to wait for, and it is tried again.
TEST(StopClock, ThreadPoolCountsItsCallersWaits) {
  constexpr int kTries = 50;
  ThreadPool pool(2);
  std::int64_t waits_ns = 0;
  std::atomic<bool> joined = false;
  const auto body = [&](std::int64_t, std::int64_t, int worker) {
    if (worker != 0) {
      joined = true;
      sleep_ms(30);
      return;
    }
    for (int ms = 0; ms < 50 && !joined; ++ms) sleep_ms(1);
    sleep_ms(10);
  };
  // The time it took, or -1 where the worker never came.
  const auto loop = [&]() -> std::int64_t {
    for (int i = 0; i < kTries; ++i) {
      joined = false;
      waits_ns = 0;
      const std::int64_t began_ns = steady_now_ns();
      pool.parallel_for(2, 1, body);
      if (joined) return steady_now_ns() - began_ns;
    }
    return -1;
  };
  if (loop() < 0) GTEST_SKIP() << "the pool's worker was never let in: the machine is too busy";
  EXPECT_EQ(waits_ns, 0);
  pool.clock_waits(&waits_ns);
  const std::int64_t took_ns = loop();
  if (took_ns < 0) GTEST_SKIP() << "the pool's worker was never let in: the machine is too busy";
  EXPECT_GT(waits_ns, 5 * kMillisecondNs);
  EXPECT_LE(waits_ns, took_ns - 10 * kMillisecondNs);
  pool.clock_waits(nullptr);
  loop();
  EXPECT_EQ(waits_ns, 0);
}

}  // namespace
}  // namespace hangar
