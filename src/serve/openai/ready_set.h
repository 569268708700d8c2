// ReadySet: which of many streams have something, and one callback for all of them.
//
// Promise: an index that was added is given out once; a callback that was armed is called once, at
//   once if something is there already.
// Errors: none.
// Threads: any.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace hangar {

class ReadySet {
 public:
  void add(std::size_t index) {
    std::lock_guard lock(mutex_);
    ready_.push_back(index);
    // Under the lock, so that whoever armed it knows that it is not running once it is replaced.
    if (callback_) std::exchange(callback_, nullptr)();
  }
  std::vector<std::size_t> take() {
    std::lock_guard lock(mutex_);
    return std::exchange(ready_, {});
  }
  void on_ready(std::function<void()> callback) {
    std::lock_guard lock(mutex_);
    callback_ = nullptr;
    if (ready_.empty()) {
      callback_ = std::move(callback);
    } else {
      callback();
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::size_t> ready_;
  std::function<void()> callback_;
};

}  // namespace hangar
