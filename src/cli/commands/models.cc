// hangar models: what is here; and its commands to look into, fetch, check and remove models.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/units.h"
#include "cli/commands/commands.h"
#include "cli/commands/models_inspect.h"
#include "cli/commands/models_prepare.h"
#include "cli/commands/models_pull.h"
#include "cli/commands/models_rm.h"
#include "cli/commands/models_verify.h"
#include "cli/model_store.h"
#include "cli/model_summary.h"
#include "cli/report.h"
#include "cli/setting_flags.h"
#include "cli/table.h"
#include "hub/local_models.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar models\n"
    "  hangar models --max-context 4096 --json\n"
    "  hangar models inspect smollm2-135m-instruct\n"
    "  hangar models pull hf:HuggingFaceTB/SmolLM2-135M-Instruct\n"
    "\n"
    "Models are the *.gguf files and safetensors folders in $XDG_CACHE_HOME/hangar/models "
    "(~/.cache\n"
    "by default), what `hangar models pull` brought there, and those in the folders of "
    "--models-dir\n"
    "or HANGAR_MODELS_DIR. MEMORY is weights, keys and values for the whole context, and scratch.";

class ModelsCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--json", json_, "A JSON list");
    app.add_flag("--names", names_, "Names only, one a line");
    settings_.add(app, {Setting::kModelsDir, Setting::kMaxContext});
    app.footer(kExamples);
    inspect_app_ = app.add_subcommand("inspect", "Show a file's metadata and tensors");
    inspect_.add_options(*inspect_app_);
    pull_app_ = app.add_subcommand("pull", "Fetch a model of the Hugging Face hub");
    pull_.add_options(*pull_app_);
    prepare_app_ = app.add_subcommand("prepare", "Lay weights out for this machine, once");
    prepare_.add_options(*prepare_app_);
    rm_app_ = app.add_subcommand("rm", "Remove models from the store");
    rm_.add_options(*rm_app_);
    verify_app_ = app.add_subcommand("verify", "Check a model's files, byte for byte");
    verify_.add_options(*verify_app_);
  }

  Result<int> run(const CommandContext& context) override {
    if (inspect_app_->parsed()) return inspect_.run(context);
    if (pull_app_->parsed()) return pull_.run(context);
    if (prepare_app_->parsed()) return prepare_.run(context);
    if (rm_app_->parsed()) return rm_.run(context);
    if (verify_app_->parsed()) return verify_.run(context);
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
  static void note_partials(const ModelStore& store) {
    for (const hub::PartialPull& pull : hub::partial_pulls(store.home())) {
      report_note(
          fmt::format("unfinished: hf:{}, {} so far; `hangar models pull` goes on, "
                      "`hangar models rm hf:{}` removes it",
                      pull.repo, format_bytes(pull.bytes), pull.repo));
    }
  }

  static Result<int> print_table(const CommandContext& context, const ModelStore& store,
                                 const std::vector<ModelSummary>& summaries) {
    note_partials(store);
    if (summaries.empty()) {
      std::vector<std::string> folders;
      for (const auto& folder : store.folders()) folders.push_back(folder.string());
      report_note(fmt::format("No models in {}.", fmt::join(folders, ", ")));
      report_note(
          "hint: `hangar models pull hf:ORG/NAME` fetches a model of the Hugging Face hub, "
          "`./dev run` in hangar's source folder the default model");
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
                                                    {"PREPARED", true},
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
            one.prepared_bytes > 0 ? format_bytes(one.prepared_bytes) : "-",
            one.memory ? format_bytes(one.memory->total_bytes()) : "-",
            or_dash(one.license),
            one.stored.path.string()};
  }

  SettingFlags settings_;
  ModelsInspect inspect_;
  ModelsPull pull_;
  ModelsPrepare prepare_;
  ModelsRm rm_;
  ModelsVerify verify_;
  CLI::App* inspect_app_ = nullptr;
  CLI::App* pull_app_ = nullptr;
  CLI::App* prepare_app_ = nullptr;
  CLI::App* rm_app_ = nullptr;
  CLI::App* verify_app_ = nullptr;
  bool json_ = false;
  bool names_ = false;
};

}  // namespace

std::unique_ptr<Command> make_models_command() {
  return std::make_unique<ModelsCommand>();
}

}  // namespace hangar
