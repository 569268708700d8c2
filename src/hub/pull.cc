#include "hub/pull.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "base/processors.h"
#include "base/units.h"
#include "base/version.h"
#include "hub/disk.h"
#include "hub/file_download.h"
#include "hub/file_selection.h"
#include "hub/parallel.h"
#include "hub/verify.h"

namespace hangar::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFullCommitDigits = 40;
constexpr auto kLockLook = std::chrono::milliseconds(200);

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int hash_threads() {
  return std::clamp(available_processors(), 1, 8);
}

std::string revision_of(const HubName& name) {
  return name.revision.empty() ? std::string(kMainRevision) : name.revision;
}

Result<FileLock> wait_for_lock(const fs::path& folder, HubWatcher& watcher) {
  bool told = false;
  while (true) {
    HANGAR_TRY(std::optional<FileLock> lock,
               FileLock::try_take(change_lock(folder), FileLock::Mode::kExclusive, true));
    if (lock) return std::move(*lock);
    if (!told) watcher.note("another hangar is working on this model; waiting for it");
    told = true;
    if (watcher.cancelled()) return tl::unexpected<Error>(cancelled_error());
    std::this_thread::sleep_for(kLockLook);
  }
}

// Where a file's bytes are found before any is asked for.
struct PlannedFile {
  HubFile file;
  fs::path target;       // in the partial folder
  fs::path linked_from;  // a whole file of the same contents; "" where there is none
  std::uint64_t bytes_here = 0;
};

fs::path part_of(const fs::path& target) {
  fs::path part = target;
  part += ".part";
  return part;
}

// One pull, from the hub's list to the folder's name.
class Pull {
 public:
  Pull(const PullOptions& options, Session& session, HubWatcher& watcher)
      : options_(options), session_(session), watcher_(watcher) {}

  Result<PullResult> run();

 private:
  Result<bool> is_whole(const Manifest& here);
  void plan_files(const Selection& selection, const std::vector<HubFile>& all);
  bool is_good(const HubFile& file) const;
  fs::path same_elsewhere(const HubFile& file) const;
  Status check_room() const;
  Status place_links() const;
  Status fetch();
  Status finish(const Selection& selection);
  Status leave_only_planned() const;
  void remove_if_empty() const;
  void note_names(Manifest manifest);

  const PullOptions& options_;
  Session& session_;
  HubWatcher& watcher_;
  std::string commit_;
  fs::path folder_;
  fs::path partial_;
  std::optional<Manifest> here_;
  std::set<std::string> wrong_here_;  // paths of here_ that must not be used again
  std::vector<PlannedFile> planned_;
  std::vector<std::unique_ptr<FileDownload>> downloads_;
};

// Looks at the files of the model that is here and remembers which are wrong.
Result<bool> Pull::is_whole(const Manifest& here) {
  wrong_here_.insert(here.damaged.begin(), here.damaged.end());
  if (options_.verify) {
    HANGAR_TRY(const std::vector<FileCheck> checks,
               verify_files(folder_, here, hash_threads(), watcher_));
    for (const FileCheck& check : checks) {
      if (check.problem.empty()) continue;
      watcher_.note(fmt::format("{} {}; fetching it anew", check.path, check.problem));
      wrong_here_.insert(check.path);
    }
  }
  for (const ManifestFile& file : here.files) {
    if (!is_file_of_size(folder_ / file.path, file.bytes)) wrong_here_.insert(file.path);
  }
  return wrong_here_.empty();
}

bool Pull::is_good(const HubFile& file) const {
  if (!here_ || wrong_here_.contains(file.path)) return false;
  const ManifestFile* known = here_->find(file.path);
  return known != nullptr && known->bytes == file.bytes &&
         (file.sha256.empty() || known->sha256 == file.sha256);
}

// A file with this SHA-256 in another commit's folder.
fs::path Pull::same_elsewhere(const HubFile& file) const {
  if (file.sha256.empty()) return {};
  for (const PulledModel& other : pulled_models(options_.models, options_.name.repo)) {
    if (other.folder == folder_) continue;
    for (const ManifestFile& known : other.manifest.files) {
      if (known.sha256 == file.sha256 && is_file_of_size(other.folder / known.path, file.bytes)) {
        return other.folder / known.path;
      }
    }
  }
  return {};
}

void Pull::plan_files(const Selection& selection, const std::vector<HubFile>& all) {
  std::vector<HubFile> wanted = selection.files;
  if (here_) {
    // What an earlier pull with other filters took stays.
    for (const HubFile& file : all) {
      if (here_->find(file.path) != nullptr &&
          std::find(wanted.begin(), wanted.end(), file) == wanted.end()) {
        wanted.push_back(file);
      }
    }
  }
  for (HubFile& file : wanted) {
    PlannedFile planned;
    planned.target = partial_ / file.path;
    std::error_code failure;
    if (is_file_of_size(planned.target, file.bytes)) {
      planned.bytes_here = file.bytes;
    } else if (is_good(file)) {
      planned.linked_from = folder_ / file.path;
    } else if (fs::is_regular_file(fs::symlink_status(part_of(planned.target), failure))) {
      const std::uintmax_t bytes = fs::file_size(part_of(planned.target), failure);
      if (!failure && bytes <= file.bytes) planned.bytes_here = bytes;
    }
    if (planned.linked_from.empty() && planned.bytes_here == 0) {
      planned.linked_from = same_elsewhere(file);
    }
    if (!planned.linked_from.empty()) planned.bytes_here = file.bytes;
    planned.file = std::move(file);
    planned_.push_back(std::move(planned));
  }
}

