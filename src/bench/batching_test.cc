#include "bench/batching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include "bench/batching_report.h"

namespace hangar::bench {
namespace {

// One token a millisecond for each of `at_once` requests, in the order they came.
class SteppingEngine final : public Engine {
 public:
  explicit SteppingEngine(std::int32_t at_once) : at_once_(at_once) {}

  const EngineInfo& info() const override { return info_; }
  Status submit_all(std::vector<Request> requests) override {
    const std::lock_guard lock(mutex_);
    for (const Request& request : requests) {
      if (request.prompt.empty()) return make_error(ErrorCode::kInvalidArgument, "no prompt");
    }
    for (Request& request : requests) jobs_.push_back({std::move(request), 0, false});
    return {};
  }
  void cancel(RequestId id, std::int32_t) override {
    const std::lock_guard lock(mutex_);
    for (Job& job : jobs_) job.cancelled = job.cancelled || job.request.id == id;
  }
  std::vector<Event> next_events(std::int64_t) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard lock(mutex_);
    std::vector<Event> events;
    std::int32_t run = 0;
    for (auto at = jobs_.begin(); at != jobs_.end() && run < at_once_;) {
      ++run;
      Event event;
      event.request = at->request.id;
      if (!at->cancelled && !stop_ && at->tokens < at->request.max_tokens) {
        ++at->tokens;
        ++at;
      } else {
        event.kind = EventKind::kFinished;
        event.finish = at->cancelled || stop_ ? FinishReason::kCancelled : FinishReason::kLength;
        event.usage.prompt_tokens = static_cast<std::int32_t>(at->request.prompt.size());
        event.usage.completion_tokens = at->tokens;
        at = jobs_.erase(at);
      }
      events.push_back(std::move(event));
    }
    if (run > 0) {
      ++stats_.steps;
      stats_.busy_us += 1000;
      stats_.step_sequences = run;
    }
    stats_.running = run;
    return events;
  }
  EngineStats stats() const override {
    const std::lock_guard lock(mutex_);
    return stats_;
  }
  void drain() override {}
  void stop() override {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  bool stopped() const override {
    const std::lock_guard lock(mutex_);
    return stop_ && jobs_.empty();
  }

 private:
  struct Job {
    Request request;
    std::int32_t tokens;
    bool cancelled;
  };
  std::int32_t at_once_;
  EngineInfo info_;
  mutable std::mutex mutex_;
  std::vector<Job> jobs_;
  EngineStats stats_;
  bool stop_ = false;
};

BatchingPlan plan_of(std::vector<std::string>* asked = nullptr) {
  BatchingPlan plan;
  plan.policies = {BatchingPolicy::kNone, BatchingPolicy::kContinuous};
  plan.make_engine = [](BatchingPolicy policy) -> Result<std::unique_ptr<Engine>> {
    return std::make_unique<SteppingEngine>(policy == BatchingPolicy::kNone ? 1 : 4);
  };
  plan.make_prompts = [] {
    WordCost cost;
    cost.words = {"a", "b", "c"};
    SyntheticOptions options;
    options.prompt_tokens = LengthDistribution::fixed(12);
    options.output_tokens = LengthDistribution::fixed(10);
    return std::make_unique<SyntheticPrompts>(cost, options);
  };
  plan.encode = [asked](const BenchPrompt& prompt) -> Result<std::vector<std::int32_t>> {
    if (asked != nullptr) asked->push_back(prompt.text);
    return std::vector<std::int32_t>(12, 1);
  };
  plan.load.concurrency = 4;
  plan.load.requests = 12;
  plan.load.warmup = 2;
  return plan;
}

TEST(Batching, RunsTheSameLoadThroughEachPolicy) {
  std::vector<std::string> asked;
  const auto runs = run_batching(plan_of(&asked));
  ASSERT_TRUE(runs.has_value()) << runs.error().message;
  ASSERT_EQ(runs->size(), 2U);
  for (const BatchingRun& run : *runs) {
    EXPECT_EQ(run.summary.done, 12);
    EXPECT_EQ(run.summary.failed, 0);
    EXPECT_EQ(run.summary.output_tokens, 120);
    EXPECT_EQ(run.summary.prompt_tokens, 144);
    EXPECT_FALSE(run.use.samples().empty());
  }
  const BatchingRun& none = (*runs)[0];
  const BatchingRun& continuous = (*runs)[1];
  EXPECT_GT(continuous.summary.output_tokens_per_s, 2 * none.summary.output_tokens_per_s);
  EXPECT_GT(continuous.use.mean_slots(), none.use.mean_slots() * 1.5);
  ASSERT_EQ(asked.size(), 28U);
  EXPECT_EQ(std::vector(asked.begin(), asked.begin() + 14),
            std::vector(asked.begin() + 14, asked.end()));

  BatchingReport report;
  report.runs = *runs;
  report.slots = 4;
  const auto tables = batching_tables(report);
  ASSERT_EQ(tables.size(), 2U);
  EXPECT_EQ(tables[0].rows[0][0], "none");
  EXPECT_EQ(tables[0].rows[1][0], "continuous");
  const Page page = batching_page(report);
  EXPECT_THAT(page.subtitle, ::testing::StartsWith("continuous: "));
  EXPECT_THAT(page.subtitle, ::testing::HasSubstr("times none"));
  const auto json = batching_json(report);
  EXPECT_EQ(json.at("policies").at(1).at("policy").as_string(), "continuous");
  EXPECT_EQ(json.at("policies").at(0).at("use").at("slots").as_array().size(),
            none.use.samples().size());
}

TEST(Batching, WhatTheEngineRefusesIsAFailedRequest) {
  BatchingPlan plan = plan_of();
  plan.encode = [](const BenchPrompt&) { return std::vector<std::int32_t>(); };
  plan.load.requests = 3;
  plan.load.warmup = 0;
  const auto runs = run_batching(plan);
  ASSERT_TRUE(runs.has_value());
  EXPECT_EQ(runs->front().summary.failed, 3);
  EXPECT_EQ(runs->front().summary.errors.at("refused"), 3);
}

TEST(Batching, GivesUpRequestsOnPurpose) {
  BatchingPlan plan = plan_of();
  plan.load.cancel_share = 1.0;
  const auto runs = run_batching(plan);
  ASSERT_TRUE(runs.has_value());
  for (const BatchingRun& run : *runs) {
    EXPECT_EQ(run.summary.cancelled, 12);
    EXPECT_LT(run.summary.output_tokens, 120);
  }
}

TEST(Batching, AnInterruptKeepsThePoliciesThatWereThrough) {
  BatchingPlan plan = plan_of();
  plan.tick = [](BatchingPolicy policy, const LoadProgress&) {
    return policy == BatchingPolicy::kNone;
  };
  const auto runs = run_batching(plan);
  ASSERT_TRUE(runs.has_value());
  ASSERT_EQ(runs->size(), 1U);
  EXPECT_EQ(runs->front().policy, BatchingPolicy::kNone);

  plan.tick = [](BatchingPolicy, const LoadProgress&) { return false; };
  const auto nothing = run_batching(plan);
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().code, ErrorCode::kCancelled);
}

TEST(Batching, AnEngineThatCannotBeMadeIsNamed) {
  BatchingPlan plan = plan_of();
  plan.make_engine = [](BatchingPolicy) -> Result<std::unique_ptr<Engine>> {
    return make_error(ErrorCode::kResourceExhausted, "no memory");
  };
  const auto runs = run_batching(plan);
  ASSERT_FALSE(runs.has_value());
  EXPECT_THAT(runs.error().message, ::testing::StartsWith("none: no memory"));
}

}  // namespace
}  // namespace hangar::bench
