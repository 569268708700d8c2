#include "base/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hangar {
namespace {

// A descriptor shared with another program may be non-blocking; then we wait ourselves.
void wait_for(int fd, short events) {
  pollfd entry{fd, events, 0};
  ::poll(&entry, 1, -1);
}

}  // namespace

Status Output::write(std::string_view text) {
  if (failed_ == 0) buffer_.append(text);
  if (failed_ != 0 || buffer_.size() >= kBufferBytes) return flush();
  return {};
}

Status Output::flush() {
  std::size_t done = 0;
  while (failed_ == 0 && done < buffer_.size()) {
    const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      wait_for(fd_, POLLOUT);
    } else if (errno != EINTR) {
      failed_ = errno;
    }
  }
  buffer_.clear();
  if (failed_ == 0) return {};
  return make_error(ErrorCode::kIo, "{}: {}", name_, std::strerror(failed_));
}

Result<std::string> read_all(int fd, std::string_view name, std::size_t max_bytes) {
  std::string text;
  char piece[16384];
  while (true) {
    const ssize_t n = ::read(fd, piece, sizeof piece);
    if (n == 0) return text;
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        wait_for(fd, POLLIN);
        continue;
      }
      return make_error(ErrorCode::kIo, "{}: {}", name, std::strerror(errno));
    }
    text.append(piece, static_cast<std::size_t>(n));
    if (text.size() > max_bytes) {
      return make_error(ErrorCode::kInvalidArgument, "{}: more than the limit of {} bytes", name,
                        max_bytes);
    }
  }
}

}  // namespace hangar