Status Pull::check_room() const {
  std::uint64_t needed = 0;
  for (const PlannedFile& planned : planned_) needed += planned.file.bytes - planned.bytes_here;
  HANGAR_TRY(const std::uint64_t room, free_bytes(folder_.parent_path()));
  if (needed <= room) return {};
  return make_error(ErrorCode::kResourceExhausted, "{}: no room: {} are needed, {} are free in {}",
                    hub_name_text(options_.name), format_bytes(needed), format_bytes(room),
                    options_.models.string());
}

// Whole files are looked at again like parts: every byte is hashed before the folder gets its name.
Status Pull::place_links() const {
  for (const PlannedFile& planned : planned_) {
    HANGAR_CHECK_OK(make_folders(planned.target.parent_path()));
    const fs::path part = part_of(planned.target);
    if (!planned.linked_from.empty()) {
      ::unlink(part.c_str());
      // Where the file system has no links it is downloaded: slower, not wrong.
      std::ignore = ::link(planned.linked_from.c_str(), part.c_str());
    } else if (is_file_of_size(planned.target, planned.file.bytes) &&
               ::rename(planned.target.c_str(), part.c_str()) != 0) {
      return io_error(planned.target, "rename");
    }
  }
  return {};
}

Status Pull::fetch() {
  HANGAR_CHECK_OK(place_links());
  std::uint64_t total = 0;
  std::uint64_t here = 0;
  for (const PlannedFile& planned : planned_) {
    total += planned.file.bytes;
    here += planned.bytes_here;
    downloads_.push_back(std::make_unique<FileDownload>(
        session_, planned.file,
        file_url(session_.endpoint, options_.name.repo, commit_, planned.file.path), commit_,
        planned.target));
  }
  watcher_.begin("checking what is here", here);
  const Status checked =
      run_parallel(downloads_.size(), hash_threads(), watcher_,
                   [&](std::size_t i, WorkMeter& meter) { return downloads_[i]->prepare(meter); });
  watcher_.end();
  HANGAR_CHECK_OK(checked);
  watcher_.begin("pulling", total);
  const Status fetched = download_all(session_, downloads_, options_.jobs);
  watcher_.end();
  return fetched;
}

Status Pull::leave_only_planned() const {
  std::set<fs::path> kept;
  std::set<fs::path> folders = {partial_};
  for (const PlannedFile& planned : planned_) {
    kept.insert(planned.target);
    for (fs::path up = planned.target.parent_path(); up != partial_; up = up.parent_path()) {
      folders.insert(up);
    }
  }
  std::vector<fs::path> extra;
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(partial_, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::error_code ignored;
    const bool folder = fs::is_directory(entry->symlink_status(ignored));
    if (folder ? folders.contains(entry->path()) : kept.contains(entry->path())) continue;
    extra.push_back(entry->path());
    if (folder) entry.disable_recursion_pending();
  }
  if (failure) return io_error(partial_, "list", failure.value());
  for (const fs::path& path : extra) {
    fs::remove_all(path, failure);
    if (failure) return io_error(path, "remove", failure.value());
  }
  for (const fs::path& folder : folders) HANGAR_CHECK_OK(sync_path(folder));
  return {};
}

// Which names of revisions mean this commit, and the alias: into the manifest.
void Pull::note_names(Manifest manifest) {
  const std::string revision = revision_of(options_.name);
  if (!commit_.starts_with(revision)) manifest.revisions[revision] = now_us();
  if (!options_.alias.empty()) manifest.alias = options_.alias;
  here_ = std::move(manifest);
}

Status Pull::finish(const Selection& selection) {
  HANGAR_CHECK_OK(leave_only_planned());
  Manifest manifest = here_ ? *here_ : Manifest{};
  manifest.repo = options_.name.repo;
  manifest.endpoint = shown_url(session_.endpoint);
  manifest.commit = commit_;
  manifest.model_file = selection.model_file;
  manifest.files.clear();
  manifest.damaged.clear();
  for (const auto& one : downloads_) {
    manifest.files.push_back({one->file().path, one->file().bytes, one->sha256()});
  }
  std::sort(manifest.files.begin(), manifest.files.end(),
            [](const ManifestFile& a, const ManifestFile& b) { return a.path < b.path; });
  note_names(std::move(manifest));
  HANGAR_CHECK_OK(write_manifest(partial_, *here_));
  return swap_in(partial_, folder_);
}

// After a failure that left no bytes worth keeping, nothing is left at all. Under the lock.
void Pull::remove_if_empty() const {
  std::vector<fs::path> files;
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(partial_, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::error_code ignored;
    if (fs::is_directory(entry->symlink_status(ignored))) continue;
    if (entry->file_size(ignored) > 0) return;
  }
  fs::remove_all(partial_, failure);
}

