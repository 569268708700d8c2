#include "hub/disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/descriptor.h"

namespace hangar::hub {
namespace {

namespace fs = std::filesystem;

// Whether the name still means the open file: the one who held the lock may have removed it.
bool still_named(int fd, const fs::path& path) {
  struct stat open_file{};
  struct stat named{};
  return ::fstat(fd, &open_file) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

// A name beside `path` that nothing has.
fs::path spare_name(const fs::path& path) {
  for (int i = 0;; ++i) {
    fs::path spare = path.parent_path() /
                     fmt::format(".{}.removed-{}-{}", path.filename().string(), ::getpid(), i);
    std::error_code ignored;
    if (fs::symlink_status(spare, ignored).type() == fs::file_type::not_found) return spare;
  }
}

void count_file(const fs::path& path, Removed& removed) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0 || S_ISDIR(info.st_mode)) return;
  ++removed.files;
  if (S_ISREG(info.st_mode) && info.st_nlink == 1) {
    removed.freed_bytes += static_cast<std::uint64_t>(info.st_size);
  }
}

Status remove_tree(const fs::path& folder) {
  std::error_code failure;
  fs::remove_all(folder, failure);  // removes links, not what they point to
  if (failure) return io_error(folder, "remove", failure.value());
  return {};
}

}  // namespace

tl::unexpected<Error> io_error(const fs::path& path, std::string_view doing, int number) {
  const bool full = number == ENOSPC || number == EDQUOT;
  return make_error(full ? ErrorCode::kResourceExhausted : ErrorCode::kIo, "{}: cannot {}: {}",
                    path.string(), doing, std::strerror(number));
}

tl::unexpected<Error> io_error(const fs::path& path, std::string_view doing) {
  return io_error(path, doing, errno);
}

Result<std::optional<FileLock>> FileLock::try_take(const fs::path& path, Mode mode, bool create) {
  while (true) {
    const int fd = create ? ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)
                          : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return io_error(path, "open");
    const int how = (mode == Mode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
    int failed = 0;
    while (::flock(fd, how) != 0) {
      failed = errno;
      if (failed != EINTR) break;
      failed = 0;
    }
    if (failed != 0) {
      ::close(fd);
      if (failed == EWOULDBLOCK) return std::optional<FileLock>();
      return io_error(path, "lock", failed);
    }
    if (still_named(fd, path)) {
      return std::optional<FileLock>(FileLock(fd, create ? path : fs::path()));
    }
    ::close(fd);
    if (!create) return io_error(path, "lock", ENOENT);
  }
}

FileLock::FileLock(FileLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), remove_at_end_(std::move(other.remove_at_end_)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(remove_at_end_, other.remove_at_end_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ < 0) return;
  if (!remove_at_end_.empty()) ::unlink(remove_at_end_.c_str());
  ::close(fd_);
}

Result<std::uint64_t> free_bytes(const fs::path& folder) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return io_error(folder, "ask for free space");
  return static_cast<std::uint64_t>(info.f_bavail) * static_cast<std::uint64_t>(info.f_frsize);
}

Status make_folders(const fs::path& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) return io_error(folder, "make the folder", failure.value());
  return {};
}

Status sync_path(const fs::path& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return io_error(path, "open");
  if (::fsync(file.fd) != 0 && errno != EINVAL && errno != EROFS) return io_error(path, "sync");
  return {};
}

Status write_file_whole(const fs::path& path, std::string_view text) {
  fs::path draft = path;
  draft += fmt::format(".{}.draft", ::getpid());
  {
    const Descriptor file{::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    if (file.fd < 0) return io_error(path, "write");
    while (!text.empty()) {
      const ssize_t n = ::write(file.fd, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        const int number = errno;
        ::unlink(draft.c_str());
        return io_error(path, "write", number);
      }
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(file.fd) != 0) {
      const int number = errno;
      ::unlink(draft.c_str());
      return io_error(path, "write", number);
    }
  }
  if (::rename(draft.c_str(), path.c_str()) != 0) return io_error(path, "rename into place");
  return sync_path(path.parent_path());
}

Status swap_in(const fs::path& fresh, const fs::path& place) {
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, place.c_str(), RENAME_NOREPLACE) == 0) {
    return sync_path(place.parent_path());
  }
  // EINVAL: a file system without such renames.
  if (errno != EEXIST && errno != EINVAL) return io_error(place, "rename into place");
  std::error_code ignored;
  if (fs::symlink_status(place, ignored).type() != fs::file_type::not_found) {
    if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) == 0) {
      HANGAR_CHECK_OK(sync_path(place.parent_path()));
      return remove_folder(fresh).map([](const Removed&) {});
    }
    const fs::path aside = spare_name(place);
    if (::rename(place.c_str(), aside.c_str()) != 0) return io_error(place, "rename");
    if (::rename(fresh.c_str(), place.c_str()) != 0) {
      const int number = errno;
      ::rename(aside.c_str(), place.c_str());
      return io_error(place, "rename into place", number);
    }
    HANGAR_CHECK_OK(sync_path(place.parent_path()));
    return remove_tree(aside);
  }
  if (::rename(fresh.c_str(), place.c_str()) != 0) return io_error(place, "rename into place");
  return sync_path(place.parent_path());
}

Result<Removed> remove_folder(const fs::path& folder) {
  Removed removed;
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    count_file(entry->path(), removed);
  }
  const fs::path aside = spare_name(folder);
  if (::rename(folder.c_str(), aside.c_str()) != 0) return io_error(folder, "remove");
  HANGAR_CHECK_OK(remove_tree(aside));
  return removed;
}

Result<Removed> remove_file(const fs::path& file) {
  Removed removed;
  count_file(file, removed);
  if (::unlink(file.c_str()) != 0) return io_error(file, "remove");
  return removed;
}

}  // namespace hangar::hub
