#include "cli/commands/models_verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/json.h"
#include "base/processors.h"
#include "base/units.h"
#include "cli/hub_progress.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/table.h"
#include "formats/checkpoint.h"
#include "hub/verify.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar models verify                       # every model that is here\n"
    "  hangar models verify smollm2-135m-instruct\n"
    "  hangar models verify hf:org/name --json\n"
    "\n"
    "Exit code 1: something is wrong. `hangar models pull NAME` then fetches only the wrong files.";

constexpr int kInterruptedExit = 130;

int hash_threads() {
  return std::clamp(available_processors(), 1, 8);
}

boost::json::array files_json(const std::vector<hub::FileCheck>& checks) {
  boost::json::array files;
  for (const hub::FileCheck& check : checks) {
    boost::json::object file{{"path", check.path},
                             {"bytes", check.bytes},
                             {"sha256", check.sha256},
                             {"ok", check.problem.empty()}};
    if (!check.problem.empty()) file["problem"] = check.problem;
    files.push_back(std::move(file));
  }
  return files;
}

std::uint64_t total_of(const std::vector<hub::FileCheck>& checks) {
  std::uint64_t sum = 0;
  for (const hub::FileCheck& check : checks) sum += check.bytes;
  return sum;
}

boost::json::object head_json(const StoredModel& model) {
  boost::json::object out;
  out["id"] = model.id;
  out["path"] = model.path.string();
  if (!model.source.empty()) out["source"] = model.source;
  return out;
}

// Everything a loader would look at.
Status read_all(const Checkpoint& checkpoint) {
  if (!checkpoint.tensors().empty()) {
    HANGAR_TRY(const ModelConfig config, checkpoint.config());
    for (const TensorView& tensor : checkpoint.tensors()) {
      HANGAR_TRY(const TensorView data, checkpoint.read(tensor));
    }
  }
  HANGAR_TRY(const TokenizerSpec spec, checkpoint.tokenizer());
  return {};
}

}  // namespace

void ModelsVerify::add_options(CLI::App& app) {
  app.add_option("NAME", names_, "Names from `hangar models`, or paths (default: all models)")
      ->type_name("MODEL");
  app.add_flag("--json", json_, "A JSON list");
  settings_.add(app, {Setting::kModelsDir});
  app.footer(kExamples);
}

Result<ModelsVerify::Verdict> ModelsVerify::verify_pulled(const StoredModel& model,
                                                          hub::HubWatcher& watcher) const {
  Verdict verdict;
  verdict.json = head_json(model);
  const auto manifest = hub::read_manifest(model.folder);
  if (!manifest) {
    verdict.right = false;
    verdict.text = fmt::format("WRONG {}: {}\n", model.id, printable(manifest.error().message));
    verdict.json["ok"] = false;
    verdict.json["problem"] = manifest.error().message;
    return verdict;
  }
  HANGAR_TRY(const std::vector<hub::FileCheck> checks,
             hub::verify_files(model.folder, *manifest, hash_threads(), watcher));
  for (const hub::FileCheck& check : checks) {
    if (check.problem.empty()) continue;
    verdict.right = false;
    verdict.text +=
        fmt::format("WRONG {}: {} {}\n", model.id, printable(check.path), printable(check.problem));
  }
  if (const Status marked = hub::mark_damaged(model.folder, checks); !marked) {
    report_warning(marked.error().message);
  }
  if (verdict.right) {
    verdict.text = fmt::format("ok    {}: {} files, {}\n", model.id, checks.size(),
                               format_bytes(total_of(checks)));
  } else {
    report_note(
        fmt::format("hint: `hangar models pull {}` fetches the wrong files anew", model.source));
  }
  verdict.json["ok"] = verdict.right;
  verdict.json["files"] = files_json(checks);
  return verdict;
}

Result<ModelsVerify::Verdict> ModelsVerify::verify_plain(const StoredModel& model,
                                                         hub::HubWatcher& watcher) const {
  Verdict verdict;
  verdict.json = head_json(model);
  const auto checkpoint = open_checkpoint(model.path);
  const Status read =
      checkpoint ? read_all(**checkpoint) : Status(tl::unexpected<Error>(checkpoint.error()));
  std::vector<hub::FileCheck> checks;
  if (checkpoint) {
    HANGAR_TRY(checks, hub::hash_files((*checkpoint)->files(), hash_threads(), watcher));
  }
  verdict.right = read.has_value();
  for (const hub::FileCheck& check : checks) {
    verdict.right = verdict.right && check.problem.empty();
    verdict.text += fmt::format("      {} {}\n", check.sha256, printable(check.path));
    if (!check.problem.empty()) verdict.text += fmt::format("      {}\n", check.problem);
  }
  const std::string found =
      read ? fmt::format("opens and reads whole, {}; its SHA-256:", format_bytes(total_of(checks)))
           : printable(read.error().message);
  verdict.text =
      fmt::format("{} {}: {}\n", verdict.right ? "ok   " : "WRONG", model.id, found) + verdict.text;
  verdict.json["ok"] = verdict.right;
  if (!read) verdict.json["problem"] = read.error().message;
  verdict.json["files"] = files_json(checks);
  return verdict;
}

Result<int> ModelsVerify::run(const CommandContext& context) {
  HANGAR_TRY(const Settings settings, settings_.resolve());
  const ModelStore store = ModelStore::from_settings(settings);
  std::vector<StoredModel> models;
  for (const std::string& name : names_) {
    HANGAR_TRY(StoredModel model, store.resolve(name));
    models.push_back(std::move(model));
  }
  if (names_.empty()) models = store.list();
  const InterruptScope scope;
  HubProgress progress = HubProgress::to_terminal();
  boost::json::array out;
  bool right = true;
  for (const StoredModel& model : models) {
    auto verdict =
        model.folder.empty() ? verify_plain(model, progress) : verify_pulled(model, progress);
    if (!verdict && verdict.error().code == ErrorCode::kCancelled) return kInterruptedExit;
    if (!verdict) return tl::unexpected<Error>(std::move(verdict.error()));
    right = right && verdict->right;
    if (json_) {
      out.push_back(std::move(verdict->json));
    } else {
      HANGAR_CHECK_OK(context.out.write(verdict->text));
      HANGAR_CHECK_OK(context.out.flush());
    }
  }
  if (json_) HANGAR_CHECK_OK(context.out.write(write_json(out, 2) + "\n"));
  return right ? 0 : 1;
}

}  // namespace hangar
