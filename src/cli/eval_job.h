// A perplexity run on a thread of its own, with a progress line, that Ctrl-C leaves at once.
//
// Promise: wait() returns when the run is over, or within a moment of Ctrl-C with what the windows
//   done by then gave. After that the thread may still be in a step: the process is to end without
//   destroying the job or what it works on (std::_Exit).
// Errors: PerplexityProbe::run's.
// Threads: main's, within an InterruptScope.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "eval/perplexity.h"
#include "eval/text.h"
#include "eval/windows.h"

namespace hangar {

class EvalJob {
 public:
  // All of them outlive the job.
  EvalJob(PerplexityProbe& probe, const EvalText& text, std::span<const EvalWindow> windows);
  ~EvalJob();
  EvalJob(const EvalJob&) = delete;
  EvalJob& operator=(const EvalJob&) = delete;

  Result<PerplexityResult> wait();
  bool interrupted() const { return interrupted_; }

 private:
  void run();

  PerplexityProbe& probe_;
  const EvalText& text_;
  std::span<const EvalWindow> windows_;
  bool interrupted_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  PerplexityResult latest_;                         // guarded by mutex_
  std::optional<Result<PerplexityResult>> result_;  // guarded by mutex_
  std::thread thread_;                              // last: starts when the rest is there
};

}  // namespace hangar
