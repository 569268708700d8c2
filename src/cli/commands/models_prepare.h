// hangar models prepare: weights as the CPU wants them, laid out once and kept in a file.
//
// Promise: as Command; a part of the models command. Afterwards serve, chat and generate map the
//   file instead of laying the weights out at each start. Where a whole and fitting one is there,
//   every byte of it is checked and nothing is written. An interrupt (exit code 130) leaves
//   nothing.
// Errors: those of finding and opening the model; kUnavailable where another process prepares it;
//   kResourceExhausted where the disk has no room, before anything is written.
// Threads: main's.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/model_store.h"
#include "cli/setting_flags.h"

namespace hangar {

class ModelsPrepare {
 public:
  void add_options(CLI::App& app);
  Result<int> run(const CommandContext& context);

 private:
  Result<int> prepare(const CommandContext& context, const StoredModel& model, int threads) const;

  SettingFlags settings_;
  std::vector<std::string> names_;
  bool force_ = false;
};

}  // namespace hangar
