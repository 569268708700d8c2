#include "cli/model_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/ascii.h"
#include "base/nearest.h"
#include "base/paths.h"
#include "cli/model_scan.h"
#include "cli/report.h"
#include "hub/disk.h"
#include "hub/local_models.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;

std::string advice(const std::vector<fs::path>& folders) {
  return fmt::format(
      "`hangar models pull hf:ORG/NAME` fetches a model of the Hugging Face hub, `./dev run` in "
      "hangar's source folder the default model; any other can be named by its path or put into {}",
      folders.empty() ? "a folder of HANGAR_MODELS_DIR" : folders.front().string());
}

std::string ids_of(const std::vector<StoredModel>& models) {
  std::vector<std::string> ids;
  for (const StoredModel& model : models) ids.push_back(model.id);
  return fmt::format("{}", fmt::join(ids, ", "));
}

tl::unexpected<Error> not_found(std::string_view name, const std::vector<StoredModel>& models,
                                const std::vector<fs::path>& folders) {
  Error error{ErrorCode::kNotFound,
              models.empty()
                  ? fmt::format("model '{}' not found: there are no models here", name)
                  : fmt::format("model '{}' not found; here are: {}", name, ids_of(models)),
              "--model"};
  std::vector<std::string> ids;
  for (const StoredModel& model : models) ids.push_back(model.id);
  if (const auto near = nearest_name(name, ids)) {
    return tl::unexpected<Error>(with_hint(std::move(error), "did you mean '" + *near + "'?"));
  }
  return tl::unexpected<Error>(with_hint(std::move(error), advice(folders)));
}

// "models/llama/" is called llama.
std::string id_of_path(const fs::path& path) {
  std::error_code failure;
  if (!fs::is_directory(path, failure)) return model_alias(path.filename().string());
  const fs::path whole = fs::canonical(path, failure);
  return ascii_lower((failure ? path : whole).filename().string());
}

// A lock on the folder or file itself, which no rewritten manifest loses. A file system without
// locks only means that nobody is kept from removing it.
std::shared_ptr<const hub::FileLock> mark_in_use(const StoredModel& model) {
  const fs::path& file = model.folder.empty() ? model.path : model.folder;
  std::error_code ignored;
  // Opening a pipe would wait for its other end.
  if (!fs::is_regular_file(file, ignored) && !fs::is_directory(file, ignored)) return nullptr;
  auto lock = hub::FileLock::try_take(file, hub::FileLock::Mode::kShared, false);
  if (!lock || !*lock) return nullptr;
  return std::make_shared<const hub::FileLock>(std::move(**lock));
}

}  // namespace

ModelStore ModelStore::from_settings(const Settings& settings) {
  std::vector<fs::path> folders = {cache_folder() / "models"};
  std::string_view more = settings.text(Setting::kModelsDir);
  while (!more.empty()) {
    const std::size_t colon = std::min(more.find(':'), more.size());
    const fs::path folder(more.substr(0, colon));
    if (!folder.empty() && std::find(folders.begin(), folders.end(), folder) == folders.end()) {
      folders.push_back(folder);
    }
    more.remove_prefix(std::min(colon + 1, more.size()));
  }
  return ModelStore(std::move(folders));
}

fs::path ModelStore::home() const {
  return folders_.empty() ? fs::path() : folders_.front();
}

std::vector<StoredModel> ModelStore::list() const {
  std::vector<FoundModel> found = scan_models(folders_);
  give_ids(found);
  std::vector<StoredModel> models;
  for (FoundModel& one : found) models.push_back(std::move(one.stored));
  return models;
}

Result<StoredModel> ModelStore::find_default() const {
  const std::vector<StoredModel> models = list();
  for (const StoredModel& model : models) {
    if (model.path.filename().string() == kDefaultModelFile) return model;
  }
  if (models.size() == 1) return models.front();
  Error error{ErrorCode::kNotFound,
              models.empty() ? std::string("no model: there are no models here")
                             : "no model chosen; here are: " + ids_of(models),
              "--model"};
  return tl::unexpected<Error>(with_hint(
      std::move(error), models.empty() ? advice(folders_) : "choose one with --model NAME"));
}

