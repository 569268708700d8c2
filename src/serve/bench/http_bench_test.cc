#include "serve/bench/http_bench.h"

#include <gtest/gtest.h>

#include <array>

#include "serve/bench/instant_engine.h"

namespace hangar {
namespace {

TEST(InstantEngineTest, AnswersAtOnceAndEndsEachRequestOnce) {
  InstantEngine engine({7, 8}, 100, 10);
  Request request;
  request.id = 5;
  request.prompt = {1, 2, 3};
  request.max_tokens = 3;
  request.choices = 2;
  ASSERT_TRUE(engine.submit(request));
  const std::vector<Event> events = engine.next_events(0);
  ASSERT_EQ(events.size(), 2U * (1 + 3 + 1) + 1);
  EXPECT_EQ(events[0].kind, EventKind::kStarted);
  EXPECT_EQ(events[1].token, 7);
  EXPECT_EQ(events[2].token, 8);
  EXPECT_EQ(events[3].token, 7);
  EXPECT_EQ(events[4].kind, EventKind::kChoiceFinished);
  EXPECT_EQ(events[5].choice, 1);
  EXPECT_EQ(events.back().kind, EventKind::kFinished);
  EXPECT_EQ(events.back().usage.prompt_tokens, 3);
  EXPECT_EQ(events.back().usage.completion_tokens, 6);
  EXPECT_TRUE(engine.next_events(0).empty());
  engine.drain();
  EXPECT_FALSE(engine.submit(request));
  EXPECT_FALSE(engine.stopped());
  engine.stop();
  EXPECT_TRUE(engine.stopped());
}

TEST(HttpBenchTest, CountsWholeAnswersAndTheTimeTheyTook) {
  HttpBenchOptions options;
  options.connections = {3};
  options.seconds = 0.2;
  options.warm_up_seconds = 0.05;
  auto results = run_http_bench(std::move(make_byte_tokenizer().value()),
                                std::move(make_chatml_templates().value()), options);
  ASSERT_TRUE(results) << results.error().message;
  ASSERT_EQ(results->size(), 3U);
  for (const HttpBenchResult& result : *results) {
    EXPECT_EQ(result.errors, 0U) << result.first_error;
    EXPECT_GT(result.answers, 10U) << result.test;
    EXPECT_GT(result.p50_ms, 0);
    EXPECT_GE(result.p99_ms, result.p50_ms);
    EXPECT_GT(result.front_end_cpu_s, 0);
    EXPECT_GE(result.seconds, 0.2);
  }
}

}  // namespace
}  // namespace hangar
