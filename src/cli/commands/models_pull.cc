#include "cli/commands/models_pull.h"

#include <fmt/format.h>

#include <CLI/Validators.hpp>
#include <algorithm>
#include <cctype>

#include "base/ascii.h"
#include "base/paths.h"
#include "base/units.h"
#include "cli/hub_progress.h"
#include "cli/interrupt.h"
#include "cli/model_scan.h"
#include "cli/report.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar models pull hf:HuggingFaceTB/SmolLM2-135M-Instruct\n"
    "  hangar models pull hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M --alias qwen\n"
    "  hangar models pull hf:org/name@v1.0               # a branch, tag or commit\n"
    "  hangar models pull hf:org/name/folder/file.gguf   # that very file\n"
    "  hangar models pull smollm2-135m-instruct --verify # a pulled one: update and repair it\n"
    "\n"
    "Environment: HF_TOKEN (a token for private and gated models), HF_ENDPOINT, HF_HUB_OFFLINE,\n"
    "HF_HUB_DOWNLOAD_TIMEOUT (seconds without a byte before a new try; 30), https_proxy, "
    "no_proxy.\n"
    "Interrupted pulls go on where they stood. The model appears under its name only when every\n"
    "file is right. `hangar models rm` removes it.";

constexpr int kInterruptedExit = 130;

bool is_alias(std::string_view text) {
  return !text.empty() && text.size() <= 100 &&
         std::isalnum(static_cast<unsigned char>(text[0])) != 0 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                  std::string_view("._-").find(c) != std::string_view::npos;
         });
}

std::string advice_for(const Error& error) {
  switch (error.code) {
    case ErrorCode::kResourceExhausted:
      return "`hangar models rm NAME` makes room; XDG_CACHE_HOME moves the store; a pull goes on "
             "where it stood";
    case ErrorCode::kCorrupt:
      return "what the hub or a proxy on the way sends is not what the hub lists; try again later, "
             "or from another --endpoint";
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
      return "the same command goes on where this one stood";
    case ErrorCode::kUnsupported:
      return "see docs/pulling_models.md for what can be pulled";
    default:
      return "";
  }
}

}  // namespace

void ModelsPull::add_options(CLI::App& app) {
  app.add_option("NAME", name_, "hf:org/name, or the name of a model that was pulled before")
      ->type_name("NAME")
      ->required();
  app.add_option("--revision", revision_, "Branch, tag or commit; as @REVISION in the name")
      ->type_name("REVISION");
  app.add_option("--alias", alias_, "A name of your own for it")->type_name("NAME");
  app.add_option("--include", include_, "Files by pattern instead of the usual ones; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--exclude", exclude_, "Files by pattern to leave out; repeatable")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--jobs", jobs_, "Files at once (default 4)")
      ->type_name("N")
      ->check(CLI::Range(1, 64));
  app.add_option("--endpoint", endpoint_,
                 "The hub's address (default: HF_ENDPOINT, else huggingface.co)")
      ->type_name("URL");
  app.add_option("--retries", retries_, "Tries after a failure without progress (default 5)")
      ->type_name("N")
      ->check(CLI::Range(0, 1000));
  app.add_option("--retry-wait", retry_wait_s_,
                 "Wait before the first new try; doubles (default 1)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0));
  app.add_flag("--verify", verify_, "Check what is here by SHA-256 and fetch what is wrong");
  settings_.add(app, {Setting::kModelsDir});
  app.footer(kExamples);
}

// A hub's name as written, or the one that a model in the store was pulled by.
Result<hub::HubName> ModelsPull::wanted(const ModelStore& store) const {
  hub::HubName name;
  if (hub::is_hub_name(name_)) {
    HANGAR_TRY(name, hub::parse_hub_name(name_));
  } else {
    HANGAR_TRY(const StoredModel model, store.find(name_));
    if (model.source.empty()) {
      return tl::unexpected<Error>(
          with_hint({ErrorCode::kInvalidArgument,
                     fmt::format("{}: was not pulled from a hub: {}", name_, model.path.string())},
                    "models of the Hugging Face hub are named hf:org/name"));
    }
    HANGAR_TRY(const hub::Manifest manifest, hub::read_manifest(model.folder));
    name.repo = manifest.repo;
    name.file = manifest.model_file;
    name.revision = manifest.commit;
    std::int64_t last = -1;
    for (const auto& [revision, time] : manifest.revisions) {
      if (time > last) name.revision = revision;
      last = std::max(last, time);
    }
  }
  if (!revision_.empty()) {
    if (hub::is_hub_name(name_) && !name.revision.empty() && name.revision != revision_) {
      return make_error(ErrorCode::kInvalidArgument, "--revision {} and {} contradict each other",
                        revision_, name_);
    }
    HANGAR_CHECK_OK(hub::check_revision(revision_));
    name.revision = revision_;
  }
  return name;
}

Status ModelsPull::check_alias(const ModelStore& store, const hub::HubName& name) const {
  if (alias_.empty()) return {};
  if (!is_alias(alias_)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "--alias '{}': letters, digits, '.', '_' and '-' only", alias_);
  }
  const std::string alias = ascii_lower(alias_);
  for (const StoredModel& model : store.list()) {
    if (model.id != alias) continue;
    if (!model.folder.empty()) {
      const auto manifest = hub::read_manifest(model.folder);
      // The same model, or an older one of the same name that hands it on.
      if (manifest && manifest->repo == name.repo) continue;
    }
    return make_error(ErrorCode::kInvalidArgument, "--alias {}: another model has this name: {}",
                      alias_, model.path.string());
  }
  return {};
}

