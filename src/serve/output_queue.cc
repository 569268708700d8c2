#include "serve/output_queue.h"

#include <chrono>
#include <iterator>
#include <utility>

namespace hangar {

bool OutputQueue::merge(OutputPiece& piece) {
  if (pieces_.size() < kMergeAfter || piece.end) return false;
  for (auto last = pieces_.rbegin(); last != pieces_.rend(); ++last) {
    if (last->choice != piece.choice) continue;
    if (last->finish) return false;
    last->text += piece.text;
    last->tokens.insert(last->tokens.end(), std::make_move_iterator(piece.tokens.begin()),
                        std::make_move_iterator(piece.tokens.end()));
    last->finish = piece.finish;
    return true;
  }
  return false;
}

void OutputQueue::push(OutputPiece piece) {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  ended_ = piece.end;
  if (abandoned_) return;
  if (!merge(piece)) pieces_.push_back(std::move(piece));
  came_.notify_one();
  // Under the lock, so that abandon() can promise that no callback is under way.
  if (callback_) std::exchange(callback_, nullptr)();
}

std::optional<OutputPiece> OutputQueue::pop(std::int64_t timeout_us) {
  std::unique_lock lock(mutex_);
  const auto there = [&] { return !pieces_.empty() || end_taken_ || abandoned_; };
  if (timeout_us < 0) {
    came_.wait(lock, there);
  } else if (timeout_us > 0) {
    came_.wait_for(lock, std::chrono::microseconds(timeout_us), there);
  }
  if (pieces_.empty()) return std::nullopt;
  OutputPiece piece = std::move(pieces_.front());
  pieces_.pop_front();
  end_taken_ = piece.end;
  return piece;
}

void OutputQueue::on_ready(std::function<void()> callback) {
  std::lock_guard lock(mutex_);
  if (abandoned_) return;
  if (pieces_.empty() && !end_taken_) {
    callback_ = std::move(callback);
    return;
  }
  callback_ = nullptr;
  callback();
}

void OutputQueue::abandon() {
  std::lock_guard lock(mutex_);
  abandoned_ = true;
  callback_ = nullptr;
  pieces_.clear();
  came_.notify_all();
}

bool OutputQueue::ended() const {
  std::lock_guard lock(mutex_);
  return ended_;
}

std::size_t OutputQueue::waiting() const {
  std::lock_guard lock(mutex_);
  return pieces_.size();
}

}  // namespace hangar
