#include "hub/file_download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <vector>

#include "base/mapped_file.h"
#include "base/units.h"
#include "hub/disk.h"

namespace hangar::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = 1U << 20U;
constexpr int kMostWrongAnswers = 2;

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// "bytes 100-199/1000": the first byte and the whole size (-1 for '*').
struct ContentRange {
  std::uint64_t first = 0;
  std::int64_t total = -1;
};
std::optional<ContentRange> parse_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) {
    return std::nullopt;
  }
  ContentRange range;
  const std::string_view first = text.substr(0, dash);
  const std::string_view total = text.substr(slash + 1);
  const auto whole = [](std::string_view digits, auto& value) {
    const char* const begin = digits.data();
    const char* const end = begin + digits.size();
    const auto [stopped, failure] = std::from_chars(begin, end, value);
    return failure == std::errc() && stopped == end;
  };
  if (!whole(first, range.first)) return std::nullopt;
  if (total != "*" && !whole(total, range.total)) return std::nullopt;
  return range;
}

// A validator that If-Range takes: not a weak one.
bool is_strong(const std::string& etag) {
  return etag.size() >= 2 && etag.size() < 1000 && etag.front() == '"' && etag.back() == '"';
}

fs::path with_end(const fs::path& path, const char* end) {
  fs::path out = path;
  out += end;
  return out;
}

}  // namespace

FileDownload::FileDownload(Session& session, HubFile file, std::string url, std::string commit,
                           fs::path target)
    : session_(session),
      file_(std::move(file)),
      url_(std::move(url)),
      commit_(std::move(commit)),
      target_(std::move(target)),
      part_(with_end(target_, ".part")),
      sha256_digest_(DigestKind::kSha256, file_.bytes) {
  if (!file_.git_oid.empty()) git_digest_.emplace(DigestKind::kGitBlob, file_.bytes);
}

FileDownload::~FileDownload() {
  if (fd_ >= 0) ::close(fd_);
}

Status FileDownload::open_part() {
  fd_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd_ < 0) return io_error(part_, "open");
  return {};
}

// A new file, not the old one cut short: that one may have another name too.
Status FileDownload::start_over() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  offset_ = 0;
  sha256_digest_.start();
  if (git_digest_) git_digest_->start();
  ::unlink(with_end(part_, ".etag").c_str());
  if (::unlink(part_.c_str()) != 0 && errno != ENOENT) return io_error(part_, "remove");
  return open_part();
}

Status FileDownload::prepare(WorkMeter& meter) {
  HANGAR_CHECK_OK(make_folders(target_.parent_path()));
  HANGAR_CHECK_OK(open_part());
  struct stat info{};
  if (::fstat(fd_, &info) != 0) return io_error(part_, "stat");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (!S_ISREG(info.st_mode) || size > file_.bytes) return start_over();
  std::vector<char> buffer(std::min<std::uint64_t>(size, kReadBytes));
  while (offset_ < size && !meter.stop) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), size - offset_);
    const ssize_t n = ::pread(fd_, buffer.data(), wanted, static_cast<off_t>(offset_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error(part_, "read");
    if (n == 0) break;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
    sha256_digest_.update(as_bytes(bytes));
    if (git_digest_) git_digest_->update(as_bytes(bytes));
    offset_ += bytes.size();
    meter.bytes += bytes.size();
  }
  highest_ = offset_;
  return {};
}

void FileDownload::begin() {
  head_ = {};
  stop_ = Stop::kNone;
  state_ = State::kRunning;
  if (offset_ == file_.bytes) {
    check_whole();
    return;
  }
  HttpRequest request{url_, {"Accept-Encoding: identity"}};
  if (offset_ > 0) {
    request.headers.push_back(fmt::format("Range: bytes={}-", offset_));
    const std::string version = kept_version();
    if (!version.empty()) request.headers.push_back("If-Range: " + version);
  }
  if (Status started = session_.client.start(request, *this); !started) {
    fail(std::move(started.error()));
  }
}

void FileDownload::stop() {
  if (state_ != State::kRunning) return;
  session_.client.cancel(*this);
  state_ = State::kWaiting;
}

std::string FileDownload::kept_version() const {
  auto text = read_text_file(with_end(part_, ".etag"), 4096);
  return text && is_strong(*text) ? std::move(*text) : std::string();
}

void FileDownload::keep_version(const std::string& etag) {
  const fs::path path = with_end(part_, ".etag");
  ::unlink(path.c_str());
  // Without it the next run asks without If-Range; the hash decides in the end.
  if (is_strong(etag)) std::ignore = write_file_whole(path, etag);
}

bool FileDownload::stop_with(Stop stop, std::string words) {
  stop_ = stop;
  stop_words_ = std::move(words);
  return false;
}

