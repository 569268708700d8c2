#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/json.h"
#include "base/units.h"
#include "formats/prepared/prepared_file.h"
#include "formats/prepared/prepared_format.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> failed(const fs::path& path, std::string_view doing, int number) {
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return make_error(full ? ErrorCode::kResourceExhausted : ErrorCode::kIo, "{}: cannot {}: {}",
                    path.string(), doing, std::strerror(number));
}

constexpr std::uint64_t page_aligned(std::uint64_t bytes) {
  return (bytes + kPreparedPage - 1) / kPreparedPage * kPreparedPage;
}

Status check_room(const fs::path& folder, std::uint64_t bytes) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return failed(folder, "ask for free space", errno);
  const std::uint64_t room =
      static_cast<std::uint64_t>(info.f_bavail) * static_cast<std::uint64_t>(info.f_frsize);
  if (room >= bytes) return {};
  return make_error(ErrorCode::kResourceExhausted, "{}: {} free, and about {} are needed",
                    folder.string(), format_bytes(room), format_bytes(bytes));
}

// The draft, open and locked. A lock ends with its process, so a draft that is there unlocked is
// what a killed one left, and is written anew.
Result<int> open_draft(const fs::path& draft) {
  for (;;) {
    const int fd = ::open(draft.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return failed(draft, "write", errno);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int number = errno;
      ::close(fd);
      if (number != EWOULDBLOCK) return failed(draft, "lock", number);
      return make_error(ErrorCode::kUnavailable, "{}: another hangar is writing it",
                        draft.string());
    }
    // Who held the lock until now may have given the file its name, or removed it.
    struct stat open_file{};
    struct stat named{};
    if (::fstat(fd, &open_file) == 0 && ::stat(draft.c_str(), &named) == 0 &&
        open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev) {
      if (::ftruncate(fd, 0) == 0) return fd;
      const int number = errno;
      ::close(fd);
      return failed(draft, "write", number);
    }
    ::close(fd);
  }
}

}  // namespace

fs::path PreparedFileWriter::draft_of(const fs::path& path) {
  return path.parent_path() / fmt::format(".{}.draft", path.filename().string());
}

Result<std::unique_ptr<PreparedFileWriter>> PreparedFileWriter::create(Options options) {
  const fs::path folder = options.path.parent_path();
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) return failed(folder, "make the folder", failure.value());
  HANGAR_CHECK_OK(check_room(folder, options.expected_bytes));
  HANGAR_TRY(const int fd, open_draft(draft_of(options.path)));
  return std::unique_ptr<PreparedFileWriter>(new PreparedFileWriter(std::move(options), fd));
}

PreparedFileWriter::PreparedFileWriter(Options options, int fd)
    : options_(std::move(options)), fd_(fd), end_(kPreparedPage) {}

PreparedFileWriter::~PreparedFileWriter() {
  // Before the lock ends: afterwards the name may be another's.
  if (!finished_) ::unlink(draft_of(options_.path).c_str());
  ::close(fd_);
}

Status PreparedFileWriter::write(std::uint64_t at, std::span<const std::byte> data) {
  constexpr std::size_t kMostBytes = 16 << 20;  // between two looks at `cancelled`
  while (!data.empty()) {
    if (options_.cancelled && options_.cancelled()) {
      return make_error(ErrorCode::kCancelled, "{}: interrupted", options_.path.string());
    }
    const ssize_t n =
        ::pwrite(fd_, data.data(), std::min(data.size(), kMostBytes), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(options_.path, "write", errno);
    at += static_cast<std::uint64_t>(n);
    data = data.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Status PreparedFileWriter::add(const PreparedId& id, std::string_view form,
                               std::span<const std::byte> data) {
  if (!ids_.insert(prepared_key(id)).second) return {};
  HANGAR_CHECK_OK(write(end_, data));
  sections_.push_back({std::string(id.name), std::string(form), id.first_row, id.rows, id.columns,
                       end_, data.size(), XXH3_64bits(data.data(), data.size())});
  end_ = page_aligned(end_ + data.size());
  return {};
}

std::string PreparedFileWriter::index() const {
  boost::json::array files;
  for (const FileStamp& file : options_.prepared_for.files) {
    files.push_back({{"name", file.name},
                     {"bytes", file.bytes},
                     {"time_s", file.time_s},
                     {"time_ns", file.time_ns},
                     {"sample", file.sample}});
  }
  boost::json::array sections;
  for (const Section& section : sections_) {
    sections.push_back({{"name", section.name},
                        {"first_row", section.first_row},
                        {"rows", section.rows},
                        {"columns", section.columns},
                        {"form", section.form},
                        {"at", section.at},
                        {"bytes", section.bytes},
                        {"hash", section.hash}});
  }
  return write_json(boost::json::object{{"model", options_.prepared_for.model},
                                        {"layout", options_.prepared_for.layout},
                                        {"files", std::move(files)},
                                        {"sections", std::move(sections)}});
}

Status PreparedFileWriter::finish() {
  const std::string text = index();
  PreparedHeader header;
  header.index_at = end_;
  header.index_bytes = text.size();
  header.index_hash = XXH3_64bits(text.data(), text.size());
  header.file_bytes = end_ + text.size();
  header.header_hash = XXH3_64bits(&header, offsetof(PreparedHeader, header_hash));
  HANGAR_CHECK_OK(write(end_, std::as_bytes(std::span(text))));
  HANGAR_CHECK_OK(write(0, std::as_bytes(std::span(&header, 1))));
  if (::fsync(fd_) != 0) return failed(options_.path, "write", errno);
  if (::rename(draft_of(options_.path).c_str(), options_.path.c_str()) != 0) {
    return failed(options_.path, "rename into place", errno);
  }
  finished_ = true;
  return {};
}

}  // namespace hangar
