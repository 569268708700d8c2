#include "serve/output_queue.h"

#include <chrono>
#include <iterator>
#include <utility>

namespace hangar {
namespace {

// What a piece holds beside itself.
std::size_t content_bytes(const OutputPiece& piece) {
  std::size_t bytes = piece.text.size() + piece.error.size();
  for (const OutputToken& token : piece.tokens) {
    bytes += sizeof(OutputToken) + token.bytes.size();
    for (const TokenAlternative& other : token.top) {
      bytes += sizeof(TokenAlternative) + other.bytes.size();
    }
  }
  return bytes;
}

}  // namespace

bool OutputQueue::merge(OutputPiece& piece) {
  if ((pieces_.size() < kMergeAfter && !options_.whole) || piece.end) return false;
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

bool OutputQueue::ready() const {
  return end_taken_ || (options_.whole ? ended_ : !pieces_.empty());
}

bool OutputQueue::push(OutputPiece piece) {
  std::lock_guard lock(mutex_);
  if (ended_) return true;
  ended_ = piece.end;
  if (abandoned_) return true;
  if (bytes_ > options_.max_waiting_bytes && !options_.whole && !piece.end) {
    pieces_.clear();
    bytes_ = 0;
    return false;
  }
  const std::size_t content = content_bytes(piece);
  bytes_ += content;
  if (!merge(piece)) {
    pieces_.push_back(std::move(piece));
    bytes_ += sizeof(OutputPiece);
  }
  if (!ready()) return true;
  came_.notify_one();
  // Under the lock, so that abandon() can promise that no callback is under way.
  if (callback_) std::exchange(callback_, nullptr)();
  return true;
}

std::optional<OutputPiece> OutputQueue::pop(std::int64_t timeout_us) {
  std::unique_lock lock(mutex_);
  const auto there = [&] { return ready() || abandoned_; };
  if (timeout_us < 0) {
    came_.wait(lock, there);
  } else if (timeout_us > 0) {
    came_.wait_for(lock, std::chrono::microseconds(timeout_us), there);
  }
  if (!ready() || pieces_.empty()) return std::nullopt;
  OutputPiece piece = std::move(pieces_.front());
  pieces_.pop_front();
  bytes_ -= sizeof(OutputPiece) + content_bytes(piece);
  end_taken_ = piece.end;
  return piece;
}

void OutputQueue::on_ready(std::function<void()> callback) {
  std::lock_guard lock(mutex_);
  if (abandoned_) return;
  callback_ = nullptr;
  if (ready()) {
    callback();
  } else {
    callback_ = std::move(callback);
  }
}

void OutputQueue::abandon() {
  std::lock_guard lock(mutex_);
  abandoned_ = true;
  callback_ = nullptr;
  pieces_.clear();
  bytes_ = 0;
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

std::size_t OutputQueue::waiting_bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace hangar
