#include "cli/hub_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/terminal.h"
#include "base/units.h"
#include "cli/clock.h"
#include "cli/interrupt.h"
#include "cli/table.h"

namespace hangar {
namespace {

constexpr std::int64_t kQuietUs = 300'000;
constexpr std::int64_t kRedrawUs = 100'000;
constexpr std::int64_t kLogLineUs = 10'000'000;
constexpr std::int64_t kSpeedWindowUs = 5'000'000;
constexpr std::string_view kWipeLine = "\r\x1b[K";
constexpr int kWidestBar = 30;

}  // namespace

HubProgress::HubProgress(Progress::Style style, Sink sink, std::function<std::int64_t()> clock)
    : style_(style), sink_(std::move(sink)), clock_(std::move(clock)) {}

HubProgress HubProgress::to_terminal() {
  return {{is_terminal(STDERR_FILENO), terminal_columns(STDERR_FILENO)},
          [](std::string_view text) {
            fmt::print(stderr, "{}", text);
            std::fflush(stderr);
          },
          steady_now_us};
}

bool HubProgress::cancelled() {
  return InterruptScope::pending();
}

void HubProgress::wipe() {
  if (drawn_) sink_(kWipeLine);
  drawn_ = false;
}

void HubProgress::line(std::string_view text) {
  wipe();
  sink_(fmt::format("{}\n", printable(text)));
}

void HubProgress::note(std::string_view text) {
  line(text);
}

void HubProgress::begin(std::string_view what, std::uint64_t total_bytes) {
  what_ = what;
  total_ = total_bytes;
  start_us_ = clock_();
  next_us_ = start_us_ + (style_.terminal ? kQuietUs : kLogLineUs);
  samples_.clear();
}

std::string HubProgress::state_text(std::uint64_t done, std::int64_t now_us) const {
  std::string text = fmt::format("{} of {}", format_bytes(done), format_bytes(total_));
  const Sample& oldest = samples_.front();
  if (now_us <= oldest.time_us || done <= oldest.bytes) return text;
  const double speed =
      static_cast<double>(done - oldest.bytes) * 1e6 / static_cast<double>(now_us - oldest.time_us);
  text += fmt::format("  {}/s", format_bytes(static_cast<std::uint64_t>(speed)));
  if (done < total_ && speed >= 1) {
    const double left_s = static_cast<double>(total_ - done) / speed;
    text += fmt::format(
        "  {} left", format_duration(static_cast<std::int64_t>(std::min(left_s, 1e9)) * 1'000'000));
  }
  return text;
}

void HubProgress::progress(std::uint64_t done_bytes) {
  const std::int64_t now_us = clock_();
  // A file that begins anew makes the sum smaller: so does the speed's base.
  if (!samples_.empty() && done_bytes < samples_.back().bytes) samples_.clear();
  if (samples_.empty() || now_us - samples_.back().time_us >= kRedrawUs) {
    samples_.push_back({now_us, done_bytes});
  }
  while (samples_.size() > 2 && now_us - samples_.front().time_us > kSpeedWindowUs) {
    samples_.pop_front();
  }
  if (total_ == 0 || now_us < next_us_) return;
  const double fraction =
      std::min(1.0, static_cast<double>(done_bytes) / static_cast<double>(total_));
  const std::string state = state_text(done_bytes, now_us);
  if (!style_.terminal) {
    line(fmt::format("{}: {:.0f}%, {}", what_, fraction * 100, state));
    next_us_ = now_us + kLogLineUs;
    return;
  }
  std::string text = fmt::format("{} {:3.0f}%", what_, fraction * 100);
  const int room = style_.columns - 1 - static_cast<int>(text.size() + state.size()) - 6;
  if (room >= 8) {
    const auto bar = static_cast<std::size_t>(std::min(room, kWidestBar));
    const auto full = static_cast<std::size_t>(fraction * static_cast<double>(bar));
    text += fmt::format(" [{}{}]", std::string(full, '#'), std::string(bar - full, ' '));
  }
  text += "  " + state;
  text.resize(std::min(text.size(), static_cast<std::size_t>(std::max(style_.columns - 1, 1))));
  sink_(fmt::format("{}{}", kWipeLine, text));
  drawn_ = true;
  next_us_ = now_us + kRedrawUs;
}

void HubProgress::file_done(std::string_view path, std::uint64_t bytes) {
  if (!style_.terminal) line(fmt::format("{} ({})", path, format_bytes(bytes)));
}

void HubProgress::end() {
  wipe();
}

}  // namespace hangar
