// The config file: TOML, one key a setting.
//
// Promise: gives each key with its value written as a flag would have it, and its line.
// Errors: kNotFound, kIo; kInvalidArgument with file and line: no TOML, a key that names no setting
//   (with the nearest that does), a value of the wrong type.
// Threads: pure but for reading the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/settings.h"

namespace hangar {

struct ConfigValue {
  std::string text;
  std::uint32_t line = 0;
};
using ConfigFile = std::map<Setting, ConfigValue>;

Result<ConfigFile> read_config_file(const std::filesystem::path& path);
// `name` stands for the file in messages.
Result<ConfigFile> parse_config(std::string_view text, std::string_view name);

}  // namespace hangar
