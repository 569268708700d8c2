// What hub/ asks of the file system beyond std::filesystem: locks, room, writes that are whole.
//
// Promise: FileLock is flock(): it ends with the process, and holds between processes and within
// one.
//   write_file_whole leaves the old contents or the new, never a part. swap_in puts a folder in
//   another's place so that at every moment the name is one whole folder, and removes what stood
//   there. Removal never follows a symbolic link.
// Units: bytes.
// Errors: kIo and kResourceExhausted (no space, quota) with the path and the system's words.
// Threads: any; a FileLock belongs to one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace hangar::hub {

// An error of the system call that just failed: errno.
tl::unexpected<Error> io_error(const std::filesystem::path& path, std::string_view doing);
tl::unexpected<Error> io_error(const std::filesystem::path& path, std::string_view doing,
                               int number);

class FileLock {
 public:
  enum class Mode : std::uint8_t { kShared, kExclusive };

  // Nothing where another holds it. Makes the file, if need be, when `create` says so; a file made
  // so is removed when an exclusive lock on it ends.
  static Result<std::optional<FileLock>> try_take(const std::filesystem::path& path, Mode mode,
                                                  bool create);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  FileLock(int fd, std::filesystem::path remove_at_end)
      : fd_(fd), remove_at_end_(std::move(remove_at_end)) {}

  int fd_ = -1;
  std::filesystem::path remove_at_end_;
};

// Room for an ordinary user on the file system of `folder`, which is there.
Result<std::uint64_t> free_bytes(const std::filesystem::path& folder);
Status make_folders(const std::filesystem::path& folder);
Status write_file_whole(const std::filesystem::path& path, std::string_view text);
// Gives a folder's entries, or a file's bytes, to the disk.
Status sync_path(const std::filesystem::path& path);
// `fresh` gets the name `place`; what stood there is removed. Both lie in one folder.
Status swap_in(const std::filesystem::path& fresh, const std::filesystem::path& place);

struct Removed {
  std::uint64_t files = 0;
  std::uint64_t freed_bytes = 0;  // of files that had no other name
};
// The folder disappears at once under its name, then its contents are removed.
Result<Removed> remove_folder(const std::filesystem::path& folder);
Result<Removed> remove_file(const std::filesystem::path& file);

}  // namespace hangar::hub
