#include "bench/engine_target.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/clock.h"

namespace hangar::bench {
namespace {

namespace asio = boost::asio;

void end_record(RequestRecord& record, Outcome outcome, std::string error, std::string detail) {
  record.end_us = steady_now_us();
  record.outcome = outcome;
  record.error = std::move(error);
  record.error_detail = std::move(detail);
}

}  // namespace

struct EngineTarget::Pending {
  Pending(asio::io_context& io, RequestRecord& in_record, std::optional<std::int32_t> in_give_up)
      : record(in_record), give_up_after(in_give_up), ended(io) {
    // A timer that never comes: waiting for it keeps the io_context at work.
    ended.expires_at(asio::steady_timer::time_point::max());
  }
  RequestRecord& record;
  std::optional<std::int32_t> give_up_after;
  bool given_up = false;
  bool done = false;
  asio::steady_timer ended;
};

EngineTarget::EngineTarget(asio::io_context& io, Engine& engine, PromptEncoder encode,
                           EngineRequestOptions options)
    : io_(io), engine_(engine), encode_(std::move(encode)), options_(std::move(options)) {
  pump_ = std::thread([this] { pump(); });
}

EngineTarget::~EngineTarget() {
  engine_.stop();
  pump_.join();
}

void EngineTarget::pump() {
  constexpr std::int64_t kWaitUs = 50'000;
  while (!engine_.stopped()) {
    std::vector<Event> events = engine_.next_events(kWaitUs);
    if (events.empty()) continue;
    // The time is taken here: the io thread may be busy with something else.
    asio::post(io_, [this, events = std::move(events), time_us = steady_now_us()] {
      take(events, time_us);
    });
  }
}

void EngineTarget::take(const std::vector<Event>& events, std::int64_t time_us) {
  for (const Event& event : events) take(event, time_us);
}

void EngineTarget::take(const Event& event, std::int64_t time_us) {
  const auto found = pending_.find(event.request);
  if (found == pending_.end()) return;
  Pending& pending = *found->second;
  RequestRecord& record = pending.record;
  if (event.kind == EventKind::kToken && !pending.given_up) {
    if (pending.give_up_after && record.output_tokens >= *pending.give_up_after) {
      pending.given_up = true;
      engine_.cancel(event.request);
      return;
    }
    record.piece_us.push_back(time_us);
    ++record.output_tokens;
    return;
  }
  if (event.kind != EventKind::kFinished) return;
  record.end_us = time_us;
  record.counted_by_server = true;
  record.prompt_tokens = event.usage.prompt_tokens;
  record.cached_tokens = event.usage.cached_tokens;
  if (pending.given_up) {
    record.outcome = Outcome::kCancelled;
  } else if (event.finish == FinishReason::kStop || event.finish == FinishReason::kLength) {
    record.outcome = Outcome::kDone;
  } else {
    end_record(record, Outcome::kFailed,
               event.finish == FinishReason::kExpired ? "expired" : "failed", event.error);
  }
  pending.done = true;
  pending_.erase(found);
  pending.ended.cancel();
}

asio::awaitable<void> EngineTarget::run(const BenchRequest& request, RequestRecord& record) {
  Request asked;
  auto ids = encode_(request.prompt);
  if (!ids) {
    end_record(record, Outcome::kFailed, "refused", ids.error().message);
    co_return;
  }
  asked.id = next_id_++;
  asked.prompt = std::move(*ids);
  asked.max_tokens = request.prompt.max_tokens;
  asked.sampling.temperature = options_.temperature;
  asked.sampling.seed = options_.seed + asked.id;
  asked.stop_tokens = options_.stop_tokens;
  asked.ignore_eos = options_.ignore_eos;
  record.prompt_tokens = static_cast<std::int32_t>(asked.prompt.size());
  Pending pending(io_, record, request.give_up_after_pieces);
  const RequestId id = asked.id;
  pending_.emplace(id, &pending);
  if (const Status submitted = engine_.submit(std::move(asked)); !submitted) {
    pending_.erase(id);
    end_record(record, Outcome::kFailed, "refused", submitted.error().message);
    co_return;
  }
  while (!pending.done) {
    boost::system::error_code ignored;
    co_await pending.ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

}  // namespace hangar::bench
