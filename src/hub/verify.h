// Verifying: whether the files of a model are, byte for byte, those of its manifest.
//
// Promise: every file of the manifest is looked at: a regular file, of its size, of its SHA-256;
// links
//   are wrong, since nothing that pull made is one. mark_damaged writes what is wrong into the
//   manifest, so that the next pull fetches just that.
// Units: bytes.
// Errors: kCancelled; kIo where a file cannot be read for another reason than being wrong is a
//   problem of that file, not an error.
// Threads: hashes on `threads` threads of its own; the watcher's calls come on the caller's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "hub/manifest.h"
#include "hub/session.h"

namespace hangar::hub {

struct FileCheck {
  std::string path;
  std::uint64_t bytes = 0;  // that it has
  std::string sha256;       // that it has; "" where it was not taken
  std::string problem;      // "" where the file is right
};

Result<std::vector<FileCheck>> verify_files(const std::filesystem::path& folder,
                                            const Manifest& manifest, int threads,
                                            HubWatcher& watcher);
// Hashes of files that no manifest speaks of.
Result<std::vector<FileCheck>> hash_files(const std::vector<std::filesystem::path>& files,
                                          int threads, HubWatcher& watcher);
Status mark_damaged(const std::filesystem::path& folder, const std::vector<FileCheck>& checks);

// A regular file of this size, and no link.
bool is_file_of_size(const std::filesystem::path& path, std::uint64_t bytes);

}  // namespace hangar::hub
