// A file descriptor that is closed when its holder goes.
//
// Promise: fd is what open() gave, -1 for none. Not copied, not moved.
// Threads: a value of whoever holds it.
#pragma once

#include <unistd.h>

namespace hangar {

struct Descriptor {
  explicit Descriptor(int opened) : fd(opened) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  const int fd;
};

}  // namespace hangar
