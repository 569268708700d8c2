#include "cli/commands/models_rm.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <set>
#include <system_error>

#include "base/ascii.h"
#include "base/terminal.h"
#include "base/units.h"
#include "cli/model_loading.h"
#include "cli/model_scan.h"
#include "cli/model_store.h"
#include "cli/report.h"
#include "formats/prepared/prepared_file.h"
#include "hub/disk.h"
#include "hub/local_models.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar models rm smollm2-135m-instruct\n"
    "  hangar models rm hf:org/name hf:org/other@v1.0 --yes\n"
    "\n"
    "Only models in the store ($XDG_CACHE_HOME/hangar/models, ~/.cache by default) are removed,\n"
    "with what a pull that was not finished left of them and what `models prepare` made of them.\n"
    "A link there is removed, not what it points to.";

// One model, or what an unfinished pull left, and what goes with it.
struct Doomed {
  std::string name;
  std::vector<fs::path> files;    // single files
  std::vector<fs::path> folders;  // whole folders
  std::string repo;               // of a pulled one
};

bool lies_in(const fs::path& path, const fs::path& folder) {
  std::error_code failure;
  const fs::path parent = fs::weakly_canonical(fs::absolute(path).parent_path(), failure);
  const fs::path store = fs::weakly_canonical(folder, failure);
  return !failure && parent == store;
}

// What `hangar models prepare` made of a model: of this very file, or of one in its folder.
std::vector<fs::path> prepared_of(const StoredModel& model) {
  std::error_code failure;
  const fs::path whole = fs::canonical(model.folder.empty() ? model.path : model.folder, failure);
  std::vector<fs::path> files;
  if (failure) return files;
  for (fs::directory_iterator entry(prepared_folder(), failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const fs::path of = model_of_prepared(entry->path());
    if (of == whole || of.parent_path() == whole) files.push_back(entry->path());
  }
  return files;
}

Result<Doomed> doomed_model(const ModelStore& store, const StoredModel& model) {
  Doomed doomed{model.id, {}, {}, ""};
  std::error_code ignored;
  doomed.files = prepared_of(model);
  if (!model.folder.empty()) {
    doomed.folders.push_back(model.folder);
    doomed.repo = model.folder.parent_path().parent_path().filename().string() + "/" +
                  model.folder.parent_path().filename().string();
    const fs::path partial = hub::partial_folder(model.folder);
    if (fs::exists(fs::symlink_status(partial, ignored))) doomed.folders.push_back(partial);
    return doomed;
  }
  if (!lies_in(model.path, store.home())) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: not in the store ({}); hangar removes only what is", model.path.string(),
                      store.home().string());
  }
  if (fs::is_directory(fs::symlink_status(model.path, ignored))) {
    doomed.folders.push_back(model.path);
    return doomed;
  }
  for (const fs::path& part : parts_of(model.path)) {
    doomed.files.push_back(part);
    fs::path stamp = part;  // that ./dev left beside the default model
    stamp += ".checked";
    if (fs::is_regular_file(fs::symlink_status(stamp, ignored))) doomed.files.push_back(stamp);
  }
  return doomed;
}

// What unfinished pulls of a repository left.
std::optional<Doomed> doomed_partials(const ModelStore& store, std::string_view name) {
  const auto wanted = hub::parse_hub_name(name);
  if (!wanted) return std::nullopt;
  Doomed doomed{fmt::format("unfinished pulls of hf:{}", wanted->repo), {}, {}, wanted->repo};
  for (const hub::PartialPull& pull : hub::partial_pulls(store.home())) {
    if (pull.repo == wanted->repo) doomed.folders.push_back(pull.folder);
  }
  if (doomed.folders.empty()) return std::nullopt;
  return doomed;
}

std::uint64_t bytes_of(const Doomed& doomed) {
  std::uint64_t sum = 0;
  std::error_code failure;
  const auto add = [&](const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_regular_file(fs::symlink_status(path, ignored))) return;
    const std::uintmax_t bytes = fs::file_size(path, ignored);
    if (!ignored) sum += bytes;
  };
  for (const fs::path& file : doomed.files) add(file);
  for (const fs::path& folder : doomed.folders) {
    for (fs::recursive_directory_iterator entry(folder, failure), end; !failure && entry != end;
         entry.increment(failure)) {
      add(entry->path());
    }
  }
  return sum;
}

