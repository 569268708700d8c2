#include "serve/metrics/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace hangar {
namespace {

// The fields of /proc/self/stat behind the name, which may hold spaces; [0] is the state.
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(line.substr(name_end + 1));
  return {std::istream_iterator<std::string>(rest), {}};
}

// Seconds since 1970 at which the machine was started.
double boot_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    double value = 0;
    if (word == "btime" && file >> value) return value;
  }
  return 0;
}

double count_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator open("/proc/self/fd", error);
  // One of them is the reading of the folder itself.
  return error ? 0.0 : static_cast<double>(std::distance(begin(open), end(open))) - 1.0;
}

}  // namespace

ProcessStats read_process_stats() {
  // Numbers of the manual page proc(5), less the two in front of the state.
  constexpr std::size_t kUserTicks = 11, kSystemTicks = 12, kThreads = 17, kStartTicks = 19,
                        kVirtualBytes = 20, kResidentPages = 21;
  ProcessStats stats;
  const std::vector<std::string> fields = stat_fields();
  if (fields.size() > kResidentPages) {
    const auto number = [&](std::size_t index) {
      return std::strtod(fields[index].c_str(), nullptr);
    };
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    stats.cpu_seconds = (number(kUserTicks) + number(kSystemTicks)) / ticks;
    stats.threads = number(kThreads);
    stats.start_unix_seconds = boot_seconds() + number(kStartTicks) / ticks;
    stats.virtual_bytes = number(kVirtualBytes);
    stats.resident_bytes = number(kResidentPages) * static_cast<double>(sysconf(_SC_PAGESIZE));
  }
  stats.open_descriptors = count_descriptors();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    stats.max_descriptors = static_cast<double>(limit.rlim_cur);
  }
  return stats;
}

}  // namespace hangar
