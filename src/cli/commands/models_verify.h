// hangar models verify: whether a model's files are right, byte for byte.
//
// Promise: as Command; a part of the models command. A pulled model is held against its manifest,
// sizes
//   and SHA-256; any other file or folder is opened and all of its tensors are read, and its
//   SHA-256 is printed to compare. No network is touched.
// Errors: those of finding the model. Exit code 1: something is wrong, and what.
// Threads: main's; hashing has threads of its own.
#pragma once

#include <CLI/App.hpp>
#include <boost/json/array.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/model_store.h"
#include "cli/setting_flags.h"
#include "hub/session.h"

namespace hangar {

class ModelsVerify {
 public:
  void add_options(CLI::App& app);
  Result<int> run(const CommandContext& context);

 private:
  // What was found of one model.
  struct Verdict {
    std::string text;  // lines for people
    boost::json::object json;
    bool right = true;
  };

  Result<Verdict> verify_pulled(const StoredModel& model, hub::HubWatcher& watcher) const;
  Result<Verdict> verify_plain(const StoredModel& model, hub::HubWatcher& watcher) const;

  SettingFlags settings_;
  std::vector<std::string> names_;
  bool json_ = false;
};

}  // namespace hangar
