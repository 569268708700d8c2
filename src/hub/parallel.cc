#include "hub/parallel.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace hangar::hub {

Status run_parallel(std::size_t n, int threads, HubWatcher& watcher,
                    const std::function<Status(std::size_t, WorkMeter&)>& work) {
  WorkMeter meter;
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t next = 0;
  const std::size_t team = std::min(n, static_cast<std::size_t>(std::max(threads, 1)));
  std::size_t active = team;
  Status outcome;
  const auto run = [&] {
    std::unique_lock lock(mutex);
    while (next < n && !meter.stop) {
      const std::size_t i = next++;
      lock.unlock();
      Status done = work(i, meter);
      lock.lock();
      if (!done && outcome && !meter.stop) {
        outcome = std::move(done);
        meter.stop = true;
      }
    }
    --active;
    ended.notify_one();
  };
  std::vector<std::jthread> workers;
  for (std::size_t i = 0; i < team; ++i) workers.emplace_back(run);
  std::unique_lock lock(mutex);
  while (!ended.wait_for(lock, std::chrono::milliseconds(50), [&] { return active == 0; })) {
    lock.unlock();
    watcher.progress(meter.bytes);
    const bool stop = watcher.cancelled();
    lock.lock();
    if (stop && outcome) {
      outcome = tl::unexpected<Error>(cancelled_error());
      meter.stop = true;
    }
  }
  watcher.progress(meter.bytes);
  return outcome;
}

}  // namespace hangar::hub
