#include "cli/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/nearest.h"
#include "base/units.h"
#include "cli/config_file.h"
#include "cli/report.h"

namespace hangar {
namespace {

constexpr std::array<SettingSpec, kSettingCount> kSettings = {{
    {Setting::kModel, "model", SettingKind::kText, "", 0, 0, "MODEL",
     "Model: a name from `hangar models`, or a path (default: the default model)"},
    {Setting::kModelsDir, "models_dir", SettingKind::kText, "", 0, 0, "DIR",
     "More folders of models, separated by ':'"},
    {Setting::kLoad, "load", SettingKind::kChoice, "file", 0, 0,
     "file|dummy|dummy:uniform|dummy:normal",
     "Where weights come from; dummy: made up at random, from MODEL's config.json alone"},
    {Setting::kHost, "host", SettingKind::kText, "127.0.0.1", 0, 0, "ADDRESS",
     "Address to listen on; 0.0.0.0 for all"},
    {Setting::kPort, "port", SettingKind::kInteger, "8000", 0, 65535, "PORT",
     "Port to listen on; 0 for any free one"},
    {Setting::kThreads, "threads", SettingKind::kInteger, "0", 0, 4096, "N",
     "Threads that compute; 0: one per processor"},
    {Setting::kPinThreads, "pin_threads", SettingKind::kChoice, "on", 0, 0, "on|off",
     "Threads stay on their processors, where there is a thread for each"},
    {Setting::kPreparedWeights, "prepared_weights", SettingKind::kChoice, "use", 0, 0,
     "use|make|off",
     "Weights as `hangar models prepare` laid them out: use what is there, make what is not"},
    {Setting::kMaxContext, "max_context", SettingKind::kInteger, "0", 0, 1 << 24, "TOKENS",
     "Longest prompt and answer together; 0: the model's own"},
    {Setting::kBackend, "backend", SettingKind::kChoice, "auto", 0, 0, "auto|cpu|cuda|ref",
     "What computes; auto: cuda where there is a card, else cpu; ref is slow and plain, to "
     "compare"},
    {Setting::kBatching, "batching", SettingKind::kChoice, "continuous", 0, 0,
     "none|static|dynamic|continuous", "How requests share the model; see docs/scheduling.md"},
    {Setting::kMaxRunning, "max_running", SettingKind::kInteger, "0", 0, 4096, "N",
     "Sequences computed at once at most; a batch's size for static and dynamic; 0: 64, on a card "
     "256 or, with 48 GiB or more, 512"},
    {Setting::kStepTokens, "step_tokens", SettingKind::kInteger, "0", 0, 1 << 16, "TOKENS",
     "Tokens of one step at most: prompts go in chunks that leave room for the others' tokens; 0: "
     "256, "
     "on a card 8192"},
    {Setting::kBatchWaitMs, "batch_wait_ms", SettingKind::kInteger, "50", 0, 600'000, "MS",
     "How long batching 'dynamic' waits for others; 'static' waits twenty times that"},
    {Setting::kQuant, "quant", SettingKind::kChoice, "auto", 0, 0, "auto|none|fp8|int4",
     "How a card keeps the model's matrices; fp8, int4: quantized at load, but what a file has so; "
     "none: 16 bits; auto: fp8 or 4 bits where the file has them, else 16 bits"},
    {Setting::kQuantHead, "quant_head", SettingKind::kChoice, "auto", 0, 0, "auto|16|8|4",
     "Bits of the output head on a card; auto: 8 where the file has it in fp8, 4 where in 4 bits, "
     "else 16"},
    {Setting::kInt4Copies, "int4_copies", SettingKind::kChoice, "auto", 0, 0,
     "auto|rounded|exact|off",
     "A card also keeps matrices of 4 bits in 8 bits, for steps of many rows; rounded: to FP8, as "
     "fast as that; exact: the same values, of groups of 128, slower; auto: rounded, where that "
     "takes at most an eighth of what weights leave of the card"},
    {Setting::kFp8Sums, "fp8_sums", SettingKind::kChoice, "fast", 0, 0, "fast|exact",
     "How a card of compute capability 9.0 adds up products of FP8 in steps of more than 256 rows; "
     "fast: as its matrix units do, to about 13 bits, as other engines do; exact: in float32, as "
     "--deterministic always does"},
    {Setting::kOneKernel, "one_kernel", SettingKind::kChoice, "auto", 0, 0, "auto|off",
     "A card computes the layers of a step of one sequence in one kernel; auto: where there is "
     "one, for 4 bits in groups of 128, FP8 or 16 bits and the sizes of Llama's and Qwen3's 8B, "
     "on a card of compute capability 9.0"},
    {Setting::kKvType, "kv_type", SettingKind::kChoice, "auto", 0, 0, "auto|f32|f16|bf16|int8|fp8",
     "How keys and values are kept; auto: 16 bits (the reference backend: f32); in 8 bits a CPU "
     "has "
     "int8, a card fp8"},
    {Setting::kKvMemory, "kv_memory", SettingKind::kSize, "auto", 0, 0, "SIZE",
     "Memory for keys and values, 2GB or 512MiB; auto: 1 GiB or one context, if that is free"},
    {Setting::kGpuMemory, "gpu_memory", SettingKind::kShare, "auto", 0, 0, "AMOUNT",
     "Of a GPU's memory, for everything: a share of it such as 0.9, or a size such as 60GiB; auto: "
     "0.98, or all but 1.5 GiB where that is less"},
    {Setting::kPrefixCache, "prefix_cache", SettingKind::kChoice, "on", 0, 0, "on|off",
     "Keep keys and values of prompts for requests that begin alike"},
    {Setting::kSpeculate, "speculate", SettingKind::kInteger, "0", 0, 16, "TOKENS",
     "Guess so many tokens a step from the text so far, and check them; answers stay the same"},
    {Setting::kDeterministic, "deterministic", SettingKind::kChoice, "auto", 0, 0, "auto|on|off",
     "Answers do not depend on what else runs: always so on a CPU; on a card it costs speed, and "
     "auto "
     "is off"},
    {Setting::kMaxQueue, "max_queue", SettingKind::kInteger, "1024", 0, 1 << 20, "N",
     "Sequences that may wait; past that a request is refused with 429"},
    {Setting::kRequestTimeoutS, "request_timeout_s", SettingKind::kInteger, "600", 0, 86'400, "S",
     "A request that takes longer ends with 504; 0: no limit"},
    {Setting::kMaxBodyMb, "max_body_mb", SettingKind::kInteger, "32", 1, 4096, "MB",
     "Largest body of a request"},
    {Setting::kMaxBodiesMb, "max_bodies_mb", SettingKind::kInteger, "256", 1, 1 << 20, "MB",
     "Bodies of all requests that are read or wait, together; at least twice the largest"},
    {Setting::kMaxHeaderKb, "max_header_kb", SettingKind::kInteger, "64", 1, 1024, "KB",
     "Largest header of a request"},
    {Setting::kHeaderTimeoutS, "header_timeout_s", SettingKind::kInteger, "30", 1, 3600, "S",
     "A header must come whole within this time"},
    {Setting::kBodyTimeoutS, "body_timeout_s", SettingKind::kInteger, "120", 1, 86'400, "S",
     "A body must come whole within this time"},
    {Setting::kIdleTimeoutS, "idle_timeout_s", SettingKind::kInteger, "75", 1, 86'400, "S",
     "A connection without a request is closed after this time"},
    {Setting::kWriteTimeoutS, "write_timeout_s", SettingKind::kInteger, "60", 1, 3600, "S",
     "A client that takes nothing of its answer for so long is cut off"},
    {Setting::kAnswerTimeoutS, "answer_timeout_s", SettingKind::kInteger, "3600", 1, 604'800, "S",
     "An answer must be written whole within this time; what is not is cut off"},
    {Setting::kMaxConnections, "max_connections", SettingKind::kInteger, "4096", 1, 1 << 20, "N",
     "Connections at once"},
    {Setting::kMaxConnectionsPerAddress, "max_connections_per_address", SettingKind::kInteger, "0",
     0, 1 << 20, "N", "Connections at once from one address; 0: no limit of its own"},
    {Setting::kLogLevel, "log_level", SettingKind::kChoice, "info", 0, 0,
     "trace|debug|info|warn|error|off", "How much is logged, to standard error"},
}};

// Variables with a meaning that are no settings.
constexpr std::string_view kConfigVariable = "HANGAR_CONFIG";
constexpr std::array<std::string_view, 3> kOtherVariables = {
    kConfigVariable,
    "HANGAR_LIBRARY_PATH",  // backend/plugin_loader.h
    "HANGAR_NVML",          // base/cards.h
};
constexpr std::string_view kAutoSize = "auto";
// Fewer bytes were meant as a share: 1.5, or 90 (per cent).
constexpr std::uint64_t kLeastAmount = 1'000'000;

std::size_t index_of(Setting setting) {
  return static_cast<std::size_t>(setting);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || text.empty()) {
    return std::nullopt;
  }
  return number;
}

bool is_choice(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    const std::size_t bar = std::min(choices.find('|'), choices.size());
    if (choices.substr(0, bar) == text) return true;
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return false;
}

Status check(const SettingSpec& spec, const SettingValue& value) {
  const auto fail = [&](std::string_view wanted) {
    Error error{
        ErrorCode::kInvalidArgument,
        fmt::format("{}: '{}' ({}): must be {}", spec.key, value.text, value.origin, wanted),
        flag_of(spec)};
    return tl::unexpected<Error>(std::move(error));
  };
  switch (spec.kind) {
    case SettingKind::kText:
      return {};
    case SettingKind::kInteger: {
      const auto number = parse_integer(value.text);
      if (!number || *number < spec.least || *number > spec.most) {
        return fail(fmt::format("a whole number from {} to {}", spec.least, spec.most));
      }
      return {};
    }
    case SettingKind::kChoice:
      if (!is_choice(spec.value_name, value.text))
        return fail("one of " + std::string(spec.value_name));
      return {};
    case SettingKind::kSize:
      if (value.text != kAutoSize && !parse_bytes(value.text)) {
        return fail("a size such as 2GB or 512MiB, or auto");
      }
      return {};
    case SettingKind::kShare:
      if (value.text != kAutoSize && !parse_share(value.text) &&
          parse_bytes(value.text).value_or(0) < kLeastAmount) {
        return fail("a share from 0 to 1 such as 0.9, a size such as 60GiB, or auto");
      }
      return {};
  }
  return {};
}

// Kubernetes sets NAME_PORT=tcp://... and NAME_SERVICE_HOST for every service; one called "hangar"
// must not break us.
bool is_kubernetes_link(std::string_view name, std::string_view value) {
  return name.starts_with("HANGAR_SERVICE_") || name.starts_with("HANGAR_PORT_") ||
         (name == "HANGAR_PORT" && value.find("://") != std::string_view::npos);
}

std::string toml_text(const SettingSpec& spec, const std::string& text) {
  if (spec.kind == SettingKind::kInteger) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

std::span<const SettingSpec> setting_table() {
  return kSettings;
}

const SettingSpec& setting_spec(Setting setting) {
  return kSettings[index_of(setting)];
}

std::string flag_of(const SettingSpec& spec) {
  std::string flag = "--" + std::string(spec.key);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string variable_of(const SettingSpec& spec) {
  std::string name = "HANGAR_" + std::string(spec.key);
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

const SettingValue& Settings::value(Setting setting) const {
  return values_[index_of(setting)];
}

std::int64_t Settings::integer(Setting setting) const {
  return parse_integer(text(setting)).value_or(0);
}

std::uint64_t Settings::bytes(Setting setting) const {
  if (setting_spec(setting).kind == SettingKind::kShare && parse_share(text(setting))) return 0;
  return parse_bytes(text(setting)).value_or(0);
}

double Settings::share(Setting setting) const {
  return parse_share(text(setting)).value_or(0.0);
}

bool Settings::on(Setting setting) const {
  return text(setting) == "on";
}

std::string Settings::print() const {
  std::string out;
  for (const SettingSpec& spec : kSettings) {
    const SettingValue& v = value(spec.setting);
    out += fmt::format("{:<40} # {}\n", fmt::format("{} = {}", spec.key, toml_text(spec, v.text)),
                       v.origin);
  }
  return out;
}

Result<Settings> resolve_settings(const SettingInputs& inputs) {
  ConfigFile config;
  if (inputs.config_file) {
    HANGAR_TRY(config, read_config_file(*inputs.config_file));
  }
  Settings settings;
  for (const SettingSpec& spec : kSettings) {
    SettingValue& value = settings.values_[index_of(spec.setting)];
    const std::string variable = variable_of(spec);
    if (const auto flag = inputs.flags.find(spec.setting); flag != inputs.flags.end()) {
      value = {flag->second, SettingSource::kFlag, "flag " + flag_of(spec)};
    } else if (const auto key = config.find(spec.setting); key != config.end()) {
      value = {key->second.text, SettingSource::kConfig,
               fmt::format("{}, line {}", inputs.config_file->string(), key->second.line)};
    } else if (const auto entry = inputs.environment.find(variable);
               entry != inputs.environment.end() && !entry->second.empty() &&
               !is_kubernetes_link(variable, entry->second)) {
      value = {entry->second, SettingSource::kEnvironment, "environment " + variable};
    } else if (const auto own = inputs.defaults.find(spec.setting); own != inputs.defaults.end()) {
      value = {own->second, SettingSource::kDefault, "default"};
    } else {
      value = {std::string(spec.default_value), SettingSource::kDefault, "default"};
    }
    HANGAR_CHECK_OK(check(spec, value));
  }
  return settings;
}

std::vector<std::string> environment_warnings(
    const std::map<std::string, std::string>& environment) {
  std::vector<std::string> known(kOtherVariables.begin(), kOtherVariables.end());
  for (const SettingSpec& spec : kSettings) known.push_back(variable_of(spec));
  std::vector<std::string> warnings;
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("HANGAR_") || is_kubernetes_link(name, value)) continue;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string warning = fmt::format("environment variable {} sets nothing", name);
    if (const auto near = nearest_name(name, known)) {
      warning += fmt::format("; did you mean {}?", *near);
    }
    warnings.push_back(std::move(warning));
  }
  return warnings;
}

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> environment;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

}  // namespace hangar
