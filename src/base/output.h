// Output: a file descriptor to write to, buffered, where no failure goes unseen.
//
// Promise: what write() and print() took is written in order by flush(); a short write is
// continued.
//   After the first failure nothing more is written and every flush() repeats that error.
// Errors: flush, write: kIo with the name and the system's words ("standard output: No space left
//   on device").
// Threads: one at a time. SIGPIPE is to be ignored by the program, so that it becomes an error.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace hangar {

class Output {
 public:
  // Does not own fd.
  Output(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  Status write(std::string_view text);
  template <typename... Args>
  Status print(fmt::format_string<Args...> format, Args&&... args) {
    return write(fmt::format(format, std::forward<Args>(args)...));
  }
  Status flush();
  int fd() const { return fd_; }

 private:
  static constexpr std::size_t kBufferBytes = 64U << 10U;

  int fd_;
  std::string name_;
  std::string buffer_;
  int failed_ = 0;  // errno of the first failure
};

// All of a descriptor (standard input), at most max_bytes.
Result<std::string> read_all(int fd, std::string_view name, std::size_t max_bytes);

}  // namespace hangar
