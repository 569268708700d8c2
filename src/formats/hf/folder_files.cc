#include "formats/hf/folder_files.h"

#include <algorithm>
#include <system_error>

#include "base/mapped_file.h"
#include "formats/gguf/cursor.h"

namespace hangar::hf {
namespace {

namespace fs = std::filesystem;

// "templates/x.jinja" is fine for the one known subfolder; nothing that climbs is.
bool is_plain(std::string_view name) {
  const fs::path path(name);
  if (name.empty() || name.find('\0') != std::string_view::npos || path.is_absolute()) return false;
  return std::none_of(path.begin(), path.end(), [](const fs::path& part) {
    return part == ".." || part == "." || part.empty();
  });
}

bool is_inside(const fs::path& real, const fs::path& folder) {
  const auto [end, ignored] = std::mismatch(folder.begin(), folder.end(), real.begin(), real.end());
  return end == folder.end();
}

}  // namespace

Result<FolderFiles> FolderFiles::open(const fs::path& folder) {
  FolderFiles files;
  std::error_code error;
  files.path_ = folder;
  files.real_ = fs::canonical(folder, error);
  if (error) {
    return make_error(ErrorCode::kNotFound, "{}: cannot open: {}", folder.string(),
                      error.message());
  }
  const fs::path snapshots = files.real_.parent_path();
  const fs::path repository = snapshots.parent_path();
  if (snapshots.filename() == "snapshots" &&
      repository.filename().string().starts_with("models--")) {
    files.blobs_ = repository / "blobs";
  }
  return files;
}

bool FolderFiles::has(std::string_view name) const {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path_ / name, error);
  return !error && fs::exists(status);
}

Result<fs::path> FolderFiles::find(std::string_view name) const {
  if (!is_plain(name)) {
    return make_error(ErrorCode::kCorrupt, "{}: file name '{}' leads out of the folder",
                      path_.string(), gguf::printable(name, 200));
  }
  fs::path path = path_ / name;
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) {
    const bool missing = error == std::errc::no_such_file_or_directory;
    return make_error(missing ? ErrorCode::kNotFound : ErrorCode::kCorrupt, "{}: cannot open: {}",
                      path.string(), error.message());
  }
  if (!is_inside(real, real_) && (blobs_.empty() || !is_inside(real, blobs_))) {
    return make_error(
        ErrorCode::kCorrupt,
        "{}: is a symlink out of its folder, to {}; only links inside the folder, or "
        "into the blobs of a hub cache, are followed: copy the file here, or give the "
        "folder where it lies",
        path.string(), real.string());
  }
  if (!fs::is_regular_file(real, error)) {
    return make_error(ErrorCode::kCorrupt, "{}: is not a regular file", path.string());
  }
  return path;
}

Result<std::optional<std::string>> FolderFiles::read_optional(std::string_view name,
                                                              std::size_t max_bytes) const {
  if (!has(name)) return std::nullopt;
  HANGAR_TRY(const fs::path path, find(name));
  Result<std::string> text = read_text_file(path, max_bytes);
  if (text) return std::move(*text);
  if (text.error().code == ErrorCode::kInvalidArgument) text.error().code = ErrorCode::kCorrupt;
  return tl::unexpected<Error>(std::move(text.error()));
}

std::vector<std::string> FolderFiles::names_with(std::string_view extension) const {
  return names_in("", extension);
}

std::vector<std::string> FolderFiles::names_in(std::string_view subfolder,
                                               std::string_view extension) const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(subfolder.empty() ? path_ : path_ / subfolder, error), end;
       !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.size() > extension.size() && name.ends_with(extension)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace hangar::hf