Result<PullResult> Pull::run() {
  const std::string& repo = options_.name.repo;
  HANGAR_TRY(commit_, resolve_commit(session_, repo, revision_of(options_.name)));
  HANGAR_TRY(const std::vector<HubFile> all, list_files(session_, repo, commit_));
  HANGAR_TRY(const Selection selection,
             select_files(all, {options_.name, options_.include, options_.exclude}));
  folder_ = model_folder(options_.models, repo, commit_, selection.variant);
  partial_ = partial_folder(folder_);
  HANGAR_CHECK_OK(make_folders(folder_.parent_path()));
  std::optional<Result<FileLock>> lock(wait_for_lock(folder_, watcher_));
  if (!*lock) return tl::unexpected<Error>(std::move(lock->error()));

  bool whole = false;
  if (auto here = read_manifest(folder_); here && here->commit == commit_) {
    HANGAR_TRY(whole, is_whole(*here));
    here_ = std::move(*here);
  }
  plan_files(selection, all);
  const bool all_known = std::all_of(planned_.begin(), planned_.end(),
                                     [&](const PlannedFile& one) { return is_good(one.file); });
  PullResult result;
  if (here_ && whole && all_known) {
    note_names(*here_);
    const Status written = write_manifest(folder_, *here_);
    // When it was asked for last is worth no failure on a store that may only be read.
    if (!written && !options_.alias.empty()) return tl::unexpected<Error>(written.error());
    std::error_code ignored;
    fs::remove_all(partial_, ignored);  // of a repair that is not needed any more
    result.was_here = true;
  } else {
    Status done = check_room();
    if (done) done = fetch();
    if (done) done = finish(selection);
    for (const auto& one : downloads_) result.received_bytes += one->bytes_received();
    downloads_.clear();
    if (!done) {
      remove_if_empty();
      lock.reset();  // its file lies in a folder that may have to go
      remove_empty_repo(options_.models, repo);
      return tl::unexpected<Error>(std::move(done.error()));
    }
  }
  result.model = {folder_, std::move(*here_), ""};
  return result;
}

Result<PullResult> pull_offline(const PullOptions& options) {
  auto model = find_pulled(options.models, options.name);
  if (model) return PullResult{std::move(*model), 0, true};
  if (model.error().code != ErrorCode::kNotFound) {
    return tl::unexpected<Error>(std::move(model.error()));
  }
  return make_error(ErrorCode::kUnavailable,
                    "{} is not here, and HF_HUB_OFFLINE forbids to ask the hub for it",
                    hub_name_text(options.name));
}

// Hubs know whole commits only: the beginning of one that is here stands for it.
HubName with_whole_commit(const PullOptions& options) {
  HubName name = options.name;
  if (name.revision.empty()) return name;
  for (const PulledModel& model : pulled_models(options.models, name.repo)) {
    const Manifest& manifest = model.manifest;
    if (is_meant(name, manifest) && !manifest.revisions.contains(name.revision)) {
      name.revision = manifest.commit;
      return name;
    }
  }
  return name;
}

// A commit never changes: if it is here and looks whole, nobody needs to be asked.
std::optional<PulledModel> pinned_and_whole(const PullOptions& options) {
  if (options.name.revision.size() < kFullCommitDigits || options.verify ||
      !options.include.empty() || !options.exclude.empty()) {
    return std::nullopt;
  }
  auto model = find_pulled(options.models, options.name);
  if (!model || model->manifest.commit != options.name.revision ||
      !model->manifest.damaged.empty()) {
    return std::nullopt;
  }
  for (const ManifestFile& file : model->manifest.files) {
    if (!is_file_of_size(model->folder / file.path, file.bytes)) return std::nullopt;
  }
  return std::move(*model);
}

Status set_alias(const PullOptions& options, PulledModel& model) {
  if (options.alias.empty() || model.manifest.alias == options.alias) return {};
  model.manifest.alias = options.alias;
  return write_manifest(model.folder, model.manifest);
}

}  // namespace

Result<PullResult> pull_model(const PullOptions& asked, HubWatcher& watcher) {
  PullOptions options = asked;
  options.name = with_whole_commit(asked);
  if (options.hub.offline) {
    HANGAR_TRY(PullResult result, pull_offline(options));
    HANGAR_CHECK_OK(set_alias(options, result.model));
    return result;
  }
  if (auto model = pinned_and_whole(options)) {
    HANGAR_CHECK_OK(set_alias(options, *model));
    return PullResult{std::move(*model), 0, true};
  }
  HANGAR_TRY(const std::unique_ptr<HttpClient> client,
             make_http_client({.endpoint = options.hub.endpoint,
                               .token = options.hub.token,
                               .user_agent = fmt::format("hangar/{}", kVersion),
                               .stall_us = options.hub.stall_us}));
  Session session{*client,
                  watcher,
                  options.hub.endpoint,
                  !options.hub.token.empty(),
                  options.policy,
                  std::mt19937_64(std::random_device{}())};
  return Pull(options, session, watcher).run();
}

}  // namespace hangar::hub
