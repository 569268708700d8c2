// The files of a model folder, found without leaving it.
//
// Promise: a file is taken only by a plain name, and only if it truly lies in the folder: symlinks
//   are followed, and where they end must be inside the folder. One way out is allowed, that of the
//   hub's cache: .../models--ORG--NAME/snapshots/REVISION/FILE links to
//   .../models--ORG--NAME/blobs/HASH. Other links are refused: a folder that came from elsewhere
//   could otherwise make the program read (and show, as a template or in an error) any file of its
//   user. The folder itself may be reached through links.
// Errors: kCorrupt (a name with a path in it, a link out of the folder, not a regular file),
//   kNotFound.
// Threads: any; each call looks at the disk afresh.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hangar::hf {

class FolderFiles {
 public:
  static Result<FolderFiles> open(const std::filesystem::path& folder);

  // As the user wrote it, for messages.
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path path_of(std::string_view name) const { return path_ / name; }

  // A name is there, even if what it names may not be read.
  bool has(std::string_view name) const;
  // path_of(name), checked as above.
  Result<std::filesystem::path> find(std::string_view name) const;
  // The whole of a text file; nullopt where there is none.
  Result<std::optional<std::string>> read_optional(std::string_view name,
                                                   std::size_t max_bytes) const;
  // Plain names of what is inside, sorted; `extension` is ".safetensors".
  std::vector<std::string> names_with(std::string_view extension) const;
  std::vector<std::string> names_in(std::string_view subfolder, std::string_view extension) const;

 private:
  std::filesystem::path path_;
  std::filesystem::path real_;   // without links
  std::filesystem::path blobs_;  // of the hub's cache; empty: the folder is not in one
};

}  // namespace hangar::hf
