#include "base/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string_view>

namespace hangar {
namespace {

// The value in the largest unit that leaves at least 1 before the point.
std::string scaled(std::uint64_t value, const std::array<std::string_view, 6>& units) {
  double number = static_cast<double>(value);
  std::size_t unit = 0;
  // 999.95 would be written as 1000.0.
  while (number >= 999.95 && unit + 1 < units.size()) {
    number /= 1000;
    ++unit;
  }
  if (unit == 0) return fmt::format("{}{}", value, units[0]);
  return fmt::format("{:.1f}{}", number, units[unit]);
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
  return scaled(bytes, {" B", " kB", " MB", " GB", " TB", " PB"});
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  double number = 0.0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || !std::isfinite(number) || number <= 0.0) return std::nullopt;
  std::string unit(end, text.data() + text.size());
  unit.erase(0, std::min(unit.find_first_not_of(' '), unit.size()));
  for (char& c : unit) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  double factor = 1.0;
  if (!unit.empty() && unit != "B") {
    const std::size_t power = std::string_view("KMGT").find(unit.front());
    const std::string_view rest = std::string_view(unit).substr(1);
    if (power == std::string_view::npos || (rest != "B" && rest != "IB" && !rest.empty())) {
      return std::nullopt;
    }
    factor = std::pow(rest == "IB" ? 1024.0 : 1000.0, static_cast<double>(power + 1));
  }
  constexpr double kMost = 9.2e18;
  if (number * factor < 1.0 || number * factor > kMost) return std::nullopt;
  return static_cast<std::uint64_t>(number * factor);
}

std::optional<double> parse_share(std::string_view text) {
  double share = 0.0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(share > 0.0) || share > 1.0) return std::nullopt;
  return share;
}

std::string format_count(std::uint64_t count) {
  return scaled(count, {"", "k", "M", "B", "T", "Q"});
}

std::string format_duration(std::int64_t time_us) {
  if (time_us < 1000) return fmt::format("{} us", time_us);
  const double seconds = static_cast<double>(time_us) * 1e-6;
  if (time_us < 1'000'000) return fmt::format("{:.1f} ms", seconds * 1e3);
  if (time_us < 60'000'000) return fmt::format("{:.2f} s", seconds);
  const std::int64_t whole_s = time_us / 1'000'000;
  return fmt::format("{} min {:02} s", whole_s / 60, whole_s % 60);
}

}  // namespace hangar
