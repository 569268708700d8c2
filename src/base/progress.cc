#include "base/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "base/units.h"

namespace hangar {
namespace {

constexpr std::int64_t kQuietUs = 500'000;
constexpr std::int64_t kRedrawUs = 100'000;
constexpr std::int64_t kLogLineUs = 10'000'000;
constexpr std::string_view kWipeLine = "\r\x1b[K";

double fraction_of(std::uint64_t done, std::uint64_t total) {
  return std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
}

}  // namespace

std::string progress_bar(std::string_view label, std::uint64_t done, std::uint64_t total,
                         std::int64_t elapsed_us, int columns) {
  const std::string time = format_duration(elapsed_us);
  const auto width = static_cast<std::size_t>(std::max(columns, 0));
  std::string line;
  if (total == 0) {
    line = fmt::format("{}  {}", label, time);
  } else {
    const double fraction = fraction_of(done, total);
    const std::string head = fmt::format("{} {:3.0f}%", label, fraction * 100);
    const std::size_t around = head.size() + time.size() + 4;  // " [" and "] "
    // Without room for a bar worth looking at, the figures alone.
    if (width < around + 10) {
      line = fmt::format("{} {}", head, time);
    } else {
      const std::size_t bar = std::min<std::size_t>(width - around, 40);
      const auto full = static_cast<std::size_t>(fraction * static_cast<double>(bar));
      line = fmt::format("{} [{}{}] {}", head, std::string(full, '#'), std::string(bar - full, ' '),
                         time);
    }
  }
  return line.substr(0, width);
}

Progress::Progress(std::string label, std::uint64_t total, Style style, Sink sink,
                   std::int64_t now_us)
    : label_(std::move(label)),
      total_(total),
      style_(style),
      sink_(std::move(sink)),
      start_us_(now_us),
      next_us_(now_us + (style.terminal ? kQuietUs : kLogLineUs)) {}

void Progress::update(std::uint64_t done, std::int64_t now_us) {
  if (now_us < next_us_) return;
  const std::int64_t elapsed_us = now_us - start_us_;
  if (style_.terminal) {
    sink_(fmt::format("{}{}", kWipeLine,
                      progress_bar(label_, done, total_, elapsed_us, style_.columns - 1)));
    next_us_ = now_us + kRedrawUs;
  } else {
    const std::string part =
        total_ == 0 ? "" : fmt::format(" {:.0f}%", fraction_of(done, total_) * 100);
    sink_(fmt::format("{}{} after {}\n", label_, part, format_duration(elapsed_us)));
    next_us_ = now_us + kLogLineUs;
  }
  shown_ = true;
}

void Progress::finish(std::int64_t now_us) {
  if (!shown_) return;
  if (style_.terminal) sink_(kWipeLine);
  sink_(fmt::format("{}: done in {}\n", label_, format_duration(now_us - start_us_)));
  shown_ = false;
}

}  // namespace hangar
