// Ctrl-C as a thing to ask about, and SIGTERM as a call to make.
//
// Promise: between InterruptScope's constructor and destructor SIGINT ends no program: taken() says
//   whether it came since last asked, and a system call that main waits in returns EINTR. Outside a
//   scope SIGINT does what it does by default. One scope at a time.
//   TerminationWatch calls on_first at the first SIGINT or SIGTERM; a second one ends the process
//   at once with 128 + its number.
// Errors: none.
// Threads: InterruptScope is main's. TerminationWatch is made before any other thread (so that all
//   inherit the blocked signals); on_first runs on its own thread.
#pragma once

#include <functional>
#include <thread>

namespace hangar {

class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  // Whether Ctrl-C came since the last call.
  static bool taken();
  // Looks without taking.
  static bool pending();
};

class TerminationWatch {
 public:
  explicit TerminationWatch(std::function<void(int signal)> on_first);
  ~TerminationWatch();
  TerminationWatch(const TerminationWatch&) = delete;
  TerminationWatch& operator=(const TerminationWatch&) = delete;

 private:
  void watch();

  std::function<void(int)> on_first_;
  int stop_pipe_[2] = {-1, -1};
  int signal_fd_ = -1;
  std::thread thread_;
};

}  // namespace hangar
