// SettingFlags: the settings that one command takes, as flags of its CLI11 app.
//
// Promise: add() names the flags with their help (kQuant's brings all of how weights are kept and
//   multiplied on a card); after parsing, resolve() gives the settings from
//   flags, --config (or HANGAR_CONFIG), environment and defaults, and has written warnings about
//   the environment to standard error. A setting the command did not add still has its value.
// Errors: resolve_settings'.
// Threads: main's.
#pragma once

#include <CLI/App.hpp>
#include <array>
#include <initializer_list>
#include <map>
#include <string>

#include "base/result.h"
#include "cli/settings.h"

namespace hangar {

class SettingFlags {
 public:
  void add(CLI::App& app, std::initializer_list<Setting> which);
  void set_default(Setting setting, std::string value);
  Result<Settings> resolve() const;

 private:
  void add_one(CLI::App& app, Setting setting);

  std::array<std::string, kSettingCount> texts_;
  std::array<CLI::Option*, kSettingCount> options_{};
  std::map<Setting, std::string> defaults_;
  std::string config_path_;
};

}  // namespace hangar
