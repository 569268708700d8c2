#include "cli/model_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include "base/ascii.h"
#include "hub/local_models.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".gguf";
constexpr std::size_t kShortCommit = 7;

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

bool has_end(const std::string& name, std::string_view end) {
  return ascii_lower(name).ends_with(end);
}

// The files and folders of models in one folder, by name.
std::vector<fs::path> models_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::error_code ignored;
    const std::string name = entry->path().filename().string();
    if (entry->is_directory(ignored)) {
      if (!name.starts_with('.') && is_model_folder(entry->path())) found.push_back(entry->path());
      continue;
    }
    if (!has_end(name, kSuffix) || !entry->is_regular_file(ignored)) continue;
    const auto mark = split_mark(std::string_view(name).substr(0, name.size() - kSuffix.size()));
    if (mark && mark->part != 1) continue;
    found.push_back(entry->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

FoundModel from_folder(const fs::path& path) {
  const std::string name = path.filename().string();
  FoundModel found{{path, ""}, {}, 0, name == kDefaultModelFile};
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    found.names = {ascii_lower(name)};
  } else {
    found.names = {model_alias(name), model_stem(name)};
  }
  return found;
}

std::int64_t last_asked(const hub::Manifest& manifest) {
  std::int64_t last = 0;
  for (const auto& [revision, time] : manifest.revisions) last = std::max(last, time);
  return last;
}

FoundModel from_pulled(const hub::PulledModel& pulled) {
  FoundModel found{{pulled.model_path(), "", pulled.exact_name(), pulled.folder, {}}, {}, 0, false};
  const hub::Manifest& manifest = pulled.manifest;
  if (!pulled.problem.empty()) {
    found.names = {ascii_lower(fmt::format("{}@{}", pulled.folder.parent_path().filename().string(),
                                           pulled.folder.filename().string()))};
    return found;
  }
  const std::string commit = manifest.commit.substr(0, kShortCommit);
  const std::string repo = ascii_lower(manifest.repo.substr(manifest.repo.find('/') + 1));
  if (manifest.model_file.empty()) {
    found.names = {repo, repo + "@" + commit};
  } else {
    const std::string file = fs::path(manifest.model_file).filename().string();
    found.names = {model_alias(file), model_stem(file), model_stem(file) + "@" + commit};
  }
  if (!manifest.alias.empty()) {
    found.names.insert(found.names.begin(), manifest.alias);
    found.keeps_name = true;
  }
  return found;
}

// Of several commits of one model the last that was asked for has the short name.
void find_pulled_models(const fs::path& folder, std::vector<FoundModel>& out) {
  const std::vector<hub::PulledModel> all = hub::pulled_models(folder);
  for (const hub::PulledModel& one : all) {
    FoundModel found = from_pulled(one);
    const bool newer = std::any_of(all.begin(), all.end(), [&](const hub::PulledModel& other) {
      return &other != &one && other.problem.empty() && one.problem.empty() &&
             other.manifest.repo == one.manifest.repo &&
             other.manifest.model_file == one.manifest.model_file &&
             last_asked(other.manifest) > last_asked(one.manifest);
    });
    if (newer && !found.keeps_name) found.names = {found.names.back()};
    out.push_back(std::move(found));
  }
}

}  // namespace

std::string model_stem(std::string_view file_name) {
  std::string stem = ascii_lower(file_name);
  if (stem.ends_with(kSuffix)) stem.resize(stem.size() - kSuffix.size());
  if (const auto mark = split_mark(stem)) stem.resize(mark->begin);
  return stem;
}

std::string model_alias(std::string_view file_name) {
  std::string alias = model_stem(file_name);
  const std::size_t mark = alias.find_last_of(".-");
  if (mark != std::string::npos && mark > 0 && is_quantization(alias.substr(mark + 1))) {
    alias.resize(mark);
  }
  return alias;
}

bool is_model_folder(const fs::path& folder) {
  std::error_code failure;
  if (!fs::is_regular_file(folder / "config.json", failure)) return false;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    if (has_end(entry->path().filename().string(), ".safetensors")) return true;
  }
  return false;
}

std::vector<fs::path> parts_of(const fs::path& file) {
  const std::string name = file.filename().string();
  if (!has_end(name, kSuffix)) return {file};
  const std::string_view stem = std::string_view(name).substr(0, name.size() - kSuffix.size());
  const auto mark = split_mark(stem);
  if (!mark) return {file};
  const std::string_view head = stem.substr(0, mark->begin);
  const std::string_view count = stem.substr(mark->begin + 6);  // "-of-00003"
  std::vector<fs::path> parts;
  std::error_code failure;
  for (fs::directory_iterator entry(file.parent_path(), failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const std::string other = entry->path().filename().string();
    if (!has_end(other, kSuffix)) continue;
    const std::string_view other_stem =
        std::string_view(other).substr(0, other.size() - kSuffix.size());
    const auto other_mark = split_mark(other_stem);
    if (other_mark && other_stem.substr(0, other_mark->begin) == head &&
        other_stem.ends_with(count)) {
      parts.push_back(entry->path());
    }
  }
  std::sort(parts.begin(), parts.end());
  return parts;
}

std::vector<FoundModel> scan_models(const std::vector<fs::path>& folders) {
  std::vector<FoundModel> models;
  std::set<std::string> seen;  // the same file name in a later folder is hidden by the first
  for (std::size_t i = 0; i < folders.size(); ++i) {
    for (const fs::path& path : models_in(folders[i])) {
      if (!seen.insert(ascii_lower(path.filename().string())).second) continue;
      models.push_back(from_folder(path));
    }
    if (i == 0) find_pulled_models(folders[i], models);
  }
  return models;
}

void give_ids(std::vector<FoundModel>& models) {
  constexpr int kMostNames = 4;
  for (int round = 0; round < kMostNames; ++round) {
    std::map<std::string, int> uses;
    for (const FoundModel& model : models) ++uses[model.names[model.chosen]];
    for (FoundModel& model : models) {
      const bool longer = model.chosen + 1 < model.names.size();
      if (uses[model.names[model.chosen]] > 1 && longer && !model.keeps_name) ++model.chosen;
    }
  }
  for (FoundModel& model : models) model.stored.id = model.names[model.chosen];
}

}  // namespace hangar
