// Where a benchmark's figures go: tables to the terminal, JSON to a file or in their place.
//
// Promise: with json_file "-" the JSON goes to `out` and nothing else; else facts and tables go
//   there, and the JSON to the file, if one is named.
// Errors: kIo with the file's name.
// Threads: main's.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/output.h"
#include "base/result.h"
#include "bench/page.h"

namespace hangar {

using BenchFacts = std::vector<std::pair<std::string, std::string>>;

struct BenchOutput {
  BenchFacts facts;
  std::vector<bench::PageTable> tables;
  std::string last_line;  // "": none
  boost::json::object json;
};

Status write_bench_output(Output& out, const BenchOutput& output, const std::string& json_file);
Status write_bench_file(const std::string& name, std::string_view text);

}  // namespace hangar
