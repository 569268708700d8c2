// What `hangar bench engine` runs on: an engine that holds its tests, and what is told of both.
//
// Promise: offline_engine_options is engine_options with, where nobody asked otherwise, room for
// all
//   tests: as many sequences at once as they run, a context as long as theirs, and on a processor
//   blocks for all of it within half of the free memory.
// Errors: none. Threads: main's.
#pragma once

#include <cstdint>

#include "bench/offline/offline_run.h"
#include "cli/commands/bench_output.h"
#include "cli/settings.h"
#include "engine/local_engine.h"
#include "formats/checkpoint.h"

namespace hangar {

LocalEngineOptions offline_engine_options(const Settings& settings, const bench::OfflinePlan& plan);

// Of what a step reads, by what the engine holds, else by the file.
StoredSizes stored_sizes(const Checkpoint& checkpoint, const ModelConfig& config,
                         const EngineInfo& info);

// Others' figures are of one shape (bench::card_suite); beside another they would mislead.
void drop_peers(bench::OfflinePlan& plan, const LocalEngineOptions& options);

BenchFacts offline_facts(const Checkpoint& checkpoint, const EngineInfo& info,
                         const bench::OfflinePlan& plan);

// Which test is under way, on one line of a terminal; elsewhere nothing.
class OfflineProgressLine {
 public:
  OfflineProgressLine();
  ~OfflineProgressLine();
  OfflineProgressLine(const OfflineProgressLine&) = delete;
  OfflineProgressLine& operator=(const OfflineProgressLine&) = delete;

  // repeat 0: warming up.
  void show(const bench::OfflineTest& test, std::int32_t repeat, const EngineStats& stats);

 private:
  bool terminal_;
  int columns_;
  bool shown_ = false;
  std::int64_t next_us_ = 0;
};

}  // namespace hangar
