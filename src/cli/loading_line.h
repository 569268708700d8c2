// A progress line on standard error for work without an end in sight, while the line lives.
//
// Promise: as Progress: nothing in the first half second; on a terminal wiped at the end.
// Errors: none.
// Threads: made and destroyed by one; ticks on a thread of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "base/progress.h"

namespace hangar {

// A Progress::Sink on standard error, in the style of what that is.
Progress::Style error_output_style();
void write_error_output(std::string_view text);

class LoadingLine {
 public:
  explicit LoadingLine(std::string label);
  ~LoadingLine();
  LoadingLine(const LoadingLine&) = delete;
  LoadingLine& operator=(const LoadingLine&) = delete;

 private:
  void tick();

  Progress progress_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;  // last: starts when the rest is there
};

}  // namespace hangar
