#include "base/cards.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace hangar {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// tests/fakes/fake_nvml.cc as one machine's driver; `fault`: which way it fails.
class CardsTest : public ::testing::Test {
 protected:
  void TearDown() override { ::unsetenv("HANGAR_FAKE_NVML"); }

  Result<CardList> with(const std::string& fault) {
    ::setenv("HANGAR_FAKE_NVML", fault.c_str(), 1);
    return list_cards(paths_);
  }
  // Why there is none.
  std::string refusal(const std::string& fault) {
    const Result<CardList> list = with(fault);
    if (list) return "it started";
    EXPECT_EQ(list.error().code, ErrorCode::kUnavailable);
    return list.error().message;
  }
  // What is wrong with the second card; the first is well.
  std::string second_card(const std::string& fault) {
    const Result<CardList> list = with(fault);
    if (!list || list->cards.size() != 2) return "not two cards";
    EXPECT_EQ(list->cards[0].problem, "");
    EXPECT_EQ(list->problem, "");
    return list->cards[1].problem;
  }

  CardPaths paths_{.nvml = HANGAR_FAKE_NVML_LIBRARY};
};

TEST_F(CardsTest, EveryNumberComesThroughInItsUnit) {
  const Result<CardList> list = with("");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->driver, "580.82.07");
  EXPECT_EQ(list->driver_cuda, 13000);
  EXPECT_EQ(cuda_version_text(list->driver_cuda), "13.0");
  EXPECT_EQ(list->problem, "");
  ASSERT_EQ(list->cards.size(), 2U);
  const CardInfo& card = list->cards[0];
  EXPECT_EQ(card.index, 0);
  EXPECT_EQ(card.name, "NVIDIA H200");
  EXPECT_EQ(card.uuid, "GPU-11111111-2222-3333-4444-555555555555");
  EXPECT_EQ(card.bus, "00000000:1A:00.0");
  EXPECT_EQ(card.problem, "");
  EXPECT_EQ(card.capability_major, 9);
  EXPECT_EQ(card.capability_minor, 0);
  EXPECT_EQ(card.memory_bytes, 150'754'820'096U);
  EXPECT_EQ(card.memory_used_bytes, 20'000'000'000U);
  EXPECT_EQ(card.memory_free_bytes, 130'754'820'096U);
  EXPECT_DOUBLE_EQ(card.power_w.value(), 345.678);
  EXPECT_DOUBLE_EQ(card.power_limit_w.value(), 700);
  EXPECT_DOUBLE_EQ(card.energy_j.value(), 1'234'567.89);
  EXPECT_DOUBLE_EQ(card.busy_share.value(), 0.97);
  EXPECT_DOUBLE_EQ(card.memory_busy_share.value(), 0.61);
  EXPECT_EQ(card.temperature_c, 56);
  EXPECT_EQ(card.clock_mhz, 1755);
  EXPECT_EQ(card.clock_most_mhz, 1980);
  EXPECT_EQ(card.memory_clock_mhz, 3201);
  EXPECT_THAT(card.slowed_by, ElementsAre("power limit", "heat"));
  EXPECT_EQ(card.compute_mode, "shared");
  EXPECT_EQ(card.mig, false);
  EXPECT_EQ(card.processes, 2);
  EXPECT_EQ(card.pcie_generation, 5);
  EXPECT_EQ(card.pcie_lanes, 16);
  EXPECT_EQ(card.nvlinks, 18);
  const CardInfo& other = list->cards[1];
  EXPECT_EQ(other.index, 1);
  EXPECT_EQ(other.bus, "00000000:1B:00.0");
  EXPECT_DOUBLE_EQ(other.power_w.value(), 77);
  EXPECT_THAT(other.slowed_by, IsEmpty());  // idle is no reason
  EXPECT_EQ(other.processes, 0);
  EXPECT_EQ(other.nvlinks, 6);
}

TEST_F(CardsTest, ADriverThatDoesNotStartSaysWhy) {
  EXPECT_THAT(refusal("not_loaded"),
              AllOf(HasSubstr("kernel module is not loaded"), HasSubstr("docker run --gpus all")));
  EXPECT_THAT(refusal("no_permission"), HasSubstr("may not open NVIDIA's driver"));
  EXPECT_THAT(refusal("mismatch"), HasSubstr("different versions"));
  EXPECT_THAT(refusal("strange"), HasSubstr("Unknown Error"));
}

TEST_F(CardsTest, ADriverThatIsTooOldStillListsItsCards) {
  const Result<CardList> list = with("old_driver");
  ASSERT_TRUE(list);
  EXPECT_THAT(list->problem, AllOf(HasSubstr("550.54.15"), HasSubstr("CUDA 12.4"),
                                   HasSubstr("made with 13.0"), HasSubstr("driver 580")));
  EXPECT_EQ(list->cards.size(), 2U);
}

TEST_F(CardsTest, NoCardsAndNoCountAreDifferentThings) {
  const Result<CardList> none = with("none");
  ASSERT_TRUE(none);
  EXPECT_THAT(none->cards, IsEmpty());
  EXPECT_EQ(none->problem, "");
  const Result<CardList> strange = with("no_count");
  ASSERT_TRUE(strange);
  EXPECT_THAT(strange->cards, IsEmpty());
  EXPECT_THAT(strange->problem, HasSubstr("Unknown Error"));
}

TEST_F(CardsTest, ACardThatCannotBeUsedSaysWhyAndTheOtherStays) {
  EXPECT_THAT(second_card("lost"), AllOf(HasSubstr("lost"), HasSubstr("Xid")));
  EXPECT_THAT(second_card("lost_later"), AllOf(HasSubstr("lost"), HasSubstr("Xid")));
  EXPECT_THAT(second_card("reset"), HasSubstr("needs a reset"));
  EXPECT_THAT(second_card("forbidden"), HasSubstr("/dev/nvidia1"));
  EXPECT_THAT(second_card("no_power"), HasSubstr("power"));
  EXPECT_THAT(second_card("old_card"), AllOf(HasSubstr("7.5"), HasSubstr("8.0")));
  EXPECT_THAT(second_card("prohibited"), HasSubstr("prohibited"));
  EXPECT_THAT(second_card("exclusive"), HasSubstr("another process has it"));
}

TEST_F(CardsTest, WhatACardDoesNotTellIsNoNumber) {
  EXPECT_EQ(second_card("sparse"), "");
  const CardInfo card = with("sparse")->cards[1];
  EXPECT_EQ(card.name, "NVIDIA H200");
  EXPECT_EQ(card.uuid, "");
  EXPECT_EQ(card.capability_major, 0);
  EXPECT_FALSE(card.memory_bytes.has_value());
  EXPECT_FALSE(card.power_w.has_value());
  EXPECT_FALSE(card.temperature_c.has_value());
  EXPECT_FALSE(card.busy_share.has_value());
  EXPECT_FALSE(card.processes.has_value());
  EXPECT_FALSE(card.nvlinks.has_value());
  EXPECT_FALSE(card.mig.has_value());
  EXPECT_EQ(card.compute_mode, "");
}

// A machine without the library: what else it shows says what is missing.
class NoLibraryTest : public ::testing::Test {
 protected:
  NoLibraryTest() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("cards-" + std::to_string(std::hash<std::thread::id>()(std::this_thread::get_id())) +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    paths_ = {.nvml = (folder_ / "libnvidia-ml.so.1").string(),
              .proc = folder_ / "proc",
              .sysfs = folder_ / "sys"};
  }
  ~NoLibraryTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  }
  std::string refusal() const {
    const Result<CardList> list = list_cards(paths_);
    EXPECT_FALSE(list);
    return list ? "" : list.error().message;
  }

  std::filesystem::path folder_;
  CardPaths paths_;
};

TEST_F(NoLibraryTest, NoCardAndNoDriver) {
  write(paths_.sysfs / "bus/pci/devices/0000:00:02.0/vendor", "0x8086");
  write(paths_.sysfs / "bus/pci/devices/0000:00:02.0/class", "0x030000");
  write(paths_.sysfs / "bus/pci/devices/0000:00:03.0/vendor", "0x10de");  // a sound device
  write(paths_.sysfs / "bus/pci/devices/0000:00:03.0/class", "0x040300");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("No NVIDIA card and no driver here"),
                               HasSubstr("libnvidia-ml.so.1")));
}

