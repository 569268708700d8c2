// Fork and join of the thread pool: an empty loop, one where every worker takes part, and one whose
// threads have slept.
//
// Bound: a cache line that goes to another core and back: 0.1 to 0.3 us on one socket.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/processors.h"
#include "base/thread_pool.h"

namespace hangar {
namespace {

// An empty loop: done before the others have joined it, mostly.
void BM_ForkJoin(benchmark::State& state) {
  const auto pinning = state.range(1) != 0 ? ThreadPool::Pinning::kOn : ThreadPool::Pinning::kOff;
  ThreadPool pool(static_cast<int>(state.range(0)), pinning);
  for (auto _ : state) {
    pool.parallel_for(pool.threads(), 1, [](std::int64_t begin, std::int64_t end, int /*worker*/) {
      benchmark::DoNotOptimize(begin + end);
    });
  }
}

// Nobody leaves before all have come: what a loop costs beside its work.
void BM_ForkJoinAll(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)), ThreadPool::Pinning::kOn);
  std::atomic<int> here{0};
  for (auto _ : state) {
    here.store(0, std::memory_order_relaxed);
    pool.parallel_for(pool.threads(), 1, [&](std::int64_t, std::int64_t, int /*worker*/) {
      here.fetch_add(1, std::memory_order_relaxed);
      // Not for ever: who has not come by the end is not waited for.
      for (int spins = 0; spins < 1'000'000; ++spins) {
        if (here.load(std::memory_order_relaxed) == pool.threads()) return;
      }
    });
  }
}

// Pieces that take time: how far from half of it two threads are.
void BM_ForkJoinWork(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)), ThreadPool::Pinning::kOn);
  for (auto _ : state) {
    pool.parallel_for(64, 1, [](std::int64_t begin, std::int64_t end, int /*worker*/) {
      for (std::int64_t i = begin; i < end; ++i) {
        for (int j = 0; j < 300; ++j) benchmark::DoNotOptimize(j);
      }
    });
  }
}

void BM_WakeAfterSleep(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)), ThreadPool::Pinning::kOn);
  for (auto _ : state) {
    state.PauseTiming();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    state.ResumeTiming();
    pool.parallel_for(pool.threads(), 1, [](std::int64_t begin, std::int64_t end, int /*worker*/) {
      benchmark::DoNotOptimize(begin + end);
    });
  }
}

void team_sizes(benchmark::internal::Benchmark* b) {
  const int most = available_processors();
  for (int threads = 1; threads < most; threads *= 2) b->Arg(threads);
  b->Arg(most);
}

BENCHMARK(BM_ForkJoin)->UseRealTime()->ArgNames({"threads", "pinned"})->Apply([](auto* b) {
  const int most = available_processors();
  for (int threads = 2; threads <= most; threads *= 2) b->Args({threads, 0});
  b->Args({most, 1});
});
BENCHMARK(BM_ForkJoinAll)->UseRealTime()->ArgName("threads")->Apply(team_sizes);
BENCHMARK(BM_ForkJoinWork)->UseRealTime()->ArgName("threads")->Apply(team_sizes);
BENCHMARK(BM_WakeAfterSleep)->UseRealTime()->Iterations(200)->ArgName("threads")->Apply(team_sizes);

}  // namespace
}  // namespace hangar
