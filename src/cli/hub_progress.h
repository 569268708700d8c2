// HubProgress: how a pull or a check goes on, at the terminal or in a log.
//
// Promise: on a terminal one line is redrawn at most ten times a second ("pulling  45% [####    ]
// 1.2 GB
//   of 2.7 GB  85 MB/s  18 s left") and wiped at the end; elsewhere a line for each file and, on
//   long work, one every ten seconds. Ctrl-C is what cancelled() tells of: an InterruptScope must
//   stand.
// Units: bytes; the speed is that of the last few seconds.
// Errors: none: a line that cannot be written is dropped.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "hub/session.h"

namespace hangar {

class HubProgress : public hub::HubWatcher {
 public:
  using Sink = std::function<void(std::string_view)>;

  // clock: microseconds.
  HubProgress(Progress::Style style, Sink sink, std::function<std::int64_t()> clock);
  // To standard error.
  static HubProgress to_terminal();

  bool cancelled() override;
  void note(std::string_view text) override;
  void begin(std::string_view what, std::uint64_t total_bytes) override;
  void progress(std::uint64_t done_bytes) override;
  void file_done(std::string_view path, std::uint64_t bytes) override;
  void end() override;

 private:
  struct Sample {
    std::int64_t time_us;
    std::uint64_t bytes;
  };

  void wipe();
  void line(std::string_view text);
  std::string state_text(std::uint64_t done, std::int64_t now_us) const;

  Progress::Style style_;
  Sink sink_;
  std::function<std::int64_t()> clock_;
  std::string what_;
  std::uint64_t total_ = 0;
  std::int64_t start_us_ = 0;
  std::int64_t next_us_ = 0;
  std::deque<Sample> samples_;
  bool drawn_ = false;
};

}  // namespace hangar
