// OutputQueue: where the pump puts a request's pieces and its one reader takes them.
//
// Promise: pieces of one choice come out in order. Past kMergeAfter waiting pieces, text is added
// to
//   the choice's last waiting piece, so that a slow reader holds few pieces, each a bit longer.
//   What waits is at most max_waiting_bytes and one piece (as counted in memory, strings and lists
//   too).
// Threads: push from the pump, the rest from the reader. After abandon() returns the callback is
//   not running and will not run again.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>

#include "serve/output_stream.h"

namespace hangar {

struct OutputQueueOptions {
  std::size_t max_waiting_bytes = std::numeric_limits<std::size_t>::max();
  // The reader wants all at once: it is woken by the end alone, and pieces are merged from the
  // start. There is no limit then: the answer is as long as it is.
  bool whole = false;
};

class OutputQueue {
 public:
  static constexpr std::size_t kMergeAfter = 64;

  explicit OutputQueue(OutputQueueOptions options = {}) : options_(options) {}

  // False: the reader is too far behind. This piece and all that waited are dropped; what is left
  // for the caller is to push the end, which is always taken.
  [[nodiscard]] bool push(OutputPiece piece);
  // nullopt when none came within timeout_us (-1: for ever) or the end has been taken.
  std::optional<OutputPiece> pop(std::int64_t timeout_us);
  void on_ready(std::function<void()> callback);
  // The reader is gone: what waits is dropped, and so is what comes.
  void abandon();
  // The end has been pushed.
  bool ended() const;
  std::size_t waiting() const;
  std::size_t waiting_bytes() const;

 private:
  bool merge(OutputPiece& piece);
  bool ready() const;

  const OutputQueueOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::deque<OutputPiece> pieces_;
  std::size_t bytes_ = 0;  // of pieces_
  std::function<void()> callback_;
  bool ended_ = false;
  bool end_taken_ = false;
  bool abandoned_ = false;
};

}  // namespace hangar
