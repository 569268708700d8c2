#include "hub/local_models.h"

#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "hub/digest.h"
#include "hub/file_selection.h"

namespace hangar::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCommitDigits = 12;
constexpr std::size_t kFewestCommitDigits = 7;
constexpr std::size_t kMostVariantBytes = 150;
constexpr std::string_view kPartialEnd = ".partial";

// A folder's name for a GGUF file's stem.
std::string variant_name(const std::string& variant) {
  std::string name;
  for (const char c : variant) name += c == '/' ? std::string("__") : std::string(1, c);
  if (name.size() <= kMostVariantBytes) return name;
  Digest digest(DigestKind::kSha256, 0);
  digest.update(std::as_bytes(std::span(variant.data(), variant.size())));
  return name.substr(0, kMostVariantBytes) + "-" + digest.hex().substr(0, 12);
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::error_code ignored;
    // No links: what is removed or changed must lie in here.
    if (entry->symlink_status(ignored).type() != fs::file_type::directory) continue;
    if (!entry->path().filename().string().starts_with('.')) found.push_back(entry->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Of one repository, or of all.
std::vector<fs::path> repo_folders(const fs::path& models, const std::string& repo) {
  if (!repo.empty()) return {repo_folder(models, repo)};
  std::vector<fs::path> found;
  for (const fs::path& org : folders_in(models / "hf")) {
    for (fs::path& name : folders_in(org)) found.push_back(std::move(name));
  }
  return found;
}

std::string repo_of(const fs::path& repo_folder) {
  return fmt::format("{}/{}", repo_folder.parent_path().filename().string(),
                     repo_folder.filename().string());
}

bool is_revision(const std::string& revision, const Manifest& manifest) {
  if (manifest.revisions.contains(revision)) return true;
  return revision.size() >= kFewestCommitDigits && is_hex(revision, revision.size()) &&
         manifest.commit.starts_with(revision);
}

std::int64_t asked_at(const std::string& revision, const Manifest& manifest) {
  const auto found = manifest.revisions.find(revision);
  return found == manifest.revisions.end() ? 0 : found->second;
}

std::string names_of(const std::vector<PulledModel>& models) {
  std::string names;
  for (const PulledModel& model : models) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", model.exact_name());
  }
  return names;
}

}  // namespace

fs::path PulledModel::model_path() const {
  return manifest.model_file.empty() ? folder : folder / manifest.model_file;
}

std::string PulledModel::exact_name() const {
  HubName name;
  name.repo = manifest.repo.empty() ? repo_of(folder.parent_path()) : manifest.repo;
  name.revision = manifest.commit.substr(0, kCommitDigits);
  name.file = manifest.model_file;
  return hub_name_text(name);
}

fs::path repo_folder(const fs::path& models, const std::string& repo) {
  return models / "hf" / repo;
}

fs::path model_folder(const fs::path& models, const std::string& repo, const std::string& commit,
                      const std::string& variant) {
  std::string name = commit.substr(0, kCommitDigits);
  if (!variant.empty()) name += "." + variant_name(variant);
  return repo_folder(models, repo) / name;
}

fs::path partial_folder(const fs::path& folder) {
  fs::path partial = folder;
  partial += kPartialEnd;
  return partial;
}

fs::path change_lock(const fs::path& folder) {
  return folder.parent_path() / fmt::format(".{}.lock", folder.filename().string());
}

std::vector<PulledModel> pulled_models(const fs::path& models, const std::string& repo) {
  std::vector<PulledModel> found;
  for (const fs::path& where : repo_folders(models, repo)) {
    for (fs::path& folder : folders_in(where)) {
      if (folder.string().ends_with(kPartialEnd)) continue;
      PulledModel model;
      auto manifest = read_manifest(folder);
      model.folder = std::move(folder);
      if (manifest) {
        model.manifest = std::move(*manifest);
      } else {
        model.problem = std::move(manifest.error().message);
      }
      found.push_back(std::move(model));
    }
  }
  return found;
}

std::vector<PartialPull> partial_pulls(const fs::path& models) {
  std::vector<PartialPull> found;
  for (const fs::path& where : repo_folders(models, "")) {
    for (const fs::path& folder : folders_in(where)) {
      if (!folder.string().ends_with(kPartialEnd)) continue;
      PartialPull pull{folder, repo_of(where), 0};
      std::error_code failure;
      for (fs::recursive_directory_iterator entry(folder, failure), end; !failure && entry != end;
           entry.increment(failure)) {
        std::error_code ignored;
        const std::uintmax_t bytes = entry->is_symlink(ignored) ? 0 : entry->file_size(ignored);
        if (bytes != static_cast<std::uintmax_t>(-1)) pull.bytes += bytes;
      }
      found.push_back(std::move(pull));
    }
  }
  return found;
}

void remove_empty_repo(const fs::path& models, const std::string& repo) {
  const fs::path folder = repo_folder(models, repo);
  for (const fs::path& path : {folder, folder.parent_path(), models / "hf"}) {
    if (::rmdir(path.c_str()) != 0) return;
  }
}

bool is_meant(const HubName& name, const Manifest& manifest) {
  const std::string revision = name.revision.empty() ? std::string(kMainRevision) : name.revision;
  if (manifest.repo != name.repo || !is_revision(revision, manifest)) return false;
  if (!name.file.empty()) {
    return !manifest.model_file.empty() && gguf_group(name.file) == gguf_group(manifest.model_file);
  }
  if (name.quantization.empty()) return true;
  return !manifest.model_file.empty() && is_quantization_of(manifest.model_file, name.quantization);
}

Result<PulledModel> find_pulled(const fs::path& models, const HubName& name) {
  std::vector<PulledModel> all = pulled_models(models, name.repo);
  std::erase_if(all, [](const PulledModel& model) { return !model.problem.empty(); });
  const std::string revision = name.revision.empty() ? std::string(kMainRevision) : name.revision;
  std::vector<PulledModel> fitting;
  for (const PulledModel& model : all) {
    if (!is_meant(name, model.manifest)) continue;
    // Of two commits that were "main" in turn, the one that was so last.
    const auto same = std::find_if(fitting.begin(), fitting.end(), [&](const PulledModel& other) {
      return other.manifest.model_file == model.manifest.model_file;
    });
    if (same == fitting.end()) {
      fitting.push_back(model);
    } else if (asked_at(revision, model.manifest) > asked_at(revision, same->manifest)) {
      *same = model;
    }
  }
  // A name that chooses no file means the folder of safetensors, if there is one.
  if (fitting.size() > 1 && name.file.empty() && name.quantization.empty()) {
    for (const PulledModel& model : fitting) {
      if (model.manifest.model_file.empty()) return PulledModel(model);
    }
  }
  if (fitting.size() == 1) return std::move(fitting.front());
  if (fitting.empty()) {
    return make_error(ErrorCode::kNotFound, "model '{}' is not here{}{}", hub_name_text(name),
                      all.empty() ? "" : "; of it are here: ", names_of(all));
  }
  return make_error(ErrorCode::kInvalidArgument, "model '{}' is several here; name one of: {}",
                    hub_name_text(name), names_of(fitting));
}

}  // namespace hangar::hub