TEST_F(NoLibraryTest, ACardWithoutADriver) {
  write(paths_.sysfs / "bus/pci/devices/0000:1a:00.0/vendor", "0x10de");
  write(paths_.sysfs / "bus/pci/devices/0000:1a:00.0/class", "0x030200");
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("0000:1a:00.0"), HasSubstr("no driver"), HasSubstr("580 or newer")));
}

TEST_F(NoLibraryTest, AContainerWithoutTheGpu) {
  write(paths_.proc / "driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module");
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("its library is not here"), HasSubstr("docker run --gpus all")));
}

TEST_F(NoLibraryTest, ALibraryOfAnotherKindIsNoDriver) {
  paths_.nvml = "libm.so.6";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("too old"), HasSubstr("nvmlInit_v2")));
}

TEST(CardPathsTest, TheEnvironmentNamesAnotherLibrary) {
  ::setenv("HANGAR_NVML", "somewhere/libnvidia-ml.so.1", 1);
  EXPECT_EQ(CardPaths::from_environment().nvml, "somewhere/libnvidia-ml.so.1");
  ::unsetenv("HANGAR_NVML");
  EXPECT_EQ(CardPaths::from_environment().nvml, "libnvidia-ml.so.1");
}

TEST_F(CardsTest, WhileOneThreadHangsInTheDriverOthersGetTheLastAnswer) {
  void* library = ::dlopen(HANGAR_FAKE_NVML_LIBRARY, RTLD_NOW);
  ASSERT_NE(library, nullptr);
  const auto set_stuck = reinterpret_cast<void (*)(bool)>(::dlsym(library, "fake_nvml_set_stuck"));
  ASSERT_NE(set_stuck, nullptr);
  const auto watch = CardWatch::open(paths_);
  ASSERT_TRUE(watch);
  ASSERT_EQ((*watch)->read().cards.size(), 2U);
  set_stuck(true);
  std::atomic<int> ended{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      EXPECT_EQ((*watch)->read().cards.size(), 2U);
      ++ended;
    });
  }
  // All but the one that is held come back.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (ended < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_EQ(ended, 2);
  set_stuck(false);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended, 3);
  ::dlclose(library);
}

TEST_F(CardsTest, ManyThreadsMayRead) {
  const auto watch = CardWatch::open(paths_);
  ASSERT_TRUE(watch);
  ASSERT_EQ((*watch)->read().cards.size(), 2U);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int& count : wrong) {
    threads.emplace_back([&count, &watch] {
      for (int i = 0; i < 200; ++i) count += (*watch)->read().cards.size() == 2 ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ElementsAre(0, 0, 0, 0));
}

}  // namespace
}  // namespace hangar
