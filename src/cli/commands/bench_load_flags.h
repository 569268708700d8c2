// BenchLoadFlags: the load to put on something, and where the report goes, as flags of a command.
//
// Promise: the same flags with the same meaning for every benchmark that runs a load. plan() checks
//   them all, reads the file of prompts too, before anything is asked of anyone.
// Errors: plan: kInvalidArgument with the flag; what reading the file of prompts can fail with.
//   write_reports: kIo with the file's name.
// Threads: main's.
#pragma once

#include <CLI/App.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/output.h"
#include "base/result.h"
#include "bench/load.h"
#include "bench/page.h"
#include "bench/prompts.h"
#include "bench/summary.h"
#include "cli/commands/bench_output.h"

namespace hangar {

struct BenchLoadPlan {
  bench::LoadOptions load;
  bench::SyntheticOptions synthetic;
  std::vector<bench::BenchPrompt> listed;  // from a file; empty: synthetic
  bench::LatencyTargets targets;
  BenchFacts facts;

  bool is_synthetic() const { return listed.empty(); }
  std::unique_ptr<bench::PromptSource> make_prompts(const bench::WordCost& cost) const;
};

class BenchLoadFlags {
 public:
  struct Defaults {
    std::int32_t concurrency;
    std::int64_t requests;  // where no duration is given
    std::string prompt_tokens;
    std::string output_tokens;
  };

  explicit BenchLoadFlags(Defaults defaults);
  void add(CLI::App& app);
  Result<BenchLoadPlan> plan() const;
  double temperature() const { return temperature_; }
  bool ignore_eos() const { return !heed_eos_; }

  // The tables go to `out`, unless the JSON does (--json -).
  Status write_reports(Output& out, const std::vector<bench::PageTable>& tables,
                       const boost::json::object& json, const bench::Page& page) const;

 private:
  void add_lengths(CLI::App& app);
  void add_targets(CLI::App& app);
  Result<bench::LoadOptions> load_options() const;

  Defaults defaults_;
  std::int32_t concurrency_ = 1;
  double rate_ = 0;
  std::int64_t requests_ = 0;
  double duration_s_ = 0;
  std::int64_t warmup_ = 1;
  double cancel_share_ = 0;
  std::uint64_t seed_ = 0;
  std::string prompt_tokens_;
  std::string output_tokens_;
  std::int32_t shared_prefix_ = 0;
  std::string prompts_file_;
  double temperature_ = 0;
  bool heed_eos_ = false;
  double slo_ttft_ms_ = 0;
  double slo_itl_ms_ = 0;
  double slo_e2e_ms_ = 0;
  std::string json_file_;
  std::string html_file_;
  CLI::Option* prompt_option_ = nullptr;
  CLI::Option* shared_prefix_option_ = nullptr;
};

}  // namespace hangar
