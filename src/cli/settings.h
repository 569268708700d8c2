// Settings: what a flag, a key of the config file or an environment variable can set.
//
// Promise: one table names every setting. "max_context" is the flag --max-context, the key
// max_context
//   of the config and the variable HANGAR_MAX_CONTEXT; the first of flag, config, environment and
//   default that speaks decides. A value from anywhere is checked the same way.
// Errors: kInvalidArgument with where the value came from: out of range, wrong type, a key of the
//   config that does not exist (with the nearest that does). An unknown HANGAR_ variable is a
//   warning only: other programs may own it.
// Threads: values.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hangar {

enum class Setting : std::uint8_t {
  kModel,
  kModelsDir,
  kLoad,
  kHost,
  kPort,
  kThreads,
  kPinThreads,
  kPreparedWeights,
  kMaxContext,
  kBackend,
  kBatching,
  kMaxRunning,
  kStepTokens,
  kBatchWaitMs,
  kQuant,
  kQuantHead,
  kInt4Copies,
  kFp8Sums,
  kOneKernel,
  kKvType,
  kKvMemory,
  kGpuMemory,
  kPrefixCache,
  kSpeculate,
  kDeterministic,
  kMaxQueue,
  kRequestTimeoutS,
  kMaxBodyMb,
  kMaxBodiesMb,
  kMaxHeaderKb,
  kHeaderTimeoutS,
  kBodyTimeoutS,
  kIdleTimeoutS,
  kWriteTimeoutS,
  kAnswerTimeoutS,
  kMaxConnections,
  kMaxConnectionsPerAddress,
  kLogLevel,
};
inline constexpr std::size_t kSettingCount = 38;

// kSize: bytes with a unit (512MB, 2GiB), or "auto". kShare: the same, or a share of the whole
// above 0 and up to 1 (0.9).
enum class SettingKind : std::uint8_t { kText, kInteger, kChoice, kSize, kShare };

struct SettingSpec {
  Setting setting;
  std::string_view key;  // as in the config
  SettingKind kind;
  std::string_view default_value;
  std::int64_t least = 0;  // kInteger
  std::int64_t most = 0;
  std::string_view value_name;  // in --help; for kChoice the values, "a|b"
  std::string_view help;
};

std::span<const SettingSpec> setting_table();
const SettingSpec& setting_spec(Setting setting);
std::string flag_of(const SettingSpec& spec);      // "--max-context"
std::string variable_of(const SettingSpec& spec);  // "HANGAR_MAX_CONTEXT"

enum class SettingSource : std::uint8_t { kDefault, kEnvironment, kConfig, kFlag };

struct SettingValue {
  std::string text;
  SettingSource source = SettingSource::kDefault;
  std::string origin;  // "flag --port", "hangar.toml, line 3", "environment HANGAR_PORT", "default"
};

class Settings {
 public:
  const std::string& text(Setting setting) const { return value(setting).text; }
  std::int64_t integer(Setting setting) const;  // kInteger only
  std::uint64_t bytes(Setting setting) const;   // kSize and kShare; 0: auto, or a share
  double share(Setting setting) const;          // kShare only; 0: auto, or bytes
  bool on(Setting setting) const;               // kChoice of on and off only
  const SettingValue& value(Setting setting) const;
  // Every setting with its origin, itself a valid config file.
  std::string print() const;

 private:
  friend Result<Settings> resolve_settings(const struct SettingInputs& inputs);
  std::array<SettingValue, kSettingCount> values_;
};

struct SettingInputs {
  std::map<Setting, std::string> flags;     // those that were given
  std::map<Setting, std::string> defaults;  // a command's own, where they differ from the table's
  std::optional<std::filesystem::path> config_file;
  std::map<std::string, std::string> environment;
};

Result<Settings> resolve_settings(const SettingInputs& inputs);

// What to warn of in the environment: HANGAR_ variables that set nothing.
std::vector<std::string> environment_warnings(
    const std::map<std::string, std::string>& environment);

// This process's environment.
std::map<std::string, std::string> process_environment();

}  // namespace hangar
