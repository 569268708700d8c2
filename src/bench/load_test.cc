#include "bench/load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <set>
#include <string>

#include "base/clock.h"

namespace hangar::bench {
namespace {

namespace asio = boost::asio;

// Gives max_tokens pieces, one every `gap`; a prompt "fail" fails.
class FakeTarget : public Target {
 public:
  FakeTarget(asio::io_context& io, std::chrono::microseconds gap) : io_(io), gap_(gap) {}

  asio::awaitable<void> run(const BenchRequest& request, RequestRecord& record) override {
    ++now_;
    most_ = std::max(most_, now_);
    asked_.push_back(request.prompt.text);
    for (std::int32_t i = 0; i < request.prompt.max_tokens && !stopped_; ++i) {
      asio::steady_timer timer(io_, gap_);
      boost::system::error_code ignored;
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      if (request.give_up_after_pieces && i >= *request.give_up_after_pieces) {
        record.outcome = Outcome::kCancelled;
        break;
      }
      record.piece_us.push_back(steady_now_us());
      ++record.output_tokens;
    }
    --now_;
    if (record.outcome != Outcome::kCancelled) {
      record.outcome = request.prompt.text == "fail" ? Outcome::kFailed : Outcome::kDone;
    }
    record.end_us = steady_now_us();
  }

  void stop() override { stopped_ = true; }

  int now_ = 0, most_ = 0;
  bool stopped_ = false;
  std::vector<std::string> asked_;

 private:
  asio::io_context& io_;
  std::chrono::microseconds gap_;
};

ListedPrompts numbered(std::int32_t max_tokens) {
  std::vector<BenchPrompt> prompts;
  for (int i = 0; i < 1000; ++i) {
    BenchPrompt prompt;
    prompt.text = std::to_string(i);
    prompt.max_tokens = max_tokens;
    prompts.push_back(prompt);
  }
  return ListedPrompts(prompts);
}

struct Bench {
  asio::io_context io;
  FakeTarget target{io, std::chrono::microseconds(500)};
  ListedPrompts prompts = numbered(4);
};

TEST(Load, ClosedLoopKeepsSoManyUnderWay) {
  Bench run;
  LoadOptions options;
  options.concurrency = 8;
  options.requests = 50;
  const LoadResult result = run_load(run.io, run.target, run.prompts, options, {});
  EXPECT_EQ(result.records.size(), 50U);
  EXPECT_EQ(run.target.most_, 8);
  EXPECT_FALSE(result.interrupted);
  for (const RequestRecord& record : result.records) {
    EXPECT_EQ(record.outcome, Outcome::kDone);
    EXPECT_EQ(record.piece_us.size(), 4U);
    EXPECT_GE(record.start_us, result.begin_us);
    EXPECT_LE(record.end_us, result.begin_us + result.elapsed_us);
  }
}

TEST(Load, WarmUpComesFirstAndIsNotCounted) {
  Bench run;
  LoadOptions options;
  options.concurrency = 2;
  options.requests = 6;
  options.warmup = 3;
  const LoadResult result = run_load(run.io, run.target, run.prompts, options, {});
  EXPECT_EQ(result.records.size(), 6U);
  ASSERT_EQ(run.target.asked_.size(), 9U);
  EXPECT_EQ(run.target.asked_.front(), "0");
  EXPECT_EQ(run.target.asked_[3], "3");
}

TEST(Load, OpenLoopSendsWhenDueHoweverManyAreUnderWay) {
  Bench run;
  run.prompts = numbered(400);  // 200 ms each
  LoadOptions options;
  options.rate_per_s = 400;
  options.requests = 80;
  options.seed = 3;
  const LoadResult result = run_load(run.io, run.target, run.prompts, options, {});
  ASSERT_EQ(result.records.size(), 80U);
  EXPECT_GT(run.target.most_, 20) << "nobody waits for an answer";
  const std::int64_t span_us = result.records.back().start_us - result.begin_us;
  EXPECT_GT(span_us, 100'000);
  EXPECT_LT(span_us, 400'000) << "80 at 400 a second: about 200 ms";
  EXPECT_TRUE(std::is_sorted(
      result.records.begin(), result.records.end(),
      [](const RequestRecord& a, const RequestRecord& b) { return a.start_us < b.start_us; }));
}

TEST(Load, EndsAtItsDurationAndKeepsWhatHadCome) {
  Bench run;
  run.prompts = numbered(1'000'000);
  LoadOptions options;
  options.concurrency = 3;
  options.duration_us = 50'000;
  const LoadResult result = run_load(run.io, run.target, run.prompts, options, {});
  EXPECT_TRUE(run.target.stopped_);
  ASSERT_EQ(result.records.size(), 3U);
  EXPECT_GE(result.elapsed_us, 50'000);
  EXPECT_LT(result.elapsed_us, 1'000'000);
  for (const RequestRecord& record : result.records) {
    EXPECT_EQ(record.outcome, Outcome::kRunning);
    EXPECT_GT(record.piece_us.size(), 0U);
  }
}

TEST(Load, ATickEndsItAndSeesHowFarItIs) {
  Bench run;
  run.prompts = numbered(20);
  LoadOptions options;
  options.concurrency = 2;
  options.duration_us = 60'000'000;
  options.tick_us = 5'000;
  LoadProgress last;
  const LoadResult result =
      run_load(run.io, run.target, run.prompts, options, [&](const LoadProgress& progress) {
        EXPECT_GE(progress.pieces, last.pieces);
        last = progress;
        return progress.ended < 5;
      });
  EXPECT_TRUE(result.interrupted);
  EXPECT_GE(last.ended, 5);
  EXPECT_LE(last.running, 2);
  EXPECT_GE(last.pieces, 5 * 20);
  EXPECT_GE(result.records.size(), 5U);
  EXPECT_LT(result.elapsed_us, 30'000'000);
}

TEST(Load, InterruptedWhileWarmingUpMeasuresNothing) {
  Bench run;
  run.prompts = numbered(1'000'000);
  LoadOptions options;
  options.requests = 5;
  options.warmup = 1;
  options.tick_us = 2'000;
  const LoadResult result =
      run_load(run.io, run.target, run.prompts, options, [](const LoadProgress& progress) {
        EXPECT_TRUE(progress.warming_up);
        return false;
      });
  EXPECT_TRUE(result.interrupted);
  EXPECT_TRUE(result.records.empty());
}

TEST(Load, GivesUpAShareOfTheRequests) {
  Bench run;
  LoadOptions options;
  options.concurrency = 16;
  options.requests = 300;
  options.cancel_share = 0.3;
  const LoadResult result = run_load(run.io, run.target, run.prompts, options, {});
  const auto cancelled = std::count_if(
      result.records.begin(), result.records.end(),
      [](const RequestRecord& record) { return record.outcome == Outcome::kCancelled; });
  EXPECT_NEAR(static_cast<double>(cancelled), 90.0, 30.0);
}

TEST(Load, AFailingServerIsNotAskedWithoutPause) {
  Bench run;
  BenchPrompt fails;
  fails.text = "fail";
  fails.max_tokens = 0;
  run.prompts = ListedPrompts({fails});
  LoadOptions options;
  options.duration_us = 100'000;
  const LoadResult result = run_load(run.io, run.target, run.prompts, options, {});
  EXPECT_GE(result.records.size(), 2U);
  EXPECT_LE(result.records.size(), 8U);
}

}  // namespace
}  // namespace hangar::bench
