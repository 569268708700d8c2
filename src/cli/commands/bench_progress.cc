#include "cli/commands/bench_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/terminal.h"
#include "cli/loading_line.h"

namespace hangar {
namespace {

constexpr std::int64_t kRedrawUs = 200'000;
constexpr std::int64_t kSpeedWindowUs = 3'000'000;

}  // namespace

std::string bench_progress_text(const bench::LoadProgress& progress,
                                const bench::LoadOptions& options, double pieces_per_s) {
  const double elapsed_s = static_cast<double>(progress.elapsed_us) / 1e6;
  std::string text;
  if (progress.warming_up) {
    text = fmt::format("warming up  {:.1f} s", elapsed_s);
  } else if (options.duration_us > 0) {
    text =
        fmt::format("{:.1f} of {:g} s", elapsed_s, static_cast<double>(options.duration_us) / 1e6);
  } else {
    text = fmt::format("{:.1f} s", elapsed_s);
  }
  text += fmt::format("  {} running, {}", progress.running, progress.ended);
  const std::int64_t all = progress.warming_up ? options.warmup : options.requests;
  if (all > 0) text += fmt::format(" of {}", all);
  text += " done";
  if (progress.failed > 0) text += fmt::format(", {} failed", progress.failed);
  return text + fmt::format(", {:.0f} tokens/s", pieces_per_s);
}

BenchProgressLine::BenchProgressLine(const bench::LoadOptions& options)
    : options_(options),
      terminal_(is_terminal(STDERR_FILENO)),
      columns_(terminal_columns(STDERR_FILENO)) {}

BenchProgressLine::~BenchProgressLine() {
  wipe();
}

void BenchProgressLine::wipe() {
  if (shown_) write_error_output("\r\x1b[K");
  shown_ = false;
}

double BenchProgressLine::speed(const bench::LoadProgress& progress) {
  // A new pass begins from nothing.
  if (!seen_.empty() && progress.elapsed_us < seen_.back().first) seen_.clear();
  seen_.emplace_back(progress.elapsed_us, progress.pieces);
  while (seen_.back().first - seen_.front().first > kSpeedWindowUs) seen_.pop_front();
  const std::int64_t time_us = seen_.back().first - seen_.front().first;
  return time_us > 0 ? static_cast<double>(seen_.back().second - seen_.front().second) /
                           (static_cast<double>(time_us) / 1e6)
                     : 0.0;
}

void BenchProgressLine::show(std::string_view label, const bench::LoadProgress& progress) {
  if (!terminal_) return;
  const std::int64_t now_us = steady_now_us();
  if (now_us < next_us_) return;
  next_us_ = now_us + kRedrawUs;
  std::string text = bench_progress_text(progress, options_, speed(progress));
  if (!label.empty()) text = fmt::format("{}  {}", label, text);
  text.resize(std::min(text.size(), static_cast<std::size_t>(columns_ > 1 ? columns_ - 1 : 1)));
  write_error_output("\r\x1b[K" + text);
  shown_ = true;
}

}  // namespace hangar
