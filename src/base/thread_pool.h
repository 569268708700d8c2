// ThreadPool: a fixed team of threads that run one loop at a time, fork and join.
//
// Promise: parallel_for(n, grain, body) calls body(begin, end, worker) so that the ranges cover
//   [0, n) exactly once, then returns. worker is in [0, threads()): index per-thread scratch by it.
//   The same loop gives the same part of [0, n) to the same worker each time (what it read stays in
//   its caches, what it first touched is near); who is done takes pieces of at least `grain` from
//   the others. A worker that the system has not woken by the time the work is done is not waited
//   for; one that loses its processor in the middle of a piece is.
//   Fork and join of awake workers take about a microsecond. Idle workers spin for a short while,
//   shorter where others want their processors, then sleep: an idle server costs no CPU.
//   Pinned: worker i > 0 stays on processor i of processors(), in node order, where the team has
//   just as many threads as there are processors; a smaller team is placed by the system, which
//   sees who else runs. Worker 0 is the caller's thread and is not touched.
// Threads: parallel_for is called from one thread at a time (the step thread); that thread is
//   worker 0.
// Errors: body must not throw.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/function_ref.h"

namespace hangar {

class ThreadPool {
 public:
  using Body = FunctionRef<void(std::int64_t begin, std::int64_t end, int worker)>;
  enum class Pinning : std::uint8_t { kOff, kOn };

  // threads <= 0: available_processors().
  explicit ThreadPool(int threads = 0, Pinning pinning = Pinning::kOff);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  bool pinned() const { return pinned_; }
  void parallel_for(std::int64_t n, std::int64_t grain, Body body);

  // From here on parallel_for's caller adds to *sum_ns what it spends outside `body`: waking the
  // workers and waiting for them. nullptr, as at first: no clock is read.
  void clock_waits(std::int64_t* sum_ns) { waits_ns_ = sum_ns; }

 private:
  class Spinner;
  // What one worker writes while a loop runs, on cache lines of its own.
  struct alignas(128) Seat {
    std::atomic<std::uint64_t> inside{0};  // the number of the loop it has joined; 0: none
    std::atomic<std::uint64_t> taken{0};   // pieces of its share: loop's number << 16 | how many
    std::atomic<std::uint32_t> awake{0};   // what it sleeps on
  };
  using Bits = std::atomic<std::uint64_t>;

  void worker_loop(int worker);
  std::uint64_t wait_for_loop(int worker, std::uint64_t seen, Spinner& spinner);
  void sleep(int worker, std::uint64_t seen);
  bool join(int worker, std::uint64_t loop);
  void wake(std::uint64_t wanted);
  void run_share(int worker, std::uint64_t number);
  std::int64_t take_piece(std::uint64_t owner, std::uint64_t number);
  std::int64_t first_piece(std::uint64_t owner) const {
    return pieces_ * static_cast<std::int64_t>(owner) / static_cast<std::int64_t>(sharers_);
  }

  std::vector<std::thread> workers_;
  std::unique_ptr<Seat[]> seats_;
  std::unique_ptr<Bits[]> asleep_;  // a bit for each worker
  bool pinned_ = false;
  // The loop under way: number << 17 | workers wanted << 1 | whether they may still join.
  alignas(128) std::atomic<std::uint64_t> loop_{0};
  std::atomic<bool> stop_{false};
  // Written by parallel_for before it opens the loop, read by those who joined.
  const Body* body_ = nullptr;
  std::int64_t n_ = 0;
  std::int64_t piece_ = 1;     // indices
  std::int64_t pieces_ = 0;    // of the loop
  std::uint64_t sharers_ = 1;  // workers with a share
  std::int64_t* waits_ns_ = nullptr;
};

}  // namespace hangar
