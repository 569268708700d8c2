#include "bench/load.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <deque>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "bench/arrivals.h"
#include "bench/random.h"

namespace hangar::bench {
namespace {

namespace asio = boost::asio;

constexpr std::uint64_t kArrivalStream = 0xd1b54a32d192ed03ULL;
constexpr std::uint64_t kCancelStream = 0x8cb92ba72f3d8dd7ULL;

// One pass: the warm-up, or the measured time.
class Pass {
 public:
  Pass(asio::io_context& io, Target& target, PromptSource& prompts, const LoadOptions& options,
       const LoadTick& tick, bool warming_up)
      : io_(io),
        target_(target),
        prompts_(prompts),
        options_(options),
        tick_(tick),
        warming_up_(warming_up),
        most_(options.requests > 0 ? options.requests : std::numeric_limits<std::int64_t>::max()),
        cancels_(options.seed ^ kCancelStream),
        end_timer_(io),
        tick_timer_(io),
        arrival_timer_(io) {}

  LoadResult run() {
    begin_us_ = steady_now_us();
    if (tick_ && !tick_(progress())) {
      close(true);
      return std::move(result_);
    }
    if (options_.rate_per_s > 0) {
      start(arrive());
    } else {
      const std::int64_t workers = std::min<std::int64_t>(options_.concurrency, most_);
      for (std::int64_t i = 0; i < workers; ++i) start(work());
    }
    if (options_.duration_us > 0) {
      end_timer_.expires_after(std::chrono::microseconds(options_.duration_us));
      end_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) close(false);
      });
    }
    arm_tick();
    io_.restart();
    io_.run();
    return std::move(result_);
  }

 private:
  // Counts a coroutine, so that the pass ends with the last of them.
  void start(asio::awaitable<void> work) {
    ++active_;
    asio::co_spawn(io_, std::move(work), [this](const std::exception_ptr& failure) {
      if (failure) std::rethrow_exception(failure);
      if (--active_ == 0) close(false);
    });
  }

  bool may_start() const { return !closed_ && started_ < most_; }

  asio::awaitable<void> work() {
    while (may_start()) co_await ask(steady_now_us());
  }

  asio::awaitable<void> arrive() {
    PoissonArrivals arrivals(options_.rate_per_s, options_.seed ^ kArrivalStream);
    while (may_start()) {
      const std::int64_t due_us = begin_us_ + arrivals.next_us();
      const std::int64_t wait_us = due_us - steady_now_us();
      if (wait_us > 0) {
        arrival_timer_.expires_after(std::chrono::microseconds(wait_us));
        boost::system::error_code ignored;
        co_await arrival_timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      }
      if (may_start()) start(ask(due_us));
      // Never so busy with starting that nothing is read.
      if (wait_us <= 0) co_await asio::post(io_, asio::use_awaitable);
    }
  }

  // Counted and its prompt drawn at once, not when the coroutine gets its turn.
  asio::awaitable<void> ask(std::int64_t due_us) {
    ++started_;
    ++running_;
    RequestRecord& record = records_.emplace_back();
    record.start_us = due_us;
    BenchRequest request;
    request.prompt = prompts_.next();
    record.prompt_tokens = request.prompt.prompt_tokens;
    record.max_tokens = request.prompt.max_tokens;
    if (!warming_up_ && options_.cancel_share > 0 && cancels_.uniform() < options_.cancel_share) {
      request.give_up_after_pieces = static_cast<std::int32_t>(
          cancels_.below(static_cast<std::uint64_t>(std::max(1, record.max_tokens))));
    }
    return follow(std::move(request), record);
  }

  asio::awaitable<void> follow(BenchRequest request, RequestRecord& record) {
    co_await target_.run(request, record);
    if (closed_) co_return;
    --running_;
    ++ended_;
    ended_pieces_ += static_cast<std::int64_t>(record.piece_us.size());
    if (record.outcome == Outcome::kFailed) {
      ++failed_;
      co_await pause_after_failure();
    }
  }

  // A server that is down must not be asked a million times a second.
  asio::awaitable<void> pause_after_failure() {
    if (options_.rate_per_s > 0) co_return;
    constexpr auto kPause = std::chrono::milliseconds(20);
    asio::steady_timer timer(io_, kPause);
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  void close(bool interrupted) {
    if (closed_) return;
    closed_ = true;
    result_.begin_us = begin_us_;
    result_.elapsed_us = steady_now_us() - begin_us_;
    result_.interrupted = interrupted;
    // Copies: what is stopped now goes on writing into its own record.
    if (!warming_up_) result_.records.assign(records_.begin(), records_.end());
    if (active_ > 0) target_.stop();
    end_timer_.cancel();
    tick_timer_.cancel();
    arrival_timer_.cancel();
  }

  void arm_tick() {
    tick_timer_.expires_after(std::chrono::microseconds(options_.tick_us));
    tick_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || closed_) return;
      if (tick_ && !tick_(progress())) return close(true);
      arm_tick();
    });
  }

  LoadProgress progress() {
    LoadProgress progress;
    progress.warming_up = warming_up_;
    progress.elapsed_us = steady_now_us() - begin_us_;
    progress.started = started_;
    progress.ended = ended_;
    progress.failed = failed_;
    progress.running = running_;
    progress.pieces = ended_pieces_;
    // Those that run began late in the list, but for a few stragglers: not worth an index.
    while (first_running_ < records_.size() &&
           records_[first_running_].outcome != Outcome::kRunning) {
      ++first_running_;
    }
    for (std::size_t i = first_running_; i < records_.size(); ++i) {
      if (records_[i].outcome == Outcome::kRunning) {
        progress.pieces += static_cast<std::int64_t>(records_[i].piece_us.size());
      }
    }
    return progress;
  }

  asio::io_context& io_;
  Target& target_;
  PromptSource& prompts_;
  const LoadOptions& options_;
  const LoadTick& tick_;
  bool warming_up_;
  std::int64_t most_;
  Random cancels_;
  asio::steady_timer end_timer_;
  asio::steady_timer tick_timer_;
  asio::steady_timer arrival_timer_;
  std::deque<RequestRecord> records_;  // addresses stay
  std::size_t first_running_ = 0;
  LoadResult result_;
  std::int64_t begin_us_ = 0;
  std::int64_t active_ = 0;
  std::int64_t started_ = 0;
  std::int64_t running_ = 0;
  std::int64_t ended_ = 0;
  std::int64_t failed_ = 0;
  std::int64_t ended_pieces_ = 0;
  bool closed_ = false;
};

}  // namespace

LoadResult run_load(asio::io_context& io, Target& target, PromptSource& prompts,
                    const LoadOptions& options, const LoadTick& tick) {
  if (options.warmup > 0) {
    LoadOptions warmup = options;
    warmup.requests = options.warmup;
    warmup.duration_us = 0;
    warmup.rate_per_s = 0;
    LoadResult result = Pass(io, target, prompts, warmup, tick, true).run();
    if (result.interrupted) return result;
  }
  return Pass(io, target, prompts, options, tick, false).run();
}

}  // namespace hangar::bench