Result<StoredModel> ModelStore::find_hub(std::string_view name) const {
  HANGAR_TRY(const hub::HubName wanted, hub::parse_hub_name(name));
  auto pulled = hub::find_pulled(home(), wanted);
  if (!pulled) {
    Error error = std::move(pulled.error());
    error.field = "--model";
    if (error.code != ErrorCode::kNotFound) return tl::unexpected<Error>(std::move(error));
    return tl::unexpected<Error>(
        with_hint(std::move(error), fmt::format("`hangar models pull {}` fetches it", name)));
  }
  for (StoredModel& model : list()) {
    if (model.folder == pulled->folder) return std::move(model);
  }
  return make_error(ErrorCode::kNotFound, "model '{}' was removed just now", name);
}

Result<StoredModel> ModelStore::find_path(std::string_view name) const {
  std::error_code ignored;
  const fs::path path(name);
  if (fs::exists(path, ignored)) {
    // One that was pulled is known by its folder too.
    for (StoredModel& model : list()) {
      if (!model.folder.empty() && (fs::equivalent(path, model.path, ignored) ||
                                    fs::equivalent(path, model.folder, ignored))) {
        return std::move(model);
      }
    }
    return StoredModel{path, id_of_path(path)};
  }
  Error error{ErrorCode::kNotFound, fmt::format("{}: no such file", name), "--model"};
  if (hub::looks_like_repo(name)) {
    return tl::unexpected<Error>(with_hint(
        std::move(error),
        fmt::format("a model of the Hugging Face hub is named hf:{}; `hangar models pull hf:{}` "
                    "fetches it",
                    name, name)));
  }
  return tl::unexpected<Error>(
      with_hint(std::move(error), "`hangar models` lists the models that are here"));
}

Result<StoredModel> ModelStore::find(std::string_view name) const {
  if (name.empty()) return find_default();
  if (hub::is_hub_name(name)) return find_hub(name);
  if (name.find('/') != std::string_view::npos) return find_path(name);
  std::vector<FoundModel> models = scan_models(folders_);
  give_ids(models);
  const std::string wanted = ascii_lower(name);
  std::vector<StoredModel> fitting;
  for (FoundModel& model : models) {
    const std::vector<std::string>& names = model.names;
    if (wanted == model.stored.id) return std::move(model.stored);
    if (wanted == ascii_lower(model.stored.path.filename().string()) ||
        std::find(names.begin(), names.end(), wanted) != names.end()) {
      fitting.push_back(model.stored);
    }
  }
  if (fitting.size() == 1) return std::move(fitting.front());
  if (fitting.size() > 1) {
    return tl::unexpected<Error>(with_hint(
        {ErrorCode::kInvalidArgument, fmt::format("model '{}' is several models", name), "--model"},
        "name one of: " + ids_of(fitting)));
  }
  std::error_code ignored;
  const fs::path path(name);
  if (fs::is_regular_file(path, ignored) || is_model_folder(path)) {
    return StoredModel{path, id_of_path(path)};
  }
  return not_found(name, list(), folders_);
}

Result<StoredModel> ModelStore::resolve_shape(std::string_view name) const {
  std::error_code ignored;
  const fs::path path(name);
  if (!fs::exists(path, ignored)) return resolve(name);
  if (fs::is_directory(path, ignored)) return StoredModel{path, id_of_path(path)};
  const fs::path beside = path.has_parent_path() ? path.parent_path() : fs::path(".");
  return StoredModel{path, id_of_path(beside)};
}

Result<StoredModel> ModelStore::resolve(std::string_view name) const {
  HANGAR_TRY(StoredModel model, find(name));
  model.in_use = mark_in_use(model);
  return model;
}

}  // namespace hangar
