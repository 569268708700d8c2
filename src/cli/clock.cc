#include "cli/clock.h"

#include <charconv>
#include <chrono>
#include <cstddef>
#include <optional>

namespace hangar {
namespace {

// Takes fixed digits and marks off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  // Exactly `digits` digits, from least to most.
  int number(std::size_t digits, int least, int most) {
    int value = 0;
    if (rest_.size() < digits) {
      good_ = false;
      return 0;
    }
    for (const char c : rest_.substr(0, digits)) {
      good_ = good_ && c >= '0' && c <= '9';
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    good_ = good_ && value >= least && value <= most;
    return value;
  }
  void expect(char c) { good_ = take(c) && good_; }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // ".123": fractions are dropped.
  void skip_fraction() {
    if (!take('.')) return;
    const std::size_t end = rest_.find_first_not_of("0123456789");
    const std::size_t digits = end == std::string_view::npos ? rest_.size() : end;
    good_ = good_ && digits > 0;
    rest_.remove_prefix(digits);
  }
  bool at_end() const { return rest_.empty(); }
  bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

std::optional<std::int64_t> parse_iso(std::string_view text) {
  Scanner scan(text);
  const int year = scan.number(4, 1, 9999);
  scan.expect('-');
  const int month = scan.number(2, 1, 12);
  scan.expect('-');
  const int day = scan.number(2, 1, 31);
  int hour = 0, minute = 0, second = 0, offset_min = 0;
  if (scan.take('T') || scan.take(' ')) {
    hour = scan.number(2, 0, 23);
    scan.expect(':');
    minute = scan.number(2, 0, 59);
    if (scan.take(':')) {
      second = scan.number(2, 0, 59);
      scan.skip_fraction();
    }
    const bool ahead = scan.take('+');
    if (ahead || scan.take('-')) {
      offset_min = scan.number(2, 0, 23) * 60;
      scan.take(':');
      offset_min += scan.number(2, 0, 59);
      if (!ahead) offset_min = -offset_min;
    } else {
      scan.take('Z');
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!scan.good() || !scan.at_end() || !date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * 86400 + hour * 3600 + minute * 60 + second - std::int64_t{offset_min} * 60;
}

}  // namespace

Result<std::int64_t> parse_moment(std::string_view text) {
  std::int64_t seconds = 0;
  const char* begin = text.data();  // NOLINT(bugprone-suspicious-stringview-data-usage): with end
  const char* end = begin + text.size();
  const auto [stop, failure] = std::from_chars(begin, end, seconds);
  if (failure == std::errc() && stop == end) return seconds;
  if (const auto moment = parse_iso(text)) return *moment;
  return make_error(ErrorCode::kInvalidArgument,
                    "'{}' is no moment: seconds since 1970, or like 2026-11-28T04:05:06Z", text);
}

}  // namespace hangar
