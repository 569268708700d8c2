#include "engine/mailbox.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "base/clock.h"

namespace hangar {

Status Mailbox::submit(std::vector<Request> requests) {
  if (requests.empty()) return {};
  {
    std::lock_guard lock(mutex_);
    if (draining_ || stopping_) {
      return make_error(ErrorCode::kUnavailable, "the server is stopping; try again later");
    }
    std::int64_t choices = 0;
    for (const Request& request : requests) choices += request.choices;
    const std::int64_t waiting = stats_.waiting + arriving_;
    // An engine with nothing to do takes what comes, however small its queue.
    const bool idle = waiting == 0 && stats_.running == 0;
    const std::int64_t queued = waiting + choices - (idle ? requests.front().choices : 0);
    if (queued > max_waiting_) {
      ++stats_.refused;
      return make_error(ErrorCode::kResourceExhausted,
                        "{} sequences are waiting already, {} more come with this request, and the "
                        "queue holds {}",
                        waiting, choices, max_waiting_);
    }
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (known_.insert(requests[i].id).second) continue;
      for (std::size_t before = 0; before < i; ++before) known_.erase(requests[before].id);
      return make_error(ErrorCode::kInvalidArgument, "request id {} is running already",
                        requests[i].id);
    }
    arriving_ += choices;
    if (arrivals_.empty()) oldest_arrival_us_ = steady_now_us();
    arrivals_.insert(arrivals_.end(), std::make_move_iterator(requests.begin()),
                     std::make_move_iterator(requests.end()));
  }
  work_.notify_one();
  return {};
}

void Mailbox::cancel(Cancellation cancellation) {
  {
    std::lock_guard lock(mutex_);
    if (!known_.contains(cancellation.request)) return;
    cancellations_.push_back(cancellation);
  }
  work_.notify_one();
}

std::vector<Event> Mailbox::next_events(std::int64_t timeout_us) {
  std::unique_lock lock(mutex_);
  events_ready_.wait_for(lock, std::chrono::microseconds(timeout_us),
                         [&] { return !events_.empty() || closed_; });
  return std::exchange(events_, {});
}

EngineStats Mailbox::stats() const {
  std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.waiting += static_cast<std::int32_t>(arriving_);
  return stats;
}

void Mailbox::drain() {
  std::lock_guard lock(mutex_);
  draining_ = true;
}

void Mailbox::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
}

bool Mailbox::closed() const {
  std::lock_guard lock(mutex_);
  return closed_ && events_.empty();
}

std::int64_t Mailbox::oldest_arrival_us() const {
  std::lock_guard lock(mutex_);
  return arrivals_.empty() ? 0 : oldest_arrival_us_;
}

Mailbox::Taken Mailbox::take(std::optional<std::int64_t> timeout_us) {
  std::unique_lock lock(mutex_);
  const auto there = [&] { return stopping_ || !arrivals_.empty() || !cancellations_.empty(); };
  if (!timeout_us) {
    work_.wait(lock, there);
  } else if (*timeout_us > 0) {
    work_.wait_for(lock, std::chrono::microseconds(*timeout_us), there);
  }
  Taken taken;
  taken.requests.assign(std::make_move_iterator(arrivals_.begin()),
                        std::make_move_iterator(arrivals_.end()));
  arrivals_.clear();
  taken.cancellations = std::exchange(cancellations_, {});
  taken.stopping = stopping_;
  stats_.waiting += static_cast<std::int32_t>(std::exchange(arriving_, 0));
  return taken;
}

void Mailbox::publish(std::vector<Event>& events, const EngineStats& stats) {
  {
    std::lock_guard lock(mutex_);
    for (const Event& event : events) {
      if (event.kind == EventKind::kFinished) known_.erase(event.request);
    }
    events_.insert(events_.end(), std::make_move_iterator(events.begin()),
                   std::make_move_iterator(events.end()));
    const std::uint64_t refused = stats_.refused;
    stats_ = stats;
    stats_.refused = refused;
  }
  if (!events.empty()) events_ready_.notify_one();
  events.clear();
}

void Mailbox::fail(std::string reason) {
  std::lock_guard lock(mutex_);
  if (failure_.empty()) failure_ = std::move(reason);
  stopping_ = true;
  work_.notify_all();
}

std::string Mailbox::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

void Mailbox::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  events_ready_.notify_all();
}

}  // namespace hangar
