#include "hub/verify.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "hub/digest.h"
#include "hub/disk.h"
#include "hub/parallel.h"

namespace hangar::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = 1U << 20U;

// Fills the check's size and hash; a file that cannot be read is its problem.
Status hash_one(const fs::path& path, bool follow_links, FileCheck& check, WorkMeter& meter) {
  const Descriptor file{
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | (follow_links ? 0 : O_NOFOLLOW))};
  struct stat info{};
  if (file.fd < 0 || ::fstat(file.fd, &info) != 0) {
    check.problem = errno == ENOENT  ? "is missing"
                    : errno == ELOOP ? "is a link, not a file"
                                     : fmt::format("cannot be read: {}", std::strerror(errno));
    return {};
  }
  if (!S_ISREG(info.st_mode)) {
    check.problem = "is no file";
    return {};
  }
  Digest digest(DigestKind::kSha256, 0);
  std::vector<char> buffer(kReadBytes);
  while (!meter.stop) {
    const ssize_t n = ::read(file.fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      check.problem = fmt::format("cannot be read: {}", std::strerror(errno));
      return {};
    }
    if (n == 0) break;
    digest.update(std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(n))));
    check.bytes += static_cast<std::uint64_t>(n);
    meter.bytes += static_cast<std::uint64_t>(n);
  }
  check.sha256 = digest.hex();
  return {};
}

std::uint64_t size_of(const fs::path& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)
             ? static_cast<std::uint64_t>(info.st_size)
             : 0;
}

}  // namespace

bool is_file_of_size(const fs::path& path, std::uint64_t bytes) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         static_cast<std::uint64_t>(info.st_size) == bytes;
}

Result<std::vector<FileCheck>> verify_files(const fs::path& folder, const Manifest& manifest,
                                            int threads, HubWatcher& watcher) {
  std::vector<FileCheck> checks(manifest.files.size());
  watcher.begin("verifying", manifest.total_bytes());
  const Status done =
      run_parallel(checks.size(), threads, watcher, [&](std::size_t i, WorkMeter& meter) -> Status {
        const ManifestFile& wanted = manifest.files[i];
        FileCheck& check = checks[i];
        check.path = wanted.path;
        const fs::path path = folder / wanted.path;
        const std::uint64_t size = size_of(path);
        if (size != wanted.bytes && size != 0) {
          // Its hash would say nothing more.
          check.bytes = size;
          check.problem = fmt::format("has {} bytes, not {}", size, wanted.bytes);
          return {};
        }
        HANGAR_CHECK_OK(hash_one(path, false, check, meter));
        if (!check.problem.empty() || meter.stop) return {};
        if (check.bytes != wanted.bytes) {
          check.problem = fmt::format("has {} bytes, not {}", check.bytes, wanted.bytes);
        } else if (check.sha256 != wanted.sha256) {
          check.problem = fmt::format("has SHA-256 {}, not {}", check.sha256, wanted.sha256);
        }
        return {};
      });
  watcher.end();
  HANGAR_CHECK_OK(done);
  return checks;
}

Result<std::vector<FileCheck>> hash_files(const std::vector<fs::path>& files, int threads,
                                          HubWatcher& watcher) {
  std::vector<FileCheck> checks(files.size());
  std::uint64_t total = 0;
  for (const fs::path& path : files) {
    std::error_code failure;
    const std::uintmax_t bytes = fs::file_size(path, failure);
    if (!failure) total += bytes;
  }
  watcher.begin("verifying", total);
  const Status done =
      run_parallel(checks.size(), threads, watcher, [&](std::size_t i, WorkMeter& meter) {
        checks[i].path = files[i].string();
        return hash_one(files[i], true, checks[i], meter);
      });
  watcher.end();
  HANGAR_CHECK_OK(done);
  return checks;
}

Status mark_damaged(const fs::path& folder, const std::vector<FileCheck>& checks) {
  HANGAR_TRY(Manifest manifest, read_manifest(folder));
  std::vector<std::string> damaged;
  for (const FileCheck& check : checks) {
    if (!check.problem.empty()) damaged.push_back(check.path);
  }
  if (damaged == manifest.damaged) return {};
  manifest.damaged = std::move(damaged);
  return write_manifest(folder, manifest);
}

}  // namespace hangar::hub
