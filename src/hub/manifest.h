// Manifest: what a pulled model is made of, in a file ".hangar.json" beside it.
//
// Promise: written last, so a folder that has one was whole when it got its name. Every file's size
// and
//   SHA-256 are those of the bytes that were checked against the hub's own list. read_manifest
//   takes nothing at its word: paths that lead out of the folder and malformed hashes are errors.
// Units: bytes; times are microseconds since 1970.
// Errors: read: kNotFound, kCorrupt with the file and what is wrong. write: of the file system.
// Threads: values; one writer of a file at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace hangar::hub {

inline constexpr std::string_view kManifestName = ".hangar.json";

struct ManifestFile {
  std::string path;  // inside the folder, '/' between its parts
  std::uint64_t bytes = 0;
  std::string sha256;

  bool operator==(const ManifestFile&) const = default;
};

struct Manifest {
  std::string repo;      // "org/name"
  std::string endpoint;  // where it was pulled from
  std::string commit;
  // Which names of revisions meant this commit, and when that was last asked.
  std::map<std::string, std::int64_t> revisions;
  std::string alias;       // "" where none was given
  std::string model_file;  // what to open: a GGUF file; "" for the folder itself
  std::vector<ManifestFile> files;
  std::vector<std::string> damaged;  // what `models verify` found wrong; pull mends it

  std::uint64_t total_bytes() const;
  const ManifestFile* find(std::string_view path) const;
};

Result<Manifest> read_manifest(const std::filesystem::path& folder);
Status write_manifest(const std::filesystem::path& folder, const Manifest& manifest);

// Exposed for tests: the text of the file.
std::string manifest_text(const Manifest& manifest);
Result<Manifest> parse_manifest(std::string_view text, std::string_view what);

bool is_hex(std::string_view text, std::size_t digits);

}  // namespace hangar::hub
