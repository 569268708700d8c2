#include "cli/device_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

namespace hangar {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

CardList one_card() {
  CardList list;
  list.driver = "580.82.07";
  list.driver_cuda = 13000;
  CardInfo card;
  card.name = "NVIDIA H200";
  card.uuid = "GPU-1";
  card.capability_major = 9;
  card.memory_bytes = 150'000'000'000U;
  card.memory_free_bytes = 140'000'000'000U;
  card.power_w = 345.6;
  card.power_limit_w = 700.0;
  card.busy_share = 0.97;
  card.clock_mhz = 1755;
  card.clock_most_mhz = 1980;
  card.temperature_c = 56;
  card.pcie_generation = 5;
  card.pcie_lanes = 16;
  card.nvlinks = 18;
  list.cards.push_back(card);
  return list;
}

const ProcessorReport kProcessors{.model = "A Processor",
                                  .instruction_set = "AVX3_DL",
                                  .processors = 2,
                                  .threads = 2,
                                  .nodes = 1,
                                  .limit = std::nullopt,
                                  .memory_bytes = 8'000'000'000U};

const Result<std::filesystem::path> kLibrary = std::filesystem::path("/opt/lib/libhangar_cuda.so");

TEST(DeviceReportTest, WhichLibraryComputesOrWhyNone) {
  const std::string text = devices_text(kProcessors, one_card(), kLibrary);
  EXPECT_THAT(text, HasSubstr("\nthey are computed on by /opt/lib/libhangar_cuda.so\n"));
  const boost::json::object json = devices_json(kProcessors, one_card(), kLibrary);
  EXPECT_EQ(json.at("library").as_string(), "/opt/lib/libhangar_cuda.so");
  EXPECT_TRUE(json.at("library_problem").is_null());
  const Result<std::filesystem::path> absent = make_error(ErrorCode::kUnsupported, "It is absent.");
  EXPECT_THAT(devices_text(kProcessors, one_card(), absent),
              HasSubstr("\nnothing here computes on them: It is absent.\n"));
  EXPECT_EQ(devices_json(kProcessors, one_card(), absent).at("library_problem").as_string(),
            "It is absent.");
  const Result<CardList> none = make_error(ErrorCode::kUnavailable, "No card here.");
  EXPECT_THAT(devices_text(kProcessors, none, absent), Not(HasSubstr("It is absent.")));
}

TEST(DeviceReportTest, OneLineACard) {
  const std::string text = devices_text(kProcessors, one_card(), kLibrary);
  EXPECT_THAT(text, HasSubstr("CPU: A Processor, 2 processors, AVX3_DL, 2 threads, 8.0 GB\n"));
  EXPECT_THAT(text, HasSubstr("GPU: 1 card, driver 580.82.07 (CUDA 13.0)\n"));
  for (const char* part : {"NVIDIA H200", "9.0", "140.0 GB of 150.0 GB", "97%", "346 of 700 W",
                           "1755 of 1980 MHz", "56 C", "PCIe 5 x16, 18 NVLinks"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("cannot be used")));
}

TEST(DeviceReportTest, TheLogsLineLeavesOutWhatIsNotTold) {
  const CardList list = one_card();
  EXPECT_EQ(card_line(list.cards[0], list.driver),
            "card 0: NVIDIA H200, 140.0 GB of 150.0 GB free, 346 of 700 W, 1755 of 1980 MHz, 56 C, "
            "driver 580.82.07");
  EXPECT_EQ(card_line(CardInfo{.index = 3}, ""), "card 3: no name");
}

TEST(DeviceReportTest, WhatSpeaksAgainstACardStandsBelow) {
  CardList list = one_card();
  list.problem = "The driver is too old.";
  list.cards[0].slowed_by = {"power limit", "heat"};
  list.cards[0].mig = true;
  list.cards.emplace_back();
  list.cards[1].index = 1;
  list.cards[1].problem = "the card is lost";
  const std::string text = devices_text(kProcessors, list, kLibrary);
  EXPECT_THAT(text, HasSubstr("GPU: 2 cards"));
  EXPECT_THAT(text, HasSubstr("\nThe driver is too old.\n"));
  EXPECT_THAT(text, HasSubstr("\ncard 0 is held back: power limit, heat\n"));
  EXPECT_THAT(text, HasSubstr("\ncard 0 is cut into MIG instances"));
  EXPECT_THAT(text, HasSubstr("\ncard 1 cannot be used: the card is lost\n"));
}

TEST(DeviceReportTest, NoneAndWhy) {
  const Result<CardList> none = make_error(ErrorCode::kUnavailable, "No card here.");
  EXPECT_THAT(devices_text(kProcessors, none, kLibrary), HasSubstr("\nGPU: none. No card here.\n"));
  const boost::json::object json = devices_json(kProcessors, none, kLibrary);
  EXPECT_EQ(json.at("problem").as_string(), "No card here.");
  EXPECT_TRUE(json.at("cards").as_array().empty());
  EXPECT_TRUE(json.at("driver").is_null());
}

TEST(DeviceReportTest, JsonHasNullForWhatIsNotTold) {
  const boost::json::object json = devices_json(kProcessors, one_card(), kLibrary);
  EXPECT_EQ(json.at("cpu").at("processors").as_int64(), 2);
  EXPECT_TRUE(json.at("cpu").at("limit").is_null());
  EXPECT_EQ(json.at("driver_cuda").as_string(), "13.0");
  EXPECT_TRUE(json.at("problem").is_null());
  const boost::json::value& card = json.at("cards").as_array().at(0);
  EXPECT_EQ(card.at("memory_free_bytes").as_uint64(), 140'000'000'000U);
  EXPECT_DOUBLE_EQ(card.at("power_w").as_double(), 345.6);
  EXPECT_EQ(card.at("compute_capability").as_string(), "9.0");
  EXPECT_TRUE(card.at("energy_j").is_null());
  EXPECT_TRUE(card.at("mig").is_null());
  EXPECT_TRUE(card.at("problem").is_null());
}

TEST(DeviceReportTest, ProcessorsOfThisMachine) {
  const auto folder =
      std::filesystem::path(::testing::TempDir()) / "device-report-processors-of-this-machine";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "cpuinfo") << "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n";
  std::ofstream(folder / "meminfo") << "MemTotal:        1000000 kB\nMemFree: 1 kB\n";
  const ProcessorReport report = report_processors(folder);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(report.model, "Some CPU @ 2 GHz");
  EXPECT_EQ(report.memory_bytes, 1'024'000'000U);
  EXPECT_GE(report.processors, 1);
  EXPECT_GE(report.nodes, 1);
  EXPECT_GE(report.processors, report.threads);
  EXPECT_FALSE(report.instruction_set.empty());
}

}  // namespace
}  // namespace hangar
