#include "formats/prepared/file_stamp.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/descriptor.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kHeadBytes = 1 << 20;
constexpr std::uint64_t kTailBytes = 64 << 10;
constexpr std::uint64_t kPieceBytes = 4 << 10;
constexpr std::uint64_t kPieces = 64;

// Files beside the weights that say what they mean.
constexpr std::array<std::string_view, 3> kCompanions = {"config.json", "quantize_config.json",
                                                         "quant_config.json"};

tl::unexpected<Error> failed(const fs::path& path, const char* doing) {
  const int number = errno;
  return make_error(number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: cannot {}: {}",
                    path.string(), doing, std::strerror(number));
}

class Sampler {
 public:
  Sampler() : state_(XXH3_createState()) { XXH3_64bits_reset(state_); }
  ~Sampler() { XXH3_freeState(state_); }
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  bool add(int fd, std::uint64_t offset, std::uint64_t bytes) {
    buffer_.resize(bytes);
    std::uint64_t got = 0;
    while (got < bytes) {
      const ssize_t n =
          ::pread(fd, buffer_.data() + got, bytes - got, static_cast<off_t>(offset + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return false;
      if (n == 0) break;  // shorter than it was a moment ago
      got += static_cast<std::uint64_t>(n);
    }
    XXH3_64bits_update(state_, buffer_.data(), got);
    return true;
  }
  std::uint64_t digest() const { return XXH3_64bits_digest(state_); }

 private:
  XXH3_state_t* state_;
  std::vector<char> buffer_;
};

bool same_time(const FileStamp& a, const FileStamp& b) {
  if (a.time_s != b.time_s) return false;
  return a.time_ns == b.time_ns || a.time_ns == 0 || b.time_ns == 0;
}

}  // namespace

Result<FileStamp> stamp_file(const fs::path& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return failed(path, "open");
  struct stat info{};
  if (::fstat(file.fd, &info) != 0) return failed(path, "stat");
  FileStamp stamp;
  stamp.name = path.filename().string();
  stamp.bytes = static_cast<std::uint64_t>(info.st_size);
  stamp.time_s = info.st_mtim.tv_sec;
  stamp.time_ns = info.st_mtim.tv_nsec;
  Sampler sampler;
  const std::uint64_t head = std::min(stamp.bytes, kHeadBytes);
  const std::uint64_t tail = std::min(stamp.bytes, kTailBytes);
  bool read = sampler.add(file.fd, 0, head) && sampler.add(file.fd, stamp.bytes - tail, tail);
  for (std::uint64_t i = 0; read && i < kPieces && stamp.bytes > head + tail; ++i) {
    const std::uint64_t room = stamp.bytes - head - tail;
    // Even for files of exabytes no product overflows.
    const std::uint64_t at = head + room / kPieces * i;
    read = sampler.add(file.fd, at, std::min(kPieceBytes, stamp.bytes - at));
  }
  if (!read) return failed(path, "read");
  stamp.sample = sampler.digest();
  return stamp;
}

Result<std::vector<FileStamp>> stamp_model(std::span<const fs::path> files) {
  std::vector<FileStamp> stamps;
  for (const fs::path& file : files) {
    HANGAR_TRY(FileStamp stamp, stamp_file(file));
    stamps.push_back(std::move(stamp));
  }
  if (files.empty()) return stamps;
  for (const std::string_view name : kCompanions) {
    const fs::path companion = files[0].parent_path() / name;
    std::error_code ignored;
    if (!fs::is_regular_file(companion, ignored)) continue;
    if (std::find(files.begin(), files.end(), companion) != files.end()) continue;
    HANGAR_TRY(FileStamp stamp, stamp_file(companion));
    stamps.push_back(std::move(stamp));
  }
  return stamps;
}

std::string difference(std::span<const FileStamp> was, std::span<const FileStamp> now) {
  if (was.size() != now.size()) {
    return fmt::format("{} files instead of {}", now.size(), was.size());
  }
  for (std::size_t i = 0; i < was.size(); ++i) {
    if (was[i].name != now[i].name) {
      return fmt::format("{} instead of {}", now[i].name, was[i].name);
    }
    if (was[i].bytes != now[i].bytes) return now[i].name + ": its size";
    if (!same_time(was[i], now[i])) return now[i].name + ": its time";
    if (was[i].sample != now[i].sample) return now[i].name + ": its contents";
  }
  return {};
}

}  // namespace hangar
