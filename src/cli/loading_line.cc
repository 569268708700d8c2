#include "cli/loading_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

#include "base/terminal.h"
#include "cli/clock.h"

namespace hangar {

Progress::Style error_output_style() {
  return {is_terminal(STDERR_FILENO), terminal_columns(STDERR_FILENO)};
}

void write_error_output(std::string_view text) {
  fmt::print(stderr, "{}", text);
  std::fflush(stderr);
}

LoadingLine::LoadingLine(std::string label)
    : progress_(std::move(label), 0, error_output_style(), write_error_output, steady_now_us()),
      thread_([this] { tick(); }) {}

LoadingLine::~LoadingLine() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  wake_.notify_all();
  thread_.join();
  progress_.finish(steady_now_us());
}

void LoadingLine::tick() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::milliseconds(100), [this] { return done_; })) {
    progress_.update(0, steady_now_us());
  }
}

}  // namespace hangar