bool ask(const Doomed& doomed) {
  fmt::print(stderr, "remove {} ({})? [y/N] ", doomed.name, format_bytes(bytes_of(doomed)));
  std::fflush(stderr);
  std::string answer;
  char c = 0;
  while (::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') answer += c;
  answer = ascii_lower(answer);
  return answer == "y" || answer == "yes";
}

tl::unexpected<Error> in_use(const std::string& name) {
  return tl::unexpected<Error>(
      with_hint({ErrorCode::kUnavailable, fmt::format("{}: a running hangar uses it", name)},
                "stop that one first"));
}

// Nobody else has it while the lock lives.
Result<hub::FileLock> lock_alone(const fs::path& path, bool create, const std::string& name) {
  auto lock = hub::FileLock::try_take(path, hub::FileLock::Mode::kExclusive, create);
  if (!lock) return tl::unexpected<Error>(std::move(lock.error()));
  if (!*lock) return in_use(name);
  return std::move(**lock);
}

// Everything that pulls or uses it is kept out before the first file goes.
Result<std::vector<hub::FileLock>> lock_all(const Doomed& doomed) {
  constexpr std::string_view kPartialEnd = ".partial";
  std::vector<hub::FileLock> locks;
  std::set<std::string> places;  // a model and its unfinished repair have one lock for changes
  for (const fs::path& folder : doomed.folders) {
    std::string place = folder.string();
    if (place.ends_with(kPartialEnd)) place.resize(place.size() - kPartialEnd.size());
    if (!doomed.repo.empty() && places.insert(place).second) {
      HANGAR_TRY(hub::FileLock lock, lock_alone(hub::change_lock(place), true, doomed.name));
      locks.push_back(std::move(lock));
    }
    HANGAR_TRY(hub::FileLock lock, lock_alone(folder, false, doomed.name));
    locks.push_back(std::move(lock));
  }
  for (const fs::path& file : doomed.files) {
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored)) continue;  // a link to nothing
    HANGAR_TRY(hub::FileLock lock, lock_alone(file, false, doomed.name));
    locks.push_back(std::move(lock));
  }
  return locks;
}

Result<hub::Removed> remove(const ModelStore& store, const Doomed& doomed) {
  hub::Removed sum;
  const auto add = [&](const hub::Removed& one) {
    sum.files += one.files;
    sum.freed_bytes += one.freed_bytes;
  };
  HANGAR_TRY(std::vector<hub::FileLock> locks, lock_all(doomed));
  for (const fs::path& folder : doomed.folders) {
    HANGAR_TRY(const hub::Removed one, hub::remove_folder(folder));
    add(one);
  }
  for (const fs::path& file : doomed.files) {
    HANGAR_TRY(const hub::Removed one, hub::remove_file(file));
    add(one);
  }
  locks.clear();
  if (!doomed.repo.empty()) hub::remove_empty_repo(store.home(), doomed.repo);
  return sum;
}

}  // namespace

void ModelsRm::add_options(CLI::App& app) {
  app.add_option("NAME", names_, "Names from `hangar models`")->type_name("MODEL")->required();
  app.add_flag("--yes", yes_, "Do not ask");
  settings_.add(app, {Setting::kModelsDir});
  app.footer(kExamples);
}

Result<int> ModelsRm::run(const CommandContext& context) {
  HANGAR_TRY(const Settings settings, settings_.resolve());
  const ModelStore store = ModelStore::from_settings(settings);
  std::vector<Doomed> all;
  for (const std::string& name : names_) {
    auto model = store.find(name);
    if (model) {
      HANGAR_TRY(Doomed doomed, doomed_model(store, *model));
      all.push_back(std::move(doomed));
    } else if (auto partials = doomed_partials(store, name)) {
      all.push_back(std::move(*partials));
    } else {
      return tl::unexpected<Error>(std::move(model.error()));
    }
  }
  if (!yes_ && (!is_terminal(STDERR_FILENO) || ::isatty(STDIN_FILENO) == 0)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "no terminal to ask at: --yes removes without asking");
  }
  int code = 0;
  for (const Doomed& doomed : all) {
    if (!yes_ && !ask(doomed)) {
      code = 1;
      continue;
    }
    HANGAR_TRY(const hub::Removed removed, remove(store, doomed));
    HANGAR_CHECK_OK(context.out.print("removed {}: {} files, {} freed\n", doomed.name,
                                      removed.files, format_bytes(removed.freed_bytes)));
  }
  return code;
}

}  // namespace hangar
