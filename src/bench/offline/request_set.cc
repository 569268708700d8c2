#include "bench/offline/request_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "bench/random.h"

namespace hangar::bench {
namespace {

constexpr std::int64_t kWaitUs = 50'000;

double seconds(std::int64_t time_us) {
  return static_cast<double>(time_us) * 1e-6;
}

std::vector<Request> make_requests(const RequestSet& set, std::int32_t vocabulary) {
  Random random(set.seed);
  std::vector<Request> requests(static_cast<std::size_t>(set.requests));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Request& request = requests[i];
    request.id = i + 1;
    request.prompt.resize(static_cast<std::size_t>(set.input_tokens));
    for (std::int32_t& token : request.prompt) {
      token = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
    }
    request.max_tokens = set.output_tokens;
    request.sampling.temperature = 0.0F;
    request.ignore_eos = true;
  }
  return requests;
}

// A moment of the run.
struct Mark {
  std::int64_t time_us = 0;
  std::int64_t tokens = 0;
  EngineStats stats;
};

Span between(const Mark& from, const Mark& to) {
  Span span;
  span.seconds = seconds(to.time_us - from.time_us);
  span.tokens = to.tokens - from.tokens;
  span.steps = to.stats.steps - from.stats.steps;
  span.rows = to.stats.rows - from.stats.rows;
  span.busy_s = seconds(to.stats.busy_us - from.stats.busy_us);
  span.host_s = seconds(to.stats.host_us - from.stats.host_us);
  if (to.stats.device_us) {
    span.device_s = seconds(*to.stats.device_us - from.stats.device_us.value_or(0));
  }
  return span;
}

class Run {
 public:
  Run(Engine& engine, const RequestSet& set)
      : engine_(engine),
        requests_(make_requests(set, engine.info().vocabulary)),
        most_open_(set.at_once > 0 ? static_cast<std::size_t>(set.at_once) : requests_.size()),
        first_us_(requests_.size()) {}

  Result<RequestSetTimes> run(const std::function<bool()>& go_on) {
    const Mark begin = mark(steady_now_us());
    Status submitted = submit();
    bool cancelled = false;
    while (open_ > 0) {
      take(engine_.next_events(kWaitUs));
      if (submitted && !cancelled) submitted = submit();
      if (!cancelled && (!submitted || (go_on && !go_on()))) {
        cancelled = true;
        for (std::size_t i = 0; i < submitted_; ++i) engine_.cancel(i + 1);
      }
    }
    if (!submitted) return tl::unexpected<Error>(submitted.error());
    if (cancelled) return make_error(ErrorCode::kCancelled, "stopped before its end");
    if (!failure_.empty()) {
      return make_error(ErrorCode::kInternal, "a request failed: {}", failure_);
    }
    RequestSetTimes times;
    times.all = between(begin, mark(last_end_us_));
    if (all_started_ && first_end_ && first_end_->tokens > all_started_->tokens &&
        first_end_->time_us > all_started_->time_us) {
      times.steady = between(*all_started_, *first_end_);
    }
    for (const std::int64_t time_us : first_us_) {
      times.first_token_s.push_back(seconds(time_us - begin.time_us));
    }
    return times;
  }

 private:
  Mark mark(std::int64_t time_us) const { return {time_us, tokens_, engine_.stats()}; }

  // All at once: a step of what was handed over first would be the run's, not the machine's.
  Status submit() {
    const std::size_t count = std::min(requests_.size() - submitted_, most_open_ - open_);
    const auto first = requests_.begin() + static_cast<std::ptrdiff_t>(submitted_);
    HANGAR_CHECK_OK(
        engine_.submit_all({std::make_move_iterator(first),
                            std::make_move_iterator(first + static_cast<std::ptrdiff_t>(count))}));
    submitted_ += count;
    open_ += count;
    return {};
  }

  void take(const std::vector<Event>& events) {
    const std::int64_t now_us = steady_now_us();
    bool ended = false;
    for (const Event& event : events) {
      if (event.kind == EventKind::kToken) {
        ++tokens_;
        std::int64_t& first_us = first_us_[event.request - 1];
        if (first_us == 0) {
          first_us = now_us;
          ++started_;
        }
      } else if (event.kind == EventKind::kFinished) {
        --open_;
        ended = true;
        last_end_us_ = now_us;
        if (event.finish != FinishReason::kLength && event.finish != FinishReason::kCancelled) {
          failure_ = event.error.empty() ? "it ended before its length" : event.error;
        }
      }
    }
    // Whole batches of events only: within one all came at the same time.
    if (!all_started_ && started_ == requests_.size()) all_started_ = mark(now_us);
    if (!first_end_ && ended) first_end_ = mark(now_us);
  }

  Engine& engine_;
  std::vector<Request> requests_;
  std::size_t most_open_;
  std::vector<std::int64_t> first_us_;  // 0: none yet
  std::size_t submitted_ = 0;
  std::size_t open_ = 0;
  std::size_t started_ = 0;
  std::int64_t tokens_ = 0;
  std::int64_t last_end_us_ = 0;
  std::optional<Mark> all_started_, first_end_;
  std::string failure_;
};

}  // namespace

Result<RequestSetTimes> run_request_set(Engine& engine, const RequestSet& set,
                                        const std::function<bool()>& go_on) {
  return Run(engine, set).run(go_on);
}

}  // namespace hangar::bench
