#include "serve/event_pump.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "base/clock.h"

namespace hangar {
namespace {

class PumpedStream final : public OutputStream {
 public:
  PumpedStream(std::shared_ptr<RunningStream> stream, std::shared_ptr<EventPump> pump)
      : stream_(std::move(stream)), pump_(std::move(pump)) {}
  ~PumpedStream() override {
    stream_->queue().abandon();
    if (!stream_->queue().ended()) cancel();
  }
  std::optional<OutputPiece> next(std::int64_t timeout_us) override {
    return stream_->queue().pop(timeout_us);
  }
  void on_ready(std::function<void()> callback) override {
    stream_->queue().on_ready(std::move(callback));
  }
  void cancel() override { pump_->cancel(stream_->id()); }

 private:
  std::shared_ptr<RunningStream> stream_;
  std::shared_ptr<EventPump> pump_;
};

}  // namespace

EventPump::EventPump(Engine& engine)
    : engine_(engine), completions_(steady_now_us()), thread_([this] { run(); }) {}

EventPump::~EventPump() {
  join();
}

void EventPump::join() {
  if (thread_.joinable()) thread_.join();
}

Result<std::vector<std::unique_ptr<OutputStream>>> EventPump::start(std::vector<Start> starts,
                                                                    const Tokenizer& tokenizer,
                                                                    bool counted) {
  std::vector<Request> requests;
  std::vector<StreamPtr> streams;
  for (Start& start : starts) {
    start.request.id = next_id_.fetch_add(1, std::memory_order_relaxed);
    streams.push_back(std::make_shared<RunningStream>(
        tokenizer, start.request, start.options, counted ? &metrics_ : nullptr, steady_now_us()));
    requests.push_back(std::move(start.request));
  }
  {
    std::lock_guard lock(mutex_);
    if (closed_) return make_error(ErrorCode::kUnavailable, "the model is being unloaded");
    arrivals_.insert(arrivals_.end(), streams.begin(), streams.end());
  }
  if (Status status = engine_.submit_all(std::move(requests)); !status) {
    withdraw(streams);
    return tl::unexpected<Error>(std::move(status.error()));
  }
  std::vector<std::unique_ptr<OutputStream>> started;
  for (StreamPtr& stream : streams) {
    started.push_back(std::make_unique<PumpedStream>(std::move(stream), shared_from_this()));
  }
  return started;
}

// The engine has refused them and will never speak of them.
void EventPump::withdraw(const std::vector<StreamPtr>& streams) {
  std::lock_guard lock(mutex_);
  for (const StreamPtr& stream : streams) {
    const auto found = std::find(arrivals_.rbegin(), arrivals_.rend(), stream);
    if (found != arrivals_.rend()) {
      arrivals_.erase(std::next(found).base());
    } else if (!closed_) {
      withdrawn_.push_back(stream->id());
    }
  }
}

void EventPump::cancel(RequestId id) {
  // Held while the engine is called: it keeps the engine alive, and the engine never calls back.
  std::lock_guard lock(mutex_);
  if (!closed_) engine_.cancel(id);
}

void EventPump::run() {
  constexpr std::int64_t kWaitUs = 1'000'000;
  for (;;) {
    const std::vector<Event> events = engine_.next_events(kWaitUs);
    const std::int64_t now_us = steady_now_us();
    // After the events have come: whose they are has been entered by now.
    take_arrivals();
    std::int64_t ended = 0;
    for (const Event& event : events) {
      handle(event, now_us);
      if (event.kind == EventKind::kChoiceFinished) ++ended;
    }
    if (ended > 0) completions_.add(ended, now_us);
    if (events.empty() && engine_.stopped()) break;
  }
  close();
}

void EventPump::take_arrivals() {
  std::lock_guard lock(mutex_);
  for (StreamPtr& stream : arrivals_) {
    const RequestId id = stream->id();
    streams_.emplace(id, std::move(stream));
  }
  arrivals_.clear();
  for (const RequestId id : withdrawn_) streams_.erase(id);
  withdrawn_.clear();
}

void EventPump::handle(const Event& event, std::int64_t now_us) {
  const auto found = streams_.find(event.request);
  if (found == streams_.end()) return;
  if (event.kind == EventKind::kToken && !has_produced()) produced_.store(true);
  switch (found->second->on_event(event, now_us)) {
    case StreamAction::kNone:
      break;
    // The engine lives as long as this thread: no lock is needed.
    case StreamAction::kCancelChoice:
      engine_.cancel(event.request, event.choice);
      break;
    case StreamAction::kCancelRequest:
      engine_.cancel(event.request);
      break;
  }
  if (event.kind == EventKind::kFinished) streams_.erase(found);
}

// No more events will come: ends what still waits, and keeps streams off the engine.
void EventPump::close() {
  std::function<void(const std::string&)> told;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    told = told_;
  }
  take_arrivals();
  const std::string failure = engine_.failure();
  const std::int64_t now_us = steady_now_us();
  for (auto& [id, stream] : streams_) {
    if (failure.empty()) {
      stream->end_early(FinishReason::kCancelled, "the model was unloaded", now_us);
    } else {
      stream->end_early(FinishReason::kFailed, failure, now_us);
    }
  }
  streams_.clear();
  if (!failure.empty() && told) told(failure);
}

void EventPump::on_failure(std::function<void(const std::string&)> told) {
  {
    std::lock_guard lock(mutex_);
    if (!closed_) {
      told_ = std::move(told);
      return;
    }
  }
  if (const std::string failure = engine_.failure(); !failure.empty()) told(failure);
}

}  // namespace hangar
