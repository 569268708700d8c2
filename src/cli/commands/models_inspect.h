// hangar models inspect: every tensor's name, shape and type, and the metadata, of one model file.
//
// Promise: as Command; a part of the models command.
// Errors: those of opening the file.
// Threads: main's.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "base/result.h"
#include "cli/command.h"
#include "cli/setting_flags.h"

namespace hangar {

class ModelsInspect {
 public:
  void add_options(CLI::App& app);
  Result<int> run(const CommandContext& context);

 private:
  SettingFlags settings_;
  std::string name_;
  bool json_ = false;
};

}  // namespace hangar
