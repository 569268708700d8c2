#include "cli/model_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include "base/nearest.h"
#include "base/paths.h"
#include "cli/report.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".gguf";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
}

// "-00002-of-00003" at the end of a stem: the part's number and where the mark begins.
struct SplitMark {
  std::size_t begin;
  int part;
};
std::optional<SplitMark> split_mark(std::string_view stem) {
  constexpr std::size_t kLength = std::string_view("-00001-of-00003").size();
  if (stem.size() <= kLength) return std::nullopt;
  const std::size_t begin = stem.size() - kLength;
  const std::string_view mark = stem.substr(begin);
  if (mark[0] != '-' || mark.substr(6, 4) != "-of-" || !all_digits(mark.substr(1, 5)) ||
      !all_digits(mark.substr(10))) {
    return std::nullopt;
  }
  return SplitMark{begin, std::stoi(std::string(mark.substr(1, 5)))};
}

// "q4_k_m", "iq2_xs", "f16", "bf16", "mxfp4", "tq1_0": how the weights are stored, not which they
// are.
bool is_quantization(std::string_view word) {
  if (word == "f16" || word == "f32" || word == "bf16" || word == "fp16" || word == "mxfp4") {
    return true;
  }
  if (word.starts_with("iq") || word.starts_with("tq")) word.remove_prefix(1);
  return word.size() >= 2 && word[0] == 'q' && std::isdigit(static_cast<unsigned char>(word[1])) &&
         word.find_first_not_of("0123456789_klmsxn", 1) == std::string_view::npos;
}

std::string stem_of(std::string_view file_name) {
  std::string stem = lower(file_name);
  if (stem.ends_with(kSuffix)) stem.resize(stem.size() - kSuffix.size());
  if (const auto mark = split_mark(stem)) stem.resize(mark->begin);
  return stem;
}

std::vector<fs::path> model_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failure;
  // A folder that is not there, or may not be read, holds no models.
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::error_code ignored;
    const std::string name = entry->path().filename().string();
    if (!lower(name).ends_with(kSuffix) || !entry->is_regular_file(ignored)) continue;
    const auto mark = split_mark(std::string_view(name).substr(0, name.size() - kSuffix.size()));
    if (mark && mark->part != 1) continue;
    files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string advice(const std::vector<fs::path>& folders) {
  return fmt::format(
      "`./dev run` in hangar's source folder fetches the default model; any other GGUF file can be "
      "named by its path or put into {}",
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

}  // namespace

std::string model_alias(std::string_view file_name) {
  std::string alias = stem_of(file_name);
  const std::size_t mark = alias.find_last_of(".-");
  if (mark != std::string::npos && mark > 0 && is_quantization(alias.substr(mark + 1))) {
    alias.resize(mark);
  }
  return alias;
}

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

std::vector<StoredModel> ModelStore::list() const {
  std::vector<StoredModel> models;
  std::set<std::string> seen;  // the same file name in a later folder is hidden by the first
  std::map<std::string, int> uses;
  for (const fs::path& folder : folders_) {
    for (fs::path& path : model_files(folder)) {
      const std::string file_name = path.filename().string();
      if (!seen.insert(lower(file_name)).second) continue;
      models.push_back({std::move(path), model_alias(file_name)});
      ++uses[models.back().id];
    }
  }
  for (StoredModel& model : models) {
    const std::string file_name = model.path.filename().string();
    // The default model keeps its short name whatever lies beside it.
    if (uses[model.id] > 1 && file_name != kDefaultModelFile) model.id = stem_of(file_name);
  }
  return models;
}

Result<StoredModel> ModelStore::resolve(std::string_view name) const {
  std::error_code ignored;
  const fs::path as_path(name);
  const bool looks_like_path = name.find('/') != std::string_view::npos;
  if (looks_like_path) {
    if (fs::exists(as_path, ignored)) {
      return StoredModel{as_path, model_alias(as_path.filename().string())};
    }
    return tl::unexpected<Error>(
        with_hint({ErrorCode::kNotFound, fmt::format("{}: no such file", name), "--model"},
                  "`hangar models` lists the models that are here"));
  }
  const std::vector<StoredModel> models = list();
  if (name.empty()) {
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
  const std::string wanted = lower(name);
  std::vector<StoredModel> by_alias;
  for (const StoredModel& model : models) {
    const std::string file_name = model.path.filename().string();
    if (wanted == model.id || wanted == lower(file_name) || wanted == stem_of(file_name)) {
      return model;
    }
    if (wanted == model_alias(file_name)) by_alias.push_back(model);
  }
  if (by_alias.size() == 1) return by_alias.front();
  if (by_alias.size() > 1) {
    return tl::unexpected<Error>(with_hint(
        {ErrorCode::kInvalidArgument, fmt::format("model '{}' is several files", name), "--model"},
        "name one of: " + ids_of(by_alias)));
  }
  if (fs::is_regular_file(as_path, ignored)) {
    return StoredModel{as_path, model_alias(as_path.filename().string())};
  }
  return not_found(name, models, folders_);
}

}  // namespace hangar
