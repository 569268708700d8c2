// Processors: which ones this process may compute on, and how they hang together.
//
// Promise: processors() are those of the calling thread's affinity mask, those of one memory node
//   together, nodes and processors in rising order. cgroup_limit() is the processor time that the
//   control groups around this process allow, in processors (2.5), of all levels the tightest.
//   available_processors() is how many threads may compute at once without being stopped: the
//   whole processors of the tighter of the two, at least 1.
// Errors: none: what the system does not tell is no limit, and one node.
// Threads: any.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace hangar {

struct Processor {
  int id = 0;    // as the system numbers them
  int node = 0;  // whose memory is near
};

std::vector<Processor> processors(const std::filesystem::path& sysfs = "/sys");

struct CgroupPaths {
  std::filesystem::path groups_of_process = "/proc/self/cgroup";
  std::filesystem::path mount = "/sys/fs/cgroup";
};
// Versions 2 (cpu.max) and 1 (cpu.cfs_quota_us).
std::optional<double> cgroup_limit(const CgroupPaths& paths = {});

int available_processors();

}  // namespace hangar