bool FileDownload::head(const HttpHead& head) {
  head_ = head;
  if (!head.repo_commit.empty() && head.status < 300 && head.repo_commit != commit_) {
    return stop_with(Stop::kWrongAnswer,
                     fmt::format("the hub sends commit {} where {} was asked for",
                                 head.repo_commit.substr(0, 64), commit_));
  }
  if (head.status == 206) {
    const auto range = parse_range(head.content_range);
    const bool right = range && range->first == offset_ &&
                       (range->total < 0 || range->total == static_cast<std::int64_t>(file_.bytes));
    if (right) return true;
    return stop_with(Stop::kRangeRefused,
                     fmt::format("the hub sends range '{}' where bytes {}- of {} were asked for",
                                 head.content_range.substr(0, 100), offset_, file_.bytes));
  }
  if (head.status == 416) {
    return stop_with(Stop::kRangeRefused, fmt::format("the hub has no bytes from {} on", offset_));
  }
  if (head.status != 200) return stop_with(Stop::kStatus, "");
  if (head.content_bytes >= 0 && head.content_bytes != static_cast<std::int64_t>(file_.bytes)) {
    return stop_with(Stop::kWrongAnswer, fmt::format("the hub sends {} bytes, its list says {}",
                                                     head.content_bytes, file_.bytes));
  }
  if (offset_ > 0) {
    // No ranges here, or the file is another than the part was begun from.
    session_.watcher.note(fmt::format("{}: the hub cannot go on from {}; from zero", file_.path,
                                      format_bytes(offset_)));
    if (Status fresh = start_over(); !fresh) {
      error_ = std::move(fresh.error());
      return stop_with(Stop::kDisk, "");
    }
  }
  keep_version(head.etag);
  return true;
}

