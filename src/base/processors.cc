#include "base/processors.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <thread>

namespace hangar {
namespace {

namespace fs = std::filesystem;

// One line of a small file of the system's; "" where there is none.
std::string first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

std::optional<double> parse_number(std::string_view text) {
  double number = 0.0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end == text.data()) return std::nullopt;
  return number;
}

// "0-3,8" -> 0 1 2 3 8
std::vector<int> parse_list(std::string_view text) {
  std::vector<int> ids;
  while (!text.empty()) {
    const std::string_view range = text.substr(0, text.find(','));
    text.remove_prefix(std::min(range.size() + 1, text.size()));
    int first = 0;
    const auto [dash, failure] = std::from_chars(range.data(), range.data() + range.size(), first);
    if (failure != std::errc()) continue;
    int last = first;
    if (dash != range.data() + range.size() && *dash == '-') {
      std::from_chars(dash + 1, range.data() + range.size(), last);
    }
    for (int id = first; id <= last && id < CPU_SETSIZE; ++id) ids.push_back(id);
  }
  return ids;
}

std::map<int, int> nodes_of_processors(const fs::path& sysfs) {
  std::map<int, int> nodes;
  std::error_code failure;
  for (fs::directory_iterator entry(sysfs / "devices/system/node", failure), end;
       !failure && entry != end; entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with("node")) continue;
    const auto node = parse_number(std::string_view(name).substr(4));
    if (!node) continue;
    for (const int id : parse_list(first_line(entry->path() / "cpulist"))) {
      nodes[id] = static_cast<int>(*node);
    }
  }
  return nodes;
}

std::optional<double> quotient(std::string_view quota, std::string_view period) {
  const auto quota_us = parse_number(quota);
  const auto period_us = parse_number(period);
  // "max" is no number; version 1 says -1.
  if (!quota_us || !period_us || *quota_us <= 0.0 || *period_us <= 0.0) return std::nullopt;
  return *quota_us / *period_us;
}

std::optional<double> limit_of_group(const fs::path& group) {
  const std::string both = first_line(group / "cpu.max");
  if (const auto space = both.find(' '); space != std::string::npos) {
    return quotient(std::string_view(both).substr(0, space),
                    std::string_view(both).substr(space + 1));
  }
  return quotient(first_line(group / "cpu.cfs_quota_us"), first_line(group / "cpu.cfs_period_us"));
}

// Of the group and all above it, up to `mount`. In a container without a namespace for groups the
// path is the host's and is not there; its own group is then what is mounted.
std::optional<double> tightest(const fs::path& mount, std::string_view path) {
  std::optional<double> least = limit_of_group(mount);
  fs::path group = mount;
  for (const fs::path& part : fs::path(path).relative_path()) {
    group /= part;
    const auto limit = limit_of_group(group);
    if (limit) least = std::min(*limit, least.value_or(*limit));
  }
  return least;
}

bool names_cpu(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::string_view one = controllers.substr(0, controllers.find(','));
    if (one == "cpu") return true;
    controllers.remove_prefix(std::min(one.size() + 1, controllers.size()));
  }
  return false;
}

}  // namespace

std::vector<Processor> processors(const fs::path& sysfs) {
  std::vector<Processor> all;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) {
    // More processors than the set has bits: it is the count that matters.
    const int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    for (int id = 0; id < count; ++id) all.push_back({id, 0});
    return all;
  }
  const std::map<int, int> nodes = nodes_of_processors(sysfs);
  for (int id = 0; id < CPU_SETSIZE; ++id) {
    if (!CPU_ISSET(static_cast<std::size_t>(id), &set)) continue;
    const auto node = nodes.find(id);
    all.push_back({id, node == nodes.end() ? 0 : node->second});
  }
  std::sort(all.begin(), all.end(), [](const Processor& a, const Processor& b) {
    return a.node != b.node ? a.node < b.node : a.id < b.id;
  });
  return all;
}

std::optional<double> cgroup_limit(const CgroupPaths& paths) {
  std::optional<double> least;
  const auto take = [&](std::optional<double> limit) {
    if (limit) least = std::min(*limit, least.value_or(*limit));
  };
  // "0::/user.slice" for version 2, "4:cpu,cpuacct:/docker/ab" for version 1.
  std::ifstream in(paths.groups_of_process);
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view text = line;
    const std::string_view controllers = text.substr(first + 1, second - first - 1);
    const std::string_view group = text.substr(second + 1);
    if (controllers.empty()) {
      take(tightest(paths.mount, group));
      take(tightest(paths.mount / "unified", group));
    } else if (names_cpu(controllers)) {
      take(tightest(paths.mount / controllers, group));
      if (controllers != "cpu") take(tightest(paths.mount / "cpu", group));
    }
  }
  return least;
}

int available_processors() {
  auto count = static_cast<double>(processors().size());
  // A thread more than the quota pays for stops them all for the rest of each period.
  if (const auto limit = cgroup_limit()) count = std::min(count, std::floor(*limit));
  return std::max(1, static_cast<int>(count));
}

}  // namespace hangar
