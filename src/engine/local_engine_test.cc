#include "engine/local_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "model/testing/tiny_checkpoint.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;
using testing::TinyCheckpoint;
using testing::TinyOptions;

std::unique_ptr<Engine> tiny_engine(std::int32_t chunk = 8, std::int32_t max_waiting = 1024) {
  LocalEngineOptions options;
  options.backend = "ref";
  options.threads = 1;
  options.prefill_chunk_tokens = chunk;
  options.max_waiting = max_waiting;
  return make_local_engine(std::make_shared<TinyCheckpoint>(TinyOptions{}), options).value();
}

Request greedy(RequestId id, std::int32_t max_tokens) {
  Request request;
  request.id = id;
  request.prompt = {3, 17, 5, 90, 41, 8, 2, 60, 33, 71, 12};
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0.0F;
  return request;
}

// Reads events until `ends` requests have finished.
std::map<RequestId, std::vector<Event>> collect(Engine& engine, std::size_t ends) {
  std::map<RequestId, std::vector<Event>> by_request;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (ends > 0 && std::chrono::steady_clock::now() < give_up) {
    for (Event& event : engine.next_events(100'000)) {
      if (event.kind == EventKind::kFinished) --ends;
      by_request[event.request].push_back(std::move(event));
    }
  }
  EXPECT_EQ(ends, 0U) << "requests that never ended";
  return by_request;
}

std::vector<std::int32_t> tokens_of(const std::vector<Event>& events, std::int32_t choice = 0) {
  std::vector<std::int32_t> tokens;
  for (const Event& event : events) {
    if (event.kind == EventKind::kToken && event.choice == choice) tokens.push_back(event.token);
  }
  return tokens;
}

TEST(LocalEngine, GreedyRunsToMaxTokensWhateverTheChunk) {
  std::vector<std::int32_t> first;
  for (const std::int32_t chunk : {1, 4, 64}) {
    auto engine = tiny_engine(chunk);
    ASSERT_TRUE(engine->submit(greedy(1, 12)));
    const auto events = collect(*engine, 1).at(1);
    const auto tokens = tokens_of(events);
    EXPECT_EQ(tokens.size(), 12U);
    EXPECT_EQ(events.back().kind, EventKind::kFinished);
    EXPECT_EQ(events.back().finish, FinishReason::kLength);
    EXPECT_EQ(events.back().usage.prompt_tokens, 11);
    EXPECT_EQ(events.back().usage.completion_tokens, 12);
    if (first.empty()) first = tokens;
    EXPECT_EQ(tokens, first) << "chunk " << chunk;
  }
}

TEST(LocalEngine, StopTokenEndsAndIsNotEmitted) {
  auto engine = tiny_engine();
  ASSERT_TRUE(engine->submit(greedy(1, 12)));
  const auto tokens = tokens_of(collect(*engine, 1).at(1));
  Request request = greedy(2, 12);
  request.stop_tokens = {tokens[3]};
  std::size_t until = 0;  // where the stop token comes first
  while (tokens[until] != tokens[3]) ++until;
  ASSERT_TRUE(engine->submit(request));
  auto events = collect(*engine, 1).at(2);
  EXPECT_EQ(tokens_of(events),
            std::vector<std::int32_t>(tokens.begin(),
                                      tokens.begin() + static_cast<std::ptrdiff_t>(until)));
  EXPECT_EQ(events.back().finish, FinishReason::kStop);
  EXPECT_EQ(events[events.size() - 2].stop_token, tokens[3]);
  EXPECT_EQ(events.back().usage.completion_tokens, static_cast<std::int32_t>(until) + 1);

  request.id = 3;
  request.ignore_eos = true;
  ASSERT_TRUE(engine->submit(request));
  EXPECT_EQ(tokens_of(collect(*engine, 1).at(3)), tokens);
}

TEST(LocalEngine, ChoicesShareThePromptAndAreCounted) {
  auto engine = tiny_engine();
  Request request = greedy(1, 6);
  request.choices = 3;
  ASSERT_TRUE(engine->submit(request));
  auto events = collect(*engine, 1).at(1);
  for (int choice = 1; choice < 3; ++choice)
    EXPECT_EQ(tokens_of(events, choice), tokens_of(events));
  EXPECT_EQ(events.back().usage.completion_tokens, 18);
  EXPECT_EQ(engine->stats().prompt_tokens,
            13U);  // 11, and the last one again for each further choice

  request.id = 2;
  request.sampling.temperature = 1.5F;
  request.sampling.seed = 3;
  ASSERT_TRUE(engine->submit(request));
  events = collect(*engine, 1).at(2);
  EXPECT_NE(tokens_of(events, 0), tokens_of(events, 1));
  EXPECT_EQ(tokens_of(events, 0).size(), 6U);
}

TEST(LocalEngine, PromptLogprobsComeOncePerToken) {
  auto engine = tiny_engine();
  Request request = greedy(1, 0);
  request.prompt_logprobs = true;
  request.logprobs = 1;
  ASSERT_TRUE(engine->submit(request));
  const auto events = collect(*engine, 1).at(1);
  ASSERT_EQ(events.size(), 11U + 2U);
  for (std::size_t i = 0; i < 11; ++i) {
    EXPECT_EQ(events[i].kind, EventKind::kPrompt);
    EXPECT_EQ(events[i].token, request.prompt[i]);
    EXPECT_EQ(events[i].has_logprob, i != 0);
    if (events[i].has_logprob) {
      EXPECT_LE(events[i].logprob, events[i].top.at(0).logprob);
    }
  }
  EXPECT_EQ(events.back().usage.completion_tokens, 0);
}

TEST(LocalEngine, CancelEndsWithinAStepAndGivesBlocksBack) {
  auto engine = tiny_engine();
  ASSERT_TRUE(engine->submit(greedy(1, 100)));
  ASSERT_TRUE(engine->submit(greedy(2, 100)));
  std::size_t tokens = 0;
  while (tokens == 0) tokens += engine->next_events(100'000).size();
  engine->cancel(1);
  engine->cancel(2);
  engine->cancel(99);  // unknown: ignored
  const auto events = collect(*engine, 2);
  EXPECT_EQ(events.at(1).back().finish, FinishReason::kCancelled);
  EXPECT_EQ(events.at(2).back().finish, FinishReason::kCancelled);
  EXPECT_EQ(engine->stats().kv_blocks_used, 0);
  EXPECT_EQ(engine->stats().running, 0);
}

TEST(LocalEngine, RefusesWhatCanNeverRun) {
  auto engine = tiny_engine();
  const auto refused = [&](Request request) {
    const Status status = engine->submit(std::move(request));
    return status ? Error{} : status.error();
  };
  EXPECT_THAT(refused(greedy(1, 118)).message, HasSubstr("128"));
  EXPECT_EQ(refused(greedy(1, 118)).code, ErrorCode::kInvalidArgument);
  Request empty = greedy(1, 1);
  empty.prompt.clear();
  EXPECT_EQ(refused(empty).field, "prompt");
  Request foreign = greedy(1, 1);
  foreign.prompt[2] = 96;
  EXPECT_THAT(refused(foreign).message, HasSubstr("96"));
  foreign.prompt[2] = -1;
  EXPECT_EQ(refused(foreign).code, ErrorCode::kInvalidArgument);
  Request nothing = greedy(1, 1);
  nothing.choices = 0;
  EXPECT_EQ(refused(nothing).field, "n");
  EXPECT_TRUE(engine->submit(greedy(1, 117)));  // exactly the context
  EXPECT_EQ(tokens_of(collect(*engine, 1).at(1)).size(), 117U);
}

TEST(LocalEngine, QueueLimitDeadlineAndDrain) {
  auto engine = tiny_engine(8, 2);
  Request late = greedy(1, 50);
  late.deadline_us = 1;  // long ago
  ASSERT_TRUE(engine->submit(late));
  EXPECT_EQ(collect(*engine, 1).at(1).back().finish, FinishReason::kExpired);

  int accepted = 0, refused = 0;
  for (RequestId id = 10; id < 40; ++id) {
    const Status status = engine->submit(greedy(id, 100));
    if (status) ++accepted;
    if (!status && status.error().code == ErrorCode::kResourceExhausted) ++refused;
  }
  EXPECT_EQ(accepted + refused, 30);
  EXPECT_GT(refused, 0);
  engine->drain();
  EXPECT_EQ(engine->submit(greedy(50, 1)).error().code, ErrorCode::kUnavailable);
  for (const auto& [id, events] : collect(*engine, static_cast<std::size_t>(accepted))) {
    EXPECT_EQ(tokens_of(events).size(), 100U) << id;
  }
}

TEST(LocalEngine, StopEndsEveryRequestExactlyOnce) {
  auto engine = tiny_engine();
  for (RequestId id = 1; id <= 5; ++id) ASSERT_TRUE(engine->submit(greedy(id, 100)));
  EXPECT_EQ(engine->submit(greedy(3, 5)).error().code, ErrorCode::kInvalidArgument);  // id in use
  engine->stop();
  std::map<RequestId, int> ends;
  while (!engine->stopped()) {
    for (const Event& event : engine->next_events(10'000)) {
      if (event.kind == EventKind::kFinished) ++ends[event.request];
    }
  }
  EXPECT_EQ(ends.size(), 5U);
  for (const auto& [id, count] : ends) EXPECT_EQ(count, 1) << id;
  EXPECT_TRUE(engine->next_events(10'000).empty());
}

TEST(LocalEngine, ContextCanBeAskedForButNotPastTheModels) {
  LocalEngineOptions options;
  options.backend = "ref";
  options.threads = 1;
  options.context_tokens = 40;
  const auto checkpoint = std::make_shared<TinyCheckpoint>(TinyOptions{});
  EXPECT_EQ(make_local_engine(checkpoint, options).value()->info().context_tokens, 40);
  options.context_tokens = 129;
  EXPECT_THAT(make_local_engine(checkpoint, options).error().message, HasSubstr("128"));
  options.context_tokens = 0;
  options.backend = "tpu";
  EXPECT_EQ(make_local_engine(checkpoint, options).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace hangar