bool FileDownload::body(std::string_view bytes) {
  if (bytes.size() > file_.bytes - offset_) {
    return stop_with(Stop::kWrongAnswer,
                     fmt::format("the hub sends more than the {} bytes of its list", file_.bytes));
  }
  std::string_view rest = bytes;
  std::uint64_t at = offset_;
  while (!rest.empty()) {
    const ssize_t n = ::pwrite(fd_, rest.data(), rest.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      error_ = io_error(part_, "write").value();
      return stop_with(Stop::kDisk, "");
    }
    at += static_cast<std::uint64_t>(n);
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  sha256_digest_.update(as_bytes(bytes));
  if (git_digest_) git_digest_->update(as_bytes(bytes));
  offset_ += bytes.size();
  received_ += bytes.size();
  return true;
}

void FileDownload::end(const HttpOutcome& outcome) {
  const int most = session_.policy.most_retries;
  Error error{ErrorCode::kUnavailable, fmt::format("{}: {}", file_.path, outcome.words)};
  switch (stop_) {
    case Stop::kDisk:
      fail(std::move(error_));
      return;
    case Stop::kWrongAnswer:
      wrong_answer(std::move(stop_words_));
      return;
    case Stop::kRangeRefused:
      if (Status fresh = start_over(); !fresh) {
        fail(std::move(fresh.error()));
        return;
      }
      error.message = fmt::format("{}: {}", file_.path, stop_words_);
      try_again(std::move(error), most, 0);
      return;
    case Stop::kStatus: {
      error = status_error(session_, head_, file_.path);
      // A place that the hub led to may say 403 where its signed address has run out.
      const bool denied_elsewhere = head_.status == 403 && !head_.from_endpoint;
      if (is_passing_status(head_.status) || denied_elsewhere) {
        try_again(std::move(error), most, head_.retry_after_us);
      } else {
        fail(std::move(error));
      }
      return;
    }
    case Stop::kNone:
      break;
  }
  switch (outcome.end) {
    case HttpEnd::kComplete:
      if (offset_ == file_.bytes) {
        check_whole();
        return;
      }
      error.message = fmt::format("{}: the answer ended at {} of {}", file_.path,
                                  format_bytes(offset_), format_bytes(file_.bytes));
      try_again(std::move(error), most, 0);
      return;
    case HttpEnd::kUnreachable:
      try_again(std::move(error), std::min(most, kMostUnreachableRetries), 0);
      return;
    case HttpEnd::kStalled:
      error.code = ErrorCode::kDeadlineExceeded;
      error.message = fmt::format("{}: nothing came for too long, at {} of {}", file_.path,
                                  format_bytes(offset_), format_bytes(file_.bytes));
      try_again(std::move(error), most, 0);
      return;
    case HttpEnd::kBroken:
      try_again(std::move(error), most, 0);
      return;
    case HttpEnd::kSinkStopped:
    case HttpEnd::kRefused:
      error.code = ErrorCode::kIo;
      fail(std::move(error));
      return;
  }
}

void FileDownload::check_whole() {
  sha256_ = sha256_digest_.hex();
  const std::string git = git_digest_ ? git_digest_->hex() : "";
  const std::string& got = git_digest_ ? git : sha256_;
  const std::string& wanted = git_digest_ ? file_.git_oid : file_.sha256;
  if (got != wanted) {
    wrong_answer(fmt::format("what came has {} {}, the hub's list says {}",
                             git_digest_ ? "git hash" : "SHA-256", got, wanted));
    return;
  }
  if (Status named = give_name(); !named) {
    fail(std::move(named.error()));
    return;
  }
  state_ = State::kDone;
}

Status FileDownload::give_name() {
  if (::fsync(fd_) != 0) return io_error(part_, "write");
  ::close(fd_);
  fd_ = -1;
  if (::rename(part_.c_str(), target_.c_str()) != 0) return io_error(target_, "rename into place");
  ::unlink(with_end(part_, ".etag").c_str());
  return {};
}

void FileDownload::wrong_answer(std::string words) {
  Error error{ErrorCode::kCorrupt, fmt::format("{}: {}", file_.path, words)};
  if (Status fresh = start_over(); !fresh) {
    fail(std::move(fresh.error()));
    return;
  }
  if (++wrong_answers_ >= kMostWrongAnswers) {
    error.message += "; it did so twice";
    fail(std::move(error));
    return;
  }
  try_again(std::move(error), std::numeric_limits<int>::max(), 0);
}

void FileDownload::try_again(Error error, int most_retries, std::int64_t retry_after_us) {
  const std::uint64_t step =
      std::clamp<std::uint64_t>(file_.bytes / 100, 1, std::uint64_t{1} << 20U);
  if (offset_ >= highest_ + step) {
    highest_ = offset_;
    failures_ = 0;
  }
  ++failures_;
  RetryPolicy policy = session_.policy;
  policy.most_retries = most_retries;
  const auto wait_us = retry_wait_us(policy, failures_, retry_after_us, session_.random());
  if (!wait_us) {
    if (retry_after_us > policy.most_retry_after_us) {
      error.message += fmt::format("; it asks to come back in {}", format_duration(retry_after_us));
    } else if (failures_ > 1) {
      error.message += fmt::format("; gave up after {} tries", failures_);
    }
    fail(std::move(error));
    return;
  }
  session_.watcher.note(
      fmt::format("{}; trying again in {}", error.message, format_duration(*wait_us)));
  state_ = State::kWaiting;
  ready_us_ = monotonic_us() + *wait_us;
}

void FileDownload::fail(Error error) {
  error_ = std::move(error);
  state_ = State::kFailed;
}

Status download_all(Session& session, std::vector<std::unique_ptr<FileDownload>>& downloads,
                    int jobs) {
  constexpr std::int64_t kLookAgainUs = 100'000;
  const auto stop_all = [&](Error error) {
    for (const auto& one : downloads) one->stop();
    return tl::unexpected<Error>(std::move(error));
  };
  std::vector<FileDownload*> left;
  for (const auto& one : downloads) left.push_back(one.get());
  while (true) {
    std::uint64_t here = 0;
    for (const auto& one : downloads) here += one->bytes_here();
    session.watcher.progress(here);
    for (const FileDownload* one : left) {
      if (one->state() == FileDownload::State::kFailed) return stop_all(one->error());
      if (one->state() == FileDownload::State::kDone) {
        session.watcher.file_done(one->file().path, one->file().bytes);
      }
    }
    std::erase_if(
        left, [](const FileDownload* one) { return one->state() == FileDownload::State::kDone; });
    if (left.empty()) return {};
    if (session.watcher.cancelled()) return stop_all(cancelled_error());

    auto running = std::count_if(left.begin(), left.end(), [](const FileDownload* one) {
      return one->state() == FileDownload::State::kRunning;
    });
    const std::int64_t now_us = monotonic_us();
    std::int64_t wait_us = kLookAgainUs;
    bool begun = false;
    for (FileDownload* one : left) {
      if (one->state() != FileDownload::State::kWaiting || running >= jobs) continue;
      if (one->ready_us() > now_us) {
        wait_us = std::min(wait_us, one->ready_us() - now_us);
        continue;
      }
      one->begin();
      begun = true;
      ++running;
    }
    // What began may have ended at once; else something is to be waited for.
    if (Status moved = session.client.step(begun ? 1000 : wait_us); !moved) {
      return stop_all(std::move(moved.error()));
    }
  }
}

}  // namespace hangar::hub
