// Offline benchmark: an Engine by itself, without HTTP or text, through decode, loads, prefill and
// the first token.
//
// Promise: each test runs once on fewer tokens to warm up, then `repeats` times on prompts of its
//   own. A test that this engine cannot run as it is meant (more sequences than run at once, more
//   tokens than its blocks hold) is skipped, and says why. The bound is plan/step_bounds.h's.
// Units: tokens a second, and milliseconds for the first token.
// Errors: as run_request_set, with the test's name.
// Threads: as run_request_set.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/offline/request_set.h"
#include "engine/engine.h"
#include "formats/model_config.h"
#include "plan/step_bounds.h"

namespace hangar::bench {

enum class OfflineKind : std::uint8_t {
  kDecode,      // so many sequences at once: output tokens a second once all have begun
  kLoad,        // so many requests: output tokens over the whole time
  kPrefill,     // so many prompts at once: prompt tokens a second until the last first token
  kFirstToken,  // one prompt: the time to its first token
};

struct OfflineTest {
  OfflineKind kind = OfflineKind::kDecode;
  std::int32_t requests = 1;
  std::int32_t input_tokens = 128;
  std::int32_t output_tokens = 256;  // 1 for the last two kinds
  std::int32_t at_once = 0;          // kLoad: under way at any time; 0: all are there at once
  std::int32_t repeats = 1;
  std::optional<double> peer = {};  // the best figure known of others

  std::string name() const;
  bool measures_time() const { return kind == OfflineKind::kFirstToken; }
};

// The table of docs/benchmarks.md for one card, with others' figures for Llama-3-8B's shape.
std::vector<OfflineTest> card_suite();
// A minute or so on a processor.
std::vector<OfflineTest> small_suite();

struct OfflineResult {
  OfflineTest test;
  std::string skipped;                 // why; else ""
  std::vector<double> figures;         // one a repeat
  std::optional<double> with_prompts;  // kDecode: tokens a second over the whole time, the median
  double bound = 0.0;                  // 0: not known
  Span measured;                       // of the repeat with the median figure

  double median() const;
  // How near the bound is; 0: not known.
  double share() const;
};

struct OfflinePlan {
  std::vector<OfflineTest> tests;
  ModelConfig config;
  StoredSizes sizes;
  MachineRates rates;
  std::uint64_t seed = 0;
  // Before each run; false ends the benchmark with what there is.
  std::function<bool(const OfflineTest& test, std::int32_t repeat)> tick;
};

struct OfflineRun {
  std::vector<OfflineResult> results;
  bool interrupted = false;
};

Result<OfflineRun> run_offline(Engine& engine, const OfflinePlan& plan);

// What bounds a test, whatever runs it: tokens a second, or milliseconds; 0: not known.
double offline_bound(const OfflineTest& test, const OfflinePlan& plan, const EngineInfo& info);

}  // namespace hangar::bench
