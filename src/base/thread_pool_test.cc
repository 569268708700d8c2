#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace hangar {
namespace {

TEST(ThreadPool, CoversEachIndexOnceForManySizesAndGrains) {
  for (const int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int n : {0, 1, 2, 7, 64, 1000}) {
      for (const int grain : {1, 3, 16, 5000}) {
        std::vector<std::atomic<int>> hits(static_cast<std::size_t>(n));
        pool.parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end, int worker) {
          EXPECT_GE(worker, 0);
          EXPECT_LT(worker, threads);
          EXPECT_LT(begin, end);
          for (std::int64_t i = begin; i < end; ++i) ++hits[static_cast<std::size_t>(i)];
        });
        for (const auto& hit : hits) EXPECT_EQ(hit.load(), 1);
      }
    }
  }
}

TEST(ThreadPool, ManyLoopsInARowLoseNoWork) {
  ThreadPool pool(3);
  std::atomic<std::int64_t> sum{0};
  for (int round = 0; round < 20000; ++round) {
    pool.parallel_for(8, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) sum.fetch_add(i + 1);
    });
  }
  EXPECT_EQ(sum.load(), 20000 * 36);
}

TEST(ThreadPool, SleepingWorkersWakeAgain) {
  ThreadPool pool(2);
  std::atomic<int> count{0};
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    pool.parallel_for(
        2, 1, [&](std::int64_t b, std::int64_t e, int) { count += static_cast<int>(e - b); });
  }
  EXPECT_EQ(count.load(), 10);
}

}  // namespace
}  // namespace hangar
