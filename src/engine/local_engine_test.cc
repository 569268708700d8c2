#include "engine/local_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "backend/registry.h"
#include "backend/testing/ahead_backend.h"
#include "backend/timed/timed_backend.h"
#include "model/testing/tiny_checkpoint.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;
using testing::TinyCheckpoint;
using testing::TinyOptions;

LocalEngineOptions tiny_options(std::int32_t step_tokens = 8) {
  LocalEngineOptions options;
  options.backend = "ref";
  options.threads = 1;
  options.step_tokens = step_tokens;
  return options;
}

std::unique_ptr<Engine> tiny_engine(const LocalEngineOptions& options) {
  return make_local_engine(std::make_shared<TinyCheckpoint>(TinyOptions{}), options).value();
}

std::unique_ptr<Engine> tiny_engine_ahead(const LocalEngineOptions& options) {
  auto backend = std::make_unique<testing::AheadBackend>(make_backend("ref", 1).value());
  return make_local_engine_on(std::move(backend), std::make_shared<TinyCheckpoint>(TinyOptions{}),
                              options)
      .value();
}

std::unique_ptr<Engine> tiny_engine(std::int32_t step_tokens = 8) {
  return tiny_engine(tiny_options(step_tokens));
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
  ASSERT_EQ(events.size(), 1U + 11U + 2U);
  EXPECT_EQ(events[0].kind, EventKind::kStarted);
  for (std::size_t i = 0; i < 11; ++i) {
    const Event& event = events[i + 1];
    EXPECT_EQ(event.kind, EventKind::kPrompt);
    EXPECT_EQ(event.token, request.prompt[i]);
    EXPECT_EQ(event.has_logprob, i != 0);
    if (event.has_logprob) {
      EXPECT_LE(event.logprob, event.top.at(0).logprob);
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
  LocalEngineOptions options = tiny_options();
  options.max_waiting = 2;
  options.batching.max_sequences = 2;
  auto engine = tiny_engine(options);
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

TEST(LocalEngine, SeveralAtOnceAreTakenByOneStepOrNotAtAll) {
  LocalEngineOptions options = tiny_options(64);
  options.max_waiting = 3;
  auto engine = tiny_engine(options);
  const auto several = [](RequestId count) {
    std::vector<Request> requests;
    for (RequestId id = 1; id <= count; ++id) {
      requests.push_back(greedy(id, 1));
      requests.back().prompt.front() = static_cast<std::int32_t>(id);
    }
    return requests;
  };
  EXPECT_EQ(engine->submit_all(several(5)).error().code, ErrorCode::kResourceExhausted);
  std::vector<Request> wrong = several(2);
  wrong[1].prompt.clear();
  EXPECT_EQ(engine->submit_all(wrong).error().code, ErrorCode::kInvalidArgument);
  wrong = several(2);
  wrong[1].id = 1;
  EXPECT_EQ(engine->submit_all(wrong).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(engine->submit_all({}));
  // An idle engine takes the first beside its queue; and nothing is left of those before.
  const std::uint64_t steps = engine->stats().steps;
  ASSERT_TRUE(engine->submit_all(several(4)));
  for (const auto& [id, events] : collect(*engine, 4)) EXPECT_EQ(tokens_of(events).size(), 1U);
  EXPECT_EQ(engine->stats().steps, steps + 1);
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
  LocalEngineOptions options = tiny_options();
  options.context_tokens = 40;
  const auto checkpoint = std::make_shared<TinyCheckpoint>(TinyOptions{});
  EXPECT_EQ(make_local_engine(checkpoint, options).value()->info().context_tokens, 40);
  options.context_tokens = 129;
  EXPECT_THAT(make_local_engine(checkpoint, options).error().message, HasSubstr("128"));
  options.context_tokens = 0;
  options.backend = "tpu";
  EXPECT_EQ(make_local_engine(checkpoint, options).error().code, ErrorCode::kInvalidArgument);
}

// A device that is lost at its nth step.
class LostBackend final : public testing::AheadBackend {
 public:
  explicit LostBackend(int steps) : AheadBackend(make_backend("ref", 1).value()), left_(steps) {}
  void embed(Activation out, const Weight& table, std::span<const std::int32_t> ids) override {
    if (--left_ < 0) throw std::runtime_error("the card fell off the bus");
    AheadBackend::embed(out, table, ids);
  }

 private:
  int left_;
};

TEST(LocalEngine, ALostDeviceEndsTheEngineAndEveryRequestOnce) {
  for (const int steps : {0, 1, 6}) {
    const auto engine =
        make_local_engine_on(std::make_unique<LostBackend>(steps),
                             std::make_shared<TinyCheckpoint>(TinyOptions{}), tiny_options(64))
            .value();
    // The card may be lost before the later ones come: then they are refused.
    ASSERT_TRUE(engine->submit(greedy(1, 40)));
    std::size_t taken = 1;
    while (taken < 3 && engine->submit(greedy(taken + 1, 40))) ++taken;
    for (const auto& [id, events] : collect(*engine, taken)) {
      EXPECT_EQ(events.back().kind, EventKind::kFinished);
      EXPECT_EQ(events.back().finish, FinishReason::kFailed);
      EXPECT_THAT(events.back().error, HasSubstr("fell off the bus")) << steps;
      EXPECT_LE(std::ssize(tokens_of(events)), steps);
    }
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!engine->stopped() && std::chrono::steady_clock::now() < give_up) {
      engine->next_events(1000);
    }
    EXPECT_TRUE(engine->stopped());
    EXPECT_THAT(engine->failure(), HasSubstr("fell off the bus"));
    EXPECT_FALSE(engine->submit(greedy(9, 1)).has_value());
  }
}

// A card that wants copies or not, and notes how many weights were loaded when it was told to keep
// them.
class CopyingBackend final : public TimedBackend {
 public:
  static constexpr std::uint64_t kMemoryBytes = 1 << 30;
  CopyingBackend(bool wants, std::optional<int>& kept_after, std::size_t copy_bytes = 64)
      : TimedBackend(make_backend("ref", 1).value()),
        wants_(wants),
        kept_after_(kept_after),
        copy_bytes_(copy_bytes) {}
  std::optional<BackendMemory> memory() const override {
    return BackendMemory{kMemoryBytes, kMemoryBytes};
  }
  std::size_t copy_bytes(const TensorView& /*view*/) const override { return copy_bytes_; }
  bool wants_copies(std::uint64_t /*copies*/, std::uint64_t /*left*/) const override {
    return wants_;
  }
  void keep_copies() override { kept_after_ = loaded_; }
  Result<WeightPtr> load_weight(const TensorView& view, InputPrecision precision) override {
    ++loaded_;
    return TimedBackend::load_weight(view, precision);
  }

 private:
  bool wants_;
  std::optional<int>& kept_after_;
  std::size_t copy_bytes_;
  int loaded_ = 0;
};

TEST(LocalEngine, CopiesThatAreWantedAreKeptFromTheFirstWeight) {
  const auto checkpoint = std::make_shared<TinyCheckpoint>(TinyOptions{});
  for (const bool wants : {false, true}) {
    std::optional<int> kept_after;
    auto card = std::make_unique<TimedBackend>(std::make_unique<CopyingBackend>(wants, kept_after));
    ASSERT_TRUE(make_local_engine_on(std::move(card), checkpoint, tiny_options()).has_value());
    EXPECT_EQ(kept_after, wants ? std::optional<int>(0) : std::nullopt);
  }
}

// Copies that nobody asked for give way to the keys and values that somebody did.
TEST(LocalEngine, KeysAndValuesAskedForComeBeforeCopies) {
  const auto checkpoint = std::make_shared<TinyCheckpoint>(TinyOptions{});
  constexpr std::uint64_t kLeft = std::uint64_t{40} << 20U;
  const std::size_t each = (CopyingBackend::kMemoryBytes - kLeft) /
                           std::max<std::size_t>(1, checkpoint->tensors().size());
  for (const WeightCopies copies : {WeightCopies::kAuto, WeightCopies::kExact}) {
    std::optional<int> kept_after;
    LocalEngineOptions options = tiny_options();
    options.kv_bytes = kLeft + (kLeft / 2);
    options.quant.copies = copies;
    const auto made = make_local_engine_on(std::make_unique<CopyingBackend>(true, kept_after, each),
                                           checkpoint, options);
    EXPECT_EQ(made.has_value(), copies == WeightCopies::kAuto);
    EXPECT_EQ(kept_after, std::nullopt);
  }
}

// Requests that differ in prompt, length and sampling.
std::vector<Request> mixed_requests() {
  std::vector<Request> requests;
  for (std::int32_t i = 0; i < 24; ++i) {
    Request request;
    request.id = static_cast<RequestId>(i + 1);
    for (std::int32_t j = 0; j < 3 + (i * 7) % 40; ++j) {
      request.prompt.push_back((j < 20 ? j * 5 : i * 13 + j) % 96);  // beginnings alike
    }
    request.max_tokens = 5 + (i * 11) % 60;
    request.sampling.temperature = i % 3 == 0 ? 0.0F : 1.3F;
    request.sampling.seed = static_cast<std::uint64_t>(i);
    if (i % 4 == 1) request.sampling.top_p = 0.8F;
    if (i % 5 == 2) request.sampling.repetition_penalty = 1.2F;
    if (i % 5 == 3) request.sampling.frequency_penalty = 0.5F;
    if (i % 6 == 4) request.choices = 3;
    if (i % 7 == 5) request.logprobs = 2;
    request.tenant = i % 2 == 0 ? "a" : "b";
    requests.push_back(request);
  }
  return requests;
}

using Answers = std::map<std::pair<RequestId, std::int32_t>, std::vector<std::int32_t>>;

Answers answers_of(Engine& engine, const std::vector<Request>& requests) {
  for (const Request& request : requests) EXPECT_TRUE(engine.submit(request));
  Answers answers;
  for (const auto& [id, events] : collect(engine, requests.size())) {
    EXPECT_EQ(events.back().kind, EventKind::kFinished);
    for (std::int32_t choice = 0; choice < requests.at(id - 1).choices; ++choice) {
      answers[{id, choice}] = tokens_of(events, choice);
    }
  }
  EXPECT_EQ(engine.stats().kv_blocks_used, 0);
  EXPECT_EQ(engine.stats().running, 0);
  EXPECT_EQ(engine.stats().waiting, 0);
  return answers;
}

// The promise of --deterministic: neighbours, chunks, cache hits, preemption, policies and guesses
// change no token.
TEST(LocalEngine, AnswersDoNotDependOnHowTheyAreComputed) {
  LocalEngineOptions alone = tiny_options(64);
  alone.batching.policy = BatchingPolicy::kNone;
  alone.prefix_cache = false;
  const auto first = tiny_engine(alone);
  const Answers expected = answers_of(*first, mixed_requests());
  EXPECT_EQ(expected.size(), 24U + 4U * 2U);
  const std::uint64_t block_bytes =
      first->info().kv_bytes / static_cast<std::uint64_t>(first->info().kv_blocks);

  struct Way {
    const char* name;
    BatchingPolicy policy;
    std::int32_t step_tokens;
    bool prefix_cache;
    std::int32_t speculate;
    std::uint64_t blocks;  // 0: plenty
    bool ahead = false;    // on a backend that runs ahead
  };
  for (const Way& way :
       {Way{"continuous", BatchingPolicy::kContinuous, 64, true, 0, 0},
        Way{"narrow steps", BatchingPolicy::kContinuous, 7, true, 0, 0},
        Way{"few blocks", BatchingPolicy::kContinuous, 32, true, 0, 9},
        Way{"few blocks, no cache", BatchingPolicy::kContinuous, 32, false, 0, 9},
        Way{"guesses", BatchingPolicy::kContinuous, 64, true, 3, 0},
        Way{"guesses, few blocks", BatchingPolicy::kContinuous, 32, true, 3, 9},
        Way{"ahead", BatchingPolicy::kContinuous, 64, true, 0, 0, true},
        Way{"ahead, narrow steps", BatchingPolicy::kContinuous, 7, true, 0, 0, true},
        Way{"ahead, few blocks", BatchingPolicy::kContinuous, 32, true, 0, 9, true},
        Way{"ahead, guesses", BatchingPolicy::kContinuous, 64, true, 3, 0, true},
        Way{"ahead, static", BatchingPolicy::kStatic, 64, true, 0, 0, true},
        Way{"static", BatchingPolicy::kStatic, 64, true, 0, 0},
        Way{"dynamic", BatchingPolicy::kDynamic, 64, false, 0, 0}}) {
    LocalEngineOptions options = tiny_options(way.step_tokens);
    options.batching.policy = way.policy;
    options.batching.max_sequences = 16;
    options.batching.static_wait_us = 50'000;
    options.batching.batch_wait_us = 1'000;
    options.prefix_cache = way.prefix_cache;
    options.speculate_tokens = way.speculate;
    options.kv_bytes = way.blocks * block_bytes;
    const auto engine = way.ahead ? tiny_engine_ahead(options) : tiny_engine(options);
    EXPECT_EQ(answers_of(*engine, mixed_requests()), expected) << way.name;
    const EngineStats stats = engine->stats();
    EXPECT_EQ(stats.preemptions > 0, way.blocks > 0) << way.name;
    EXPECT_EQ(stats.cached_tokens > 0, way.prefix_cache) << way.name;
    EXPECT_EQ(stats.kv_blocks_kept > 0, way.prefix_cache) << way.name;
    EXPECT_EQ(stats.drafted_tokens > 0, way.speculate > 0) << way.name;
  }
}

TEST(LocalEngine, APrefixIsComputedOnce) {
  auto engine = tiny_engine();
  Request request = greedy(1, 4);
  request.prompt.assign(70, 9);
  ASSERT_TRUE(engine->submit(request));
  const auto before = collect(*engine, 1).at(1);
  EXPECT_EQ(before.back().usage.cached_tokens, 0);
  const std::uint64_t computed = engine->stats().prompt_tokens;
  request.id = 2;
  ASSERT_TRUE(engine->submit(request));
  const auto after = collect(*engine, 1).at(2);
  EXPECT_EQ(after.back().usage.cached_tokens, 64);
  EXPECT_EQ(after.front().kind, EventKind::kStarted);
  EXPECT_EQ(after.front().usage.cached_tokens, 64);
  EXPECT_EQ(engine->stats().prompt_tokens - computed, 6U);
  EXPECT_EQ(tokens_of(after), tokens_of(before));
}

TEST(LocalEngine, RightGuessesSaveSteps) {
  LocalEngineOptions options = tiny_options();
  options.speculate_tokens = 4;
  const auto guessing = tiny_engine(options);
  const auto plain = tiny_engine();
  Request request = greedy(1, 100);
  request.sampling.logit_bias = {{5, 100.0F}};  // always the same token: easily guessed
  ASSERT_TRUE(guessing->submit(request));
  ASSERT_TRUE(plain->submit(request));
  EXPECT_EQ(tokens_of(collect(*guessing, 1).at(1)), tokens_of(collect(*plain, 1).at(1)));
  EXPECT_GT(guessing->stats().accepted_tokens, 50U);
  EXPECT_LT(guessing->stats().steps, plain->stats().steps / 2);
}

TEST(LocalEngine, OneChoiceCanBeCancelled) {
  auto engine = tiny_engine();
  Request request = greedy(1, 100);
  request.choices = 2;
  ASSERT_TRUE(engine->submit(request));
  engine->cancel(1, 0);
  engine->cancel(1, 7);  // no such choice: ignored
  const auto events = collect(*engine, 1).at(1);
  EXPECT_LT(tokens_of(events, 0).size(), 100U);
  EXPECT_EQ(tokens_of(events, 1).size(), 100U);
  EXPECT_EQ(events.back().finish, FinishReason::kCancelled);
  std::map<std::int32_t, int> ends;
  for (const Event& event : events) {
    if (event.kind == EventKind::kChoiceFinished) ++ends[event.choice];
  }
  EXPECT_EQ(ends, (std::map<std::int32_t, int>{{0, 1}, {1, 1}}));
}

TEST(LocalEngine, WhatTheCacheCanNeverHoldIsRefusedWithTheNumbers) {
  LocalEngineOptions options = tiny_options();
  const auto roomy = tiny_engine(options);
  options.kv_bytes =
      2 * roomy->info().kv_bytes / static_cast<std::uint64_t>(roomy->info().kv_blocks);
  const auto engine = tiny_engine(options);
  EXPECT_EQ(engine->info().kv_blocks, 2);
  EXPECT_EQ(engine->info().context_tokens, 32);
  EXPECT_THAT(engine->submit(greedy(1, 30)).error().message, HasSubstr("32"));
  options.context_tokens = 64;
  EXPECT_THAT(
      make_local_engine(std::make_shared<TinyCheckpoint>(TinyOptions{}), options).error().message,
      HasSubstr("--kv-memory"));
}

}  // namespace
}  // namespace hangar
