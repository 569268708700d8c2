#include "cli/commands/models_prepare.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/units.h"
#include "cli/interrupt.h"
#include "cli/loading_line.h"
#include "cli/model_loading.h"
#include "cli/report.h"
#include "engine/prepared_model.h"
#include "formats/checkpoint.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar models prepare smollm2-135m-instruct\n"
    "  hangar models prepare llama qwen --force    # even if they are prepared already\n"
    "\n"
    "The file is about as large as the model and lies in $XDG_CACHE_HOME/hangar/prepared\n"
    "(~/.cache by default); `hangar models rm` removes it with the model. It is used while the\n"
    "model's files and hangar's version are the same, and left aside when they are not.";

constexpr int kInterruptedExit = 130;

}  // namespace

void ModelsPrepare::add_options(CLI::App& app) {
  app.add_option("NAME", names_, "Names from `hangar models`, or paths")
      ->type_name("MODEL")
      ->required();
  app.add_flag("--force", force_, "Write the file anew even where it is there and whole");
  settings_.add(app, {Setting::kModelsDir, Setting::kThreads});
  app.footer(kExamples);
}

Result<int> ModelsPrepare::prepare(const CommandContext& context, const StoredModel& model,
                                   int threads) const {
  HANGAR_TRY(const std::unique_ptr<Checkpoint> checkpoint, open_checkpoint(model.path));
  const std::filesystem::path path =
      prepared_path(prepared_folder(), checkpoint->files().front(), kPreparingBackend);
  std::error_code ignored;
  if (!force_ && std::filesystem::is_regular_file(path, ignored)) {
    HANGAR_TRY(const PreparedFor wanted, prepared_for(*checkpoint, kPreparingBackend));
    const Status whole = verify_prepared(path, wanted);
    if (whole) {
      report_note(fmt::format("{}: is prepared already, and every byte is right", model.id));
      HANGAR_CHECK_OK(context.out.print("{}\n", path.string()));
      return 0;
    }
    report_note(whole.error().message + "; it is made anew");
  }
  std::uint64_t bytes = 0;
  const auto write = [&]() -> Status {
    const LoadingLine line("preparing " + model.id);
    HANGAR_TRY(const std::unique_ptr<PreparedFileWriter> writer,
               start_preparing(prepared_folder(), *checkpoint, kPreparingBackend,
                               InterruptScope::pending));
    HANGAR_CHECK_OK(load_into(*writer, *checkpoint, kPreparingBackend, threads));
    HANGAR_CHECK_OK(writer->finish());
    bytes = writer->bytes();
    return {};
  };
  if (Status done = write(); !done) {
    if (done.error().code == ErrorCode::kCancelled) return kInterruptedExit;
    return tl::unexpected<Error>(std::move(done.error()));
  }
  report_note(fmt::format("{}: prepared, {}", model.id, format_bytes(bytes)));
  HANGAR_CHECK_OK(context.out.print("{}\n", path.string()));
  return 0;
}

Result<int> ModelsPrepare::run(const CommandContext& context) {
  HANGAR_TRY(const Settings settings, settings_.resolve());
  const ModelStore store = ModelStore::from_settings(settings);
  const int threads = static_cast<int>(settings.integer(Setting::kThreads));
  std::vector<StoredModel> models;
  for (const std::string& name : names_) {
    HANGAR_TRY(StoredModel model, store.resolve(name));
    models.push_back(std::move(model));
  }
  const InterruptScope scope;
  for (const StoredModel& model : models) {
    HANGAR_TRY(const int code, prepare(context, model, threads));
    if (code != 0) return code;
  }
  return 0;
}

}  // namespace hangar
