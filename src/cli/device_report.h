// What `hangar devices` says: the processors and the cards, as text and as JSON.
//
// Promise: the text is a line for the processors and a table of cards, and below it every reason
//   for which a card cannot be used; where there are cards, also which library computes on them.
//   The JSON holds all that is known; what a card does not tell is null.
// Units: JSON: bytes, watts, joules, degrees Celsius, MHz, shares from 0 to 1.
// Errors: in the value: `cards` without a value holds why there is none.
// Threads: pure but for report_processors, which reads the system's files.
#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "base/cards.h"
#include "base/result.h"

namespace hangar {

struct ProcessorReport {
  std::string model;            // "" where the system does not say
  std::string instruction_set;  // the best that kernels are compiled for: "AVX3_DL+AMX"
  int processors = 0;           // that this process may run on
  int threads = 0;              // that a model would compute with
  int nodes = 0;                // memory nodes
  std::optional<double> limit;  // processors that the control groups allow
  std::uint64_t memory_bytes = 0;
};

ProcessorReport report_processors(const std::filesystem::path& proc = "/proc");

// "card 0: NVIDIA H200, 140.0 GB of 150.8 GB free, 77 of 700 W, 345 of 1980 MHz, 31 C, driver ..."
std::string card_line(const CardInfo& card, const std::string& driver);
// library: cuda_library()'s.
std::string devices_text(const ProcessorReport& processors, const Result<CardList>& cards,
                         const Result<std::filesystem::path>& library);
boost::json::object devices_json(const ProcessorReport& processors, const Result<CardList>& cards,
                                 const Result<std::filesystem::path>& library);

}  // namespace hangar
