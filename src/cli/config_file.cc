#include "cli/config_file.h"

#include <fmt/format.h>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <vector>

#include "base/mapped_file.h"
#include "base/nearest.h"
#include "cli/report.h"

namespace hangar {
namespace {

constexpr std::size_t kMaxConfigBytes = 1U << 20U;

std::string_view type_name(toml::node_type type) {
  switch (type) {
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::table:
      return "a table";
    default:
      return "a date or time";
  }
}

const SettingSpec* spec_by_key(std::string_view key) {
  const auto table = setting_table();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const auto& spec) { return spec.key == key; });
  return found == table.end() ? nullptr : &*found;
}

Error unknown_key(std::string_view name, std::uint32_t line, std::string_view key) {
  std::vector<std::string> known;
  for (const SettingSpec& spec : setting_table()) known.emplace_back(spec.key);
  Error error{ErrorCode::kInvalidArgument,
              fmt::format("{}, line {}: unknown key '{}'", name, line, key), std::string(key)};
  if (const auto near = nearest_name(key, known)) {
    return with_hint(std::move(error), fmt::format("did you mean '{}'?", *near));
  }
  return with_hint(std::move(error), fmt::format("the keys are {}", fmt::join(known, ", ")));
}

}  // namespace

Result<ConfigFile> parse_config(std::string_view text, std::string_view name) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return make_error(ErrorCode::kInvalidArgument, "{}, line {}: {}", name,
                      error.source().begin.line, error.description());
  }
  ConfigFile config;
  for (const auto& [key, node] : parsed.table()) {
    const std::uint32_t line = key.source().begin.line;
    const SettingSpec* spec = spec_by_key(key.str());
    if (spec == nullptr) return tl::unexpected<Error>(unknown_key(name, line, key.str()));
    const bool wants_integer = spec->kind == SettingKind::kInteger;
    std::string value;
    if (const auto number = node.as_integer(); wants_integer && number != nullptr) {
      value = fmt::format("{}", number->get());
    } else if (const auto words = node.as_string(); !wants_integer && words != nullptr) {
      value = words->get();
    } else {
      return make_error(ErrorCode::kInvalidArgument, "{}, line {}: {}: must be {}, not {}", name,
                        line, spec->key, wants_integer ? "a whole number" : "text in quotes",
                        type_name(node.type()));
    }
    config.emplace(spec->setting, ConfigValue{std::move(value), line});
  }
  return config;
}

Result<ConfigFile> read_config_file(const std::filesystem::path& path) {
  HANGAR_TRY(const std::string text, read_text_file(path, kMaxConfigBytes));
  return parse_config(text, path.string());
}

}  // namespace hangar
