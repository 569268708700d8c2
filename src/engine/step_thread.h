// StepThread: computes steps, one at a time, while another thread plans the next.
//
// Promise: start() hands a step over; wait() returns it when it is done. running_since_us() tells
// how
//   long one has been under way. An exception in the model becomes the step's error.
// Errors: none. Threads: start and wait from the plan thread; running_since_us from any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/runner.h"
#include "engine/step.h"

namespace hangar {

class StepThread {
 public:
  explicit StepThread(Runner& runner);
  ~StepThread();  // waits for the step under way
  StepThread(const StepThread&) = delete;
  StepThread& operator=(const StepThread&) = delete;

  void start(std::unique_ptr<Step> step);
  bool busy() const { return running_since_us_.load() != 0; }
  std::unique_ptr<Step> wait();
  std::int64_t running_since_us() const { return running_since_us_.load(); }  // 0: none

 private:
  void loop();

  Runner& runner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Step> todo_;
  std::unique_ptr<Step> done_;
  bool ending_ = false;
  std::atomic<std::int64_t> running_since_us_{0};  // from start() to wait()
  std::thread thread_;                             // last: it uses all of the above
};

}  // namespace hangar
