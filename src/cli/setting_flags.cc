#include "cli/setting_flags.h"

#include <utility>

#include "cli/report.h"

namespace hangar {
namespace {

// Whoever chooses how weights are kept chooses these too.
constexpr Setting kWithQuant[] = {Setting::kQuantHead, Setting::kInt4Copies, Setting::kFp8Sums,
                                  Setting::kOneKernel};

}  // namespace

void SettingFlags::set_default(Setting setting, std::string value) {
  defaults_[setting] = std::move(value);
}

void SettingFlags::add(CLI::App& app, std::initializer_list<Setting> which) {
  for (const Setting setting : which) {
    add_one(app, setting);
    if (setting != Setting::kQuant) continue;
    for (const Setting other : kWithQuant) add_one(app, other);
  }
  app.add_option("--config", config_path_, "Config file with these settings (or HANGAR_CONFIG)")
      ->type_name("FILE")
      ->group("Settings");
}

void SettingFlags::add_one(CLI::App& app, Setting setting) {
  const SettingSpec& spec = setting_spec(setting);
  const auto own = defaults_.find(setting);
  const std::string shown = own == defaults_.end() ? std::string(spec.default_value) : own->second;
  std::string help(spec.help);
  if (!shown.empty()) help += " (default: " + shown + ")";
  const auto index = static_cast<std::size_t>(setting);
  options_[index] = app.add_option(flag_of(spec), texts_[index], help)
                        ->type_name(std::string(spec.value_name))
                        ->group("Settings");
}

Result<Settings> SettingFlags::resolve() const {
  SettingInputs inputs;
  inputs.environment = process_environment();
  inputs.defaults = defaults_;
  for (const SettingSpec& spec : setting_table()) {
    const auto index = static_cast<std::size_t>(spec.setting);
    if (options_[index] != nullptr && options_[index]->count() > 0) {
      inputs.flags[spec.setting] = texts_[index];
    }
  }
  const auto variable = inputs.environment.find("HANGAR_CONFIG");
  if (!config_path_.empty()) {
    inputs.config_file = config_path_;
  } else if (variable != inputs.environment.end() && !variable->second.empty()) {
    inputs.config_file = variable->second;
  }
  for (const std::string& warning : environment_warnings(inputs.environment)) {
    report_warning(warning);
  }
  return resolve_settings(inputs);
}

}  // namespace hangar
