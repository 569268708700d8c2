// hangar models: what is here; hangar models inspect PATH: what one file holds.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/units.h"
#include "cli/commands/commands.h"
#include "cli/commands/models_inspect.h"
#include "cli/model_store.h"
#include "cli/model_summary.h"
#include "cli/report.h"
#include "cli/setting_flags.h"
#include "cli/table.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar models\n"
    "  hangar models --max-context 4096 --json\n"
    "  hangar models inspect smollm2-135m-instruct\n"
    "\n"
    "Models are the *.gguf files in $XDG_CACHE_HOME/hangar/models (~/.cache by default) and in "
    "the\n"
    "folders of --models-dir or HANGAR_MODELS_DIR. MEMORY is weights, keys and values for the "
    "whole\n"
    "context, and scratch.";

class ModelsCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--json", json_, "A JSON list");
    app.add_flag("--names", names_, "Names only, one a line");
    settings_.add(app, {Setting::kModelsDir, Setting::kMaxContext});
    app.footer(kExamples);
    inspect_app_ = app.add_subcommand("inspect", "Show a file's metadata and tensors");
    inspect_.add_options(*inspect_app_);
  }

  Result<int> run(const CommandContext& context) override {
    if (inspect_app_->parsed()) return inspect_.run(context);
    HANGAR_TRY(const Settings settings, settings_.resolve());
    const ModelStore store = ModelStore::from_settings(settings);
    const std::vector<StoredModel> stored = store.list();
    if (names_) {
      for (const StoredModel& model : stored) HANGAR_CHECK_OK(context.out.print("{}\n", model.id));
      return 0;
    }
    std::vector<ModelSummary> summaries;
    for (const StoredModel& model : stored) {
      summaries.push_back(summarize_model(
          model, static_cast<std::int32_t>(settings.integer(Setting::kMaxContext))));
    }
    if (json_) {
      boost::json::array out;
      for (const ModelSummary& summary : summaries) out.push_back(summary_json(summary));
      HANGAR_CHECK_OK(context.out.write(write_json(out, 2) + "\n"));
      return 0;
    }
    return print_table(context, store, summaries);
  }

 private:
  static Result<int> print_table(const CommandContext& context, const ModelStore& store,
                                 const std::vector<ModelSummary>& summaries) {
    if (summaries.empty()) {
      std::vector<std::string> folders;
      for (const auto& folder : store.folders()) folders.push_back(folder.string());
      report_note(fmt::format("No models in {}.", fmt::join(folders, ", ")));
      report_note("hint: `./dev run` in hangar's source folder fetches the default model");
      return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const ModelSummary& one : summaries) rows.push_back(row_of(one));
    HANGAR_CHECK_OK(context.out.write(format_table({{"NAME"},
                                                    {"ARCHITECTURE"},
                                                    {"PARAMETERS", true},
                                                    {"TYPE"},
                                                    {"BITS", true},
                                                    {"CONTEXT", true},
                                                    {"FILE", true},
                                                    {"MEMORY", true},
                                                    {"LICENCE"},
                                                    {"PATH"}},
                                                   rows)));
    for (const ModelSummary& one : summaries) {
      if (!one.error.empty()) report_warning(one.error);
    }
    return 0;
  }

  static std::vector<std::string> row_of(const ModelSummary& one) {
    const auto or_dash = [](const std::string& text) {
      return text.empty() ? "-" : printable(text);
    };
    std::string architecture = or_dash(one.architecture);
    if (one.vocabulary_only) architecture = "(vocabulary only)";
    if (!one.error.empty()) architecture = "(cannot be used)";
    return {one.stored.id,
            architecture,
            one.parameters > 0 ? format_count(one.parameters) : "-",
            or_dash(one.main_type),
            one.parameters > 0 ? fmt::format("{:.1f}", one.bits) : "-",
            one.context_tokens > 0 ? fmt::format("{}", one.context_tokens) : "-",
            format_bytes(one.file_bytes),
            one.memory ? format_bytes(one.memory->total_bytes()) : "-",
            or_dash(one.license),
            one.stored.path.string()};
  }

  SettingFlags settings_;
  ModelsInspect inspect_;
  CLI::App* inspect_app_ = nullptr;
  bool json_ = false;
  bool names_ = false;
};

}  // namespace

std::unique_ptr<Command> make_models_command() {
  return std::make_unique<ModelsCommand>();
}

}  // namespace hangar
