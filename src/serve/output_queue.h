// OutputQueue: where the pump puts a request's pieces and its one reader takes them.
//
// Promise: pieces of one choice come out in order. Past kMergeAfter waiting pieces, text is added
// to
//   the choice's last waiting piece, so that a slow reader holds few pieces, each a bit longer.
// Threads: push from the pump, the rest from the reader. After abandon() returns the callback is
//   not running and will not run again.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include "serve/output_stream.h"

namespace hangar {

class OutputQueue {
 public:
  static constexpr std::size_t kMergeAfter = 64;

  void push(OutputPiece piece);
  // nullopt when none came within timeout_us (-1: for ever) or the end has been taken.
  std::optional<OutputPiece> pop(std::int64_t timeout_us);
  void on_ready(std::function<void()> callback);
  // The reader is gone: what waits is dropped, and so is what comes.
  void abandon();
  // The end has been pushed.
  bool ended() const;
  std::size_t waiting() const;

 private:
  bool merge(OutputPiece& piece);

  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::deque<OutputPiece> pieces_;
  std::function<void()> callback_;
  bool ended_ = false;
  bool end_taken_ = false;
  bool abandoned_ = false;
};

}  // namespace hangar
