#include "base/processors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

namespace hangar {
namespace {

namespace fs = std::filesystem;

class ProcessorsTest : public ::testing::Test {
 protected:
  ProcessorsTest() { fs::create_directories(root_); }
  ~ProcessorsTest() override { fs::remove_all(root_); }
  void write(const fs::path& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::optional<double> limit() const { return cgroup_limit({root_ / "cgroup", root_ / "fs"}); }

  const fs::path root_ =
      fs::temp_directory_path() / ("hangar_processors_" + std::to_string(::getpid()));
};

TEST_F(ProcessorsTest, AreThoseOfTheAffinityMask) {
  const std::vector<Processor> all = processors();
  ASSERT_FALSE(all.empty());
  EXPECT_GE(available_processors(), 1);
  EXPECT_LE(available_processors(), std::ssize(all));
  std::vector<Processor> one;
  std::thread([&] {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(all.back().id), &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
    one = processors();
  }).join();
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].id, all.back().id);
}

TEST_F(ProcessorsTest, OneNodeAfterTheOther) {
  const std::vector<Processor> real = processors();
  if (real.size() < 2) GTEST_SKIP() << "one processor has one order";
  // The first processor in the last node.
  std::string others;
  for (std::size_t i = 1; i < real.size(); ++i) others += std::to_string(real[i].id) + ",";
  write("devices/system/node/node0/cpulist", others + "900-903\n");
  write("devices/system/node/node7/cpulist", std::to_string(real[0].id) + "\n");
  write("devices/system/node/possible", "0-7\n");
  const std::vector<Processor> all = processors(root_);
  ASSERT_EQ(all.size(), real.size());
  EXPECT_EQ(all.back().id, real[0].id);
  EXPECT_EQ(all.back().node, 7);
  EXPECT_EQ(all.front().id, real[1].id);
  EXPECT_EQ(all.front().node, 0);
}

TEST_F(ProcessorsTest, NoGroupsNoLimit) {
  EXPECT_EQ(limit(), std::nullopt);
  write("cgroup", "0::/\n");
  EXPECT_EQ(limit(), std::nullopt);
  write("fs/cpu.max", "max 100000\n");
  EXPECT_EQ(limit(), std::nullopt);
}

TEST_F(ProcessorsTest, VersionTwoTheTightestLevel) {
  write("cgroup", "0::/pods/one\n");
  write("fs/pods/cpu.max", "400000 100000\n");
  EXPECT_EQ(limit(), 4.0);
  write("fs/pods/one/cpu.max", "250000 100000\n");
  EXPECT_EQ(limit(), 2.5);
  write("fs/cpu.max", "50000 100000\n");
  EXPECT_EQ(limit(), 0.5);
}

TEST_F(ProcessorsTest, VersionOne) {
  write("cgroup", "9:memory:/x\n4:cpu,cpuacct:/docker/ab\n3:cpuset:/docker/ab\n");
  write("fs/cpu,cpuacct/docker/ab/cpu.cfs_quota_us", "150000\n");
  write("fs/cpu,cpuacct/docker/ab/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), 1.5);
  write("fs/cpu,cpuacct/docker/ab/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(limit(), std::nullopt);
}

// A container that sees the host's path, and its own group mounted.
TEST_F(ProcessorsTest, VersionOneWhereThePathIsTheHosts) {
  write("cgroup", "4:cpuacct,cpu:/host/only\n");
  write("fs/cpu/cpu.cfs_quota_us", "300000\n");
  write("fs/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), 3.0);
}

TEST_F(ProcessorsTest, NonsenseIsNoLimit) {
  write("cgroup", "no colons\n:\n0::/\n");
  for (const char* text : {"", "x y\n", "100000\n", "100000 0\n", "-5 100000\n"}) {
    write("fs/cpu.max", text);
    EXPECT_EQ(limit(), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace hangar
