// hangar models pull: fetches a model of a hub into the store, whole or not at all.
//
// Promise: as Command; a part of the models command, and the only one that touches a network.
//   Prints the model's name to standard output; all else goes to standard error.
// Errors: those of hub/pull.h; Ctrl-C is exit code 130.
// Threads: main's.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/model_store.h"
#include "cli/setting_flags.h"
#include "hub/pull.h"

namespace hangar {

class ModelsPull {
 public:
  void add_options(CLI::App& app);
  Result<int> run(const CommandContext& context);

 private:
  Result<hub::HubName> wanted(const ModelStore& store) const;
  Result<hub::PullOptions> options(const ModelStore& store) const;
  Status check_alias(const ModelStore& store, const hub::HubName& name) const;

  SettingFlags settings_;
  std::string name_;
  std::string revision_;
  std::string endpoint_;
  std::string alias_;
  std::vector<std::string> include_;
  std::vector<std::string> exclude_;
  int jobs_ = 4;
  int retries_ = 5;
  double retry_wait_s_ = 1;
  bool verify_ = false;
};

}  // namespace hangar
