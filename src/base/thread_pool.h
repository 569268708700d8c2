// ThreadPool: a fixed team of threads that run one loop at a time, fork and join.
//
// Promise: parallel_for(n, grain, body) calls body(begin, end, worker) so that the ranges cover
//   [0, n) exactly once, then returns. worker is in [0, threads()): index per-thread scratch by it.
//   Ranges are handed out dynamically in pieces of at least `grain`. A worker that the system has
//   not woken by the time the work is done is not waited for: on a busy machine a loop takes as
//   long as the threads that run need, not as long as the last one's turn is away.
// Threads: parallel_for is called from one thread at a time (the step thread); that thread is
//   worker 0. Idle workers spin for a short while, then sleep, so an idle server costs no CPU.
// Errors: body must not throw.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "base/function_ref.h"

namespace hangar {

class ThreadPool {
 public:
  using Body = FunctionRef<void(std::int64_t begin, std::int64_t end, int worker)>;

  // threads <= 0: one per processor this process may run on.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  void parallel_for(std::int64_t n, std::int64_t grain, Body body);

  // Processors this process may run on (respects affinity and cgroup limits the kernel shows
  // there).
  static int available_processors();

 private:
  void worker_loop(int worker);
  bool join(std::uint64_t& seen);
  void run_share(int worker);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  // The loop under way: its number, whether workers may still join, and how many are in it.
  std::atomic<std::uint64_t> loop_{0};
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> next_{0};
  int sleepers_ = 0;  // guarded by mutex_
  const Body* body_ = nullptr;
  std::int64_t n_ = 0;
  std::int64_t piece_ = 1;
};

}  // namespace hangar
