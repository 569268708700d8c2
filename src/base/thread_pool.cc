#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>

namespace hangar {
namespace {

// About 50 us of spinning: longer than the gaps between a model's operations, shorter than a wait
// anyone would pay for.
constexpr int kSpins = 4000;

// ThreadPool::loop_ is number << 17 | open << 16 | workers in it.
constexpr std::uint64_t kWorkers = 0xFFFF;
constexpr std::uint64_t kOpen = 0x10000;
constexpr std::uint64_t kNext = 0x20000;

constexpr std::uint64_t number_of(std::uint64_t loop) {
  return loop / kNext;
}

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

int ThreadPool::available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

ThreadPool::ThreadPool(int threads) {
  if (threads <= 0) threads = available_processors();
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { worker_loop(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_.store(true);
    loop_.fetch_add(kNext);
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::parallel_for(std::int64_t n, std::int64_t grain, Body body) {
  if (n <= 0) return;
  grain = std::max<std::int64_t>(1, grain);
  if (workers_.empty() || n <= grain) {
    body(0, n, 0);
    return;
  }
  body_ = &body;
  n_ = n;
  // About four pieces a thread: a slow core does not hold up the rest, and the counter stays cold.
  const std::int64_t wanted = (n + threads() * 4 - 1) / (threads() * 4);
  piece_ = std::max(grain, (wanted + grain - 1) / grain * grain);
  next_.store(0, std::memory_order_relaxed);
  bool must_wake = false;
  {
    std::lock_guard lock(mutex_);
    // Release: who joins sees the loop's description, written above.
    loop_.store((number_of(loop_.load(std::memory_order_relaxed)) + 1) * kNext | kOpen,
                std::memory_order_release);
    must_wake = sleepers_ > 0;
  }
  if (must_wake) wake_.notify_all();
  run_share(0);
  // All pieces are taken: nobody joins from here on, and only those who did are waited for.
  loop_.fetch_and(~kOpen, std::memory_order_acq_rel);
  int spins = 0;
  while ((loop_.load(std::memory_order_acquire) & kWorkers) != 0) {
    cpu_relax();
    if (++spins > kSpins) {
      std::this_thread::yield();
      spins = 0;
    }
  }
  body_ = nullptr;
}

void ThreadPool::run_share(int worker) {
  for (;;) {
    const std::int64_t begin = next_.fetch_add(piece_, std::memory_order_relaxed);
    if (begin >= n_) return;
    (*body_)(begin, std::min(n_, begin + piece_), worker);
  }
}

// Enters the loop under way if there is a new one that is still open; `seen` is its number then.
bool ThreadPool::join(std::uint64_t& seen) {
  std::uint64_t loop = loop_.load(std::memory_order_acquire);
  while ((loop & kOpen) != 0) {
    seen = number_of(loop);
    if (loop_.compare_exchange_weak(loop, loop + 1, std::memory_order_acq_rel,
                                    std::memory_order_acquire)) {
      return true;
    }
  }
  seen = number_of(loop);
  return false;
}

void ThreadPool::worker_loop(int worker) {
  std::uint64_t seen = 0;
  const auto nothing_new = [&] { return number_of(loop_.load(std::memory_order_acquire)) == seen; };
  for (;;) {
    int spins = 0;
    while (nothing_new() && spins < kSpins) {
      cpu_relax();
      ++spins;
    }
    if (nothing_new()) {
      std::unique_lock lock(mutex_);
      ++sleepers_;
      wake_.wait(lock, [&] { return !nothing_new(); });
      --sleepers_;
    }
    if (stop_.load()) return;
    if (!join(seen)) continue;
    run_share(worker);
    loop_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace hangar
