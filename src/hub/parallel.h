// run_parallel: long work over many files on a few threads, watched from the caller's.
//
// Promise: work(i, meter) is called once for each i below n unless it was stopped; it adds the
// bytes it
//   has read to the meter and ends early when meter.stop is set. The watcher hears the sum about
//   twenty times a second.
// Errors: the first error of a work; kCancelled when the watcher says so. The others then stop.
// Threads: work runs on threads of this call's own; the watcher's calls come on the caller's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/result.h"
#include "hub/session.h"

namespace hangar::hub {

struct WorkMeter {
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<bool> stop{false};
};

Status run_parallel(std::size_t n, int threads, HubWatcher& watcher,
                    const std::function<Status(std::size_t, WorkMeter&)>& work);

}  // namespace hangar::hub
