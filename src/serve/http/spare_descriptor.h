// SpareDescriptor: a file descriptor kept back, so that a server that has none left can still take
// a connection to turn it away.
//
// Promise: while held() the process can open one file after give() that it could not open before,
//   unless another thread is quicker.
// Threads: one.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace hangar {

class SpareDescriptor {
 public:
  SpareDescriptor() { take(); }
  ~SpareDescriptor() { give(); }
  SpareDescriptor(const SpareDescriptor&) = delete;
  SpareDescriptor& operator=(const SpareDescriptor&) = delete;

  bool held() const { return descriptor_ >= 0; }
  // False: there is still none.
  bool take() {
    if (!held()) descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    return held();
  }
  void give() {
    if (held()) ::close(std::exchange(descriptor_, -1));
  }

 private:
  int descriptor_ = -1;
};

}  // namespace hangar
