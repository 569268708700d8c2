// Progress: how far long work has come: a bar on a terminal, plain lines in a log.
//
// Promise: nothing is shown in the first 500 ms, so quick work is quiet. On a terminal one line is
//   redrawn at most ten times a second and wiped at the end; elsewhere a line is written every ten
//   seconds. What has been shown ends with a last line.
// Units: `total` and `done` in whatever the label names; total 0: unknown, only the time is shown.
//   Times are microseconds on one monotonic clock, given by the caller.
// Errors: none: a progress line that cannot be written is dropped.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace hangar {

// "loading model   45% [#########           ]  3.2 s", at most `columns` wide.
std::string progress_bar(std::string_view label, std::uint64_t done, std::uint64_t total,
                         std::int64_t elapsed_us, int columns);

class Progress {
 public:
  struct Style {
    bool terminal = false;
    int columns = 80;
  };
  using Sink = std::function<void(std::string_view)>;

  Progress(std::string label, std::uint64_t total, Style style, Sink sink, std::int64_t now_us);
  // What later lines begin with.
  void set_label(std::string label) { label_ = std::move(label); }
  void update(std::uint64_t done, std::int64_t now_us);
  void finish(std::int64_t now_us);

 private:
  std::string label_;
  std::uint64_t total_;
  Style style_;
  Sink sink_;
  std::int64_t start_us_;
  std::int64_t next_us_;
  bool shown_ = false;
};

}  // namespace hangar
