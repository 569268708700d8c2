#include "text/jinja/strftime.h"

#include <array>
#include <ctime>

#include "text/jinja/heap.h"

namespace hangar::jinja {
namespace {

constexpr std::string_view kConversions = "aAwdbBmyYHIpMSjUWcxXGuVCDeFhklnPrRstT";

std::string one_conversion(char conversion, const std::tm& time) {
  const std::array<char, 3> format = {'%', conversion, '\0'};
  std::array<char, 128> buffer = {};
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), format.data(), &time);
  return std::string(buffer.data(), size);
}

}  // namespace

std::string format_time(Heap& heap, std::string_view format, std::int64_t unix_s) {
  const auto seconds = static_cast<std::time_t>(unix_s);
  std::tm time = {};
  if (gmtime_r(&seconds, &time) == nullptr) fail_type("the time {} has no date", unix_s);
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 >= format.size()) {
      heap.append(out, format.substr(i, 1));
      continue;
    }
    // "%-d" and the like: a flag of the C library that drops or changes the padding.
    char flag = '\0';
    char conversion = format[++i];
    if ((conversion == '-' || conversion == '_' || conversion == '0' || conversion == '^') &&
        i + 1 < format.size()) {
      flag = conversion;
      conversion = format[++i];
    }
    if (conversion == '%') {
      heap.append(out, "%");
    } else if (conversion == 'f') {
      heap.append(out, "000000");
    } else if (conversion == 'z' || conversion == 'Z') {
      continue;
    } else if (kConversions.find(conversion) == std::string_view::npos) {
      fail_type("strftime_now: '%{}' is no conversion", conversion);
    } else if (flag == '\0') {
      heap.append(out, one_conversion(conversion, time));
    } else {
      const std::array<char, 4> with_flag = {'%', flag, conversion, '\0'};
      std::array<char, 128> buffer = {};
      const std::size_t size = std::strftime(buffer.data(), buffer.size(), with_flag.data(), &time);
      heap.append(out, std::string_view(buffer.data(), size));
    }
  }
  return out;
}

}  // namespace hangar::jinja
