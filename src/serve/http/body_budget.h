// BodyBudget: a cap over the request bodies that all connections hold together.
//
// Promise: a body's first kFreeBytes do not count, so that ordinary requests are served however
//   full of large ones the server is. A lease gives back what it holds when it goes.
// Threads: the budget from any; a lease is one thread's at a time.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace hangar {

class BodyBudget {
 public:
  static constexpr std::size_t kFreeBytes = std::size_t{64} << 10U;

  // `used` is where the count is kept (HttpCounters::buffered_bytes).
  BodyBudget(std::size_t limit_bytes, std::atomic<std::uint64_t>& used)
      : limit_bytes_(limit_bytes), used_(used) {}

 private:
  friend class BodyLease;
  std::uint64_t limit_bytes_;
  std::atomic<std::uint64_t>& used_;
};

class BodyLease {
 public:
  explicit BodyLease(BodyBudget* budget = nullptr) : budget_(budget) {}
  ~BodyLease() { release(); }
  BodyLease(BodyLease&& other) noexcept
      : budget_(other.budget_), held_bytes_(std::exchange(other.held_bytes_, 0)) {}
  BodyLease& operator=(BodyLease&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(held_bytes_, other.held_bytes_);
    return *this;
  }

  // The body holds so many bytes now; false: there is no room for them.
  bool grow_to(std::size_t body_bytes) {
    if (budget_ == nullptr || body_bytes <= BodyBudget::kFreeBytes + held_bytes_) return true;
    const std::uint64_t more = body_bytes - BodyBudget::kFreeBytes - held_bytes_;
    if (budget_->used_.fetch_add(more) + more > budget_->limit_bytes_) {
      budget_->used_.fetch_sub(more);
      return false;
    }
    held_bytes_ += more;
    return true;
  }
  void release() {
    if (held_bytes_ > 0) budget_->used_.fetch_sub(std::exchange(held_bytes_, 0));
  }
  std::uint64_t held_bytes() const { return held_bytes_; }

 private:
  BodyBudget* budget_;
  std::uint64_t held_bytes_ = 0;
};

}  // namespace hangar