Result<hub::PullOptions> ModelsPull::options(const ModelStore& store) const {
  hub::PullOptions out;
  HANGAR_TRY(out.name, wanted(store));
  HANGAR_CHECK_OK(check_alias(store, out.name));
  HANGAR_TRY(out.hub, hub::hub_environment(process_environment(), home_folder()));
  if (!endpoint_.empty()) out.hub.endpoint = hub::without_slash(endpoint_);
  out.models = store.home();
  out.include = include_;
  out.exclude = exclude_;
  out.alias = ascii_lower(alias_);
  out.jobs = jobs_;
  out.verify = verify_;
  out.policy.most_retries = retries_;
  out.policy.first_wait_us = static_cast<std::int64_t>(retry_wait_s_ * 1e6);
  out.policy.most_wait_us = std::max(out.policy.most_wait_us, out.policy.first_wait_us);
  return out;
}

Result<int> ModelsPull::run(const CommandContext& context) {
  HANGAR_TRY(const Settings settings, settings_.resolve());
  const ModelStore store = ModelStore::from_settings(settings);
  HANGAR_TRY(const hub::PullOptions wanted, options(store));
  const InterruptScope scope;
  HubProgress progress = HubProgress::to_terminal();
  auto pulled = hub::pull_model(wanted, progress);
  if (!pulled) {
    Error error = std::move(pulled.error());
    if (error.code == ErrorCode::kCancelled) {
      report_note("interrupted: what came is kept; the same command goes on from there");
      return kInterruptedExit;
    }
    const std::string advice = wanted.hub.offline ? "" : advice_for(error);
    return tl::unexpected<Error>(advice.empty() ? std::move(error)
                                                : with_hint(std::move(error), advice));
  }
  const hub::PulledModel& model = pulled->model;
  std::string id = model.exact_name();
  for (const StoredModel& one : store.list()) {
    if (one.folder == model.folder) id = one.id;
  }
  report_note(fmt::format(
      "{}: {}, {} files, {}{}", model.exact_name(),
      pulled->was_here ? "is here already" : "is here", model.manifest.files.size(),
      format_bytes(model.manifest.total_bytes()),
      pulled->was_here ? "" : fmt::format(" ({} fetched)", format_bytes(pulled->received_bytes))));
  HANGAR_CHECK_OK(context.out.print("{}\n", id));
  return 0;
}

}  // namespace hangar
