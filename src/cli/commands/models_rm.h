// hangar models rm: removes models from the store.
//
// Promise: as Command; a part of the models command. Only what lies in the store (<cache>/models)
// is
//   removed, never what a link there points to; a model that a running hangar uses is not. Asks
//   first, unless --yes.
// Errors: kNotFound, kInvalidArgument (not in the store; no terminal to ask at), kUnavailable (in
//   use), kIo. Exit code 1: the answer was no.
// Threads: main's.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/setting_flags.h"

namespace hangar {

class ModelsRm {
 public:
  void add_options(CLI::App& app);
  Result<int> run(const CommandContext& context);

 private:
  SettingFlags settings_;
  std::vector<std::string> names_;
  bool yes_ = false;
};

}  // namespace hangar
