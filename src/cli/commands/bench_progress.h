// BenchProgressLine: how a load comes along, on one line of a terminal.
//
// Promise: shown on standard error where that is a terminal, redrawn five times a second, wiped at
// the
//   end; elsewhere nothing. progress_line is the text alone.
// Errors: none: a line that cannot be written is dropped.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "bench/load.h"

namespace hangar {

// "12.3 s  16 running, 34 of 64 done, 1 failed, 231 tokens/s"
std::string bench_progress_text(const bench::LoadProgress& progress,
                                const bench::LoadOptions& options, double pieces_per_s);

class BenchProgressLine {
 public:
  explicit BenchProgressLine(const bench::LoadOptions& options);
  ~BenchProgressLine();
  BenchProgressLine(const BenchProgressLine&) = delete;
  BenchProgressLine& operator=(const BenchProgressLine&) = delete;

  void show(std::string_view label, const bench::LoadProgress& progress);

 private:
  void wipe();
  // Over the last seconds.
  double speed(const bench::LoadProgress& progress);

  const bench::LoadOptions& options_;
  bool terminal_;
  int columns_;
  bool shown_ = false;
  std::int64_t next_us_ = 0;
  std::deque<std::pair<std::int64_t, std::int64_t>> seen_;  // elapsed_us, pieces
};

}  // namespace hangar
