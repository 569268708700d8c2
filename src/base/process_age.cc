#include "base/process_age.h"

#include <unistd.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace hangar {
namespace {

constexpr int kStartField = 22;  // of proc(5)'s stat: in clock ticks since the system started

}  // namespace

std::optional<double> process_age_s() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // The second field is the program's name in parentheses, and may hold anything.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int number = 3; number <= kStartField; ++number) {
    if (!(fields >> field)) return std::nullopt;
  }
  const long ticks_a_second = ::sysconf(_SC_CLK_TCK);
  timespec now{};
  if (ticks_a_second <= 0 || ::clock_gettime(CLOCK_BOOTTIME, &now) != 0) return std::nullopt;
  double ticks = 0.0;
  if (!(std::istringstream(field) >> ticks)) return std::nullopt;
  const double now_s = static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  return now_s - ticks / static_cast<double>(ticks_a_second);
}

}  // namespace hangar
