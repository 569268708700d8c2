// What a request may ask for and how long it may take: queues, time, size, who is first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "serve/testing/door.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;

TEST(RequestLimitsTest, AFullQueueIs429AndADrainingDoor503) {
  Door door({.step_us = 1000, .max_queue = 1});
  const Answer full = door.complete(R"(,"prompt":["a","b"])");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(at(full.body, "/error/type"), "\"rate_limit_error\"");
  EXPECT_EQ(at(full.body, "/error/code"), "\"rate_limit_exceeded\"");
  const int after_s = std::stoi(full.header("Retry-After"));
  EXPECT_GE(after_s, 1);
  EXPECT_LE(after_s, 60);
  door.gateway.drain();
  EXPECT_EQ(door.complete(R"(,"prompt":"a")").status, 503);
}

TEST(RequestLimitsTest, RequestsThatRunOutOfTime) {
  Door door({.step_us = 1000});
  const Answer own = door.complete(R"(,"prompt":"a","max_tokens":4000,"timeout_s":0.02)");
  EXPECT_EQ(own.status, 408);
  EXPECT_EQ(at(own.body, "/error/code"), "\"request_timeout\"");
  EXPECT_EQ(own.header("X-Should-Retry"), "false");

  HttpRequest request =
      Door::post("/v1/completions", R"({"model":"mock","prompt":"a","max_tokens":4000})");
  request.timeout_ms = "20";
  EXPECT_EQ(door.ask(request).status, 408);
  request.timeout_ms = "20ms";
  const Answer wrong = door.ask(request);
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(at(wrong.body, "/error/param"), "\"X-Request-Timeout-Ms\"");

  Door limited({.step_us = 1000}, {.request_timeout_us = 300'000});
  const Answer servers = limited.complete(R"(,"prompt":"a","max_tokens":4000,"timeout_s":9)");
  EXPECT_EQ(servers.status, 504);
  EXPECT_EQ(at(servers.body, "/error/type"), "\"server_error\"");
  const Answer streamed = limited.complete(R"(,"prompt":"a","max_tokens":4000,"stream":true)");
  EXPECT_EQ(streamed.status, 200);  // it had begun
  EXPECT_FALSE(streamed.done);
  EXPECT_EQ(at(streamed.events.back(), "/error/code"), "\"deadline_exceeded\"");
}

TEST(RequestLimitsTest, WhoAsksAndHowUrgentlyReachesTheEngine) {
  Door door(says("x"));
  door.chat(R"(,"user":"alice","priority":5)");
  door.chat("");
  const auto seen = door.engine->seen();
  EXPECT_EQ(seen[0].request.tenant, "alice");
  EXPECT_EQ(seen[0].request.priority, -5);
  EXPECT_EQ(seen[1].request.tenant, "");
  EXPECT_EQ(seen[1].request.priority, 0);
  EXPECT_EQ(seen[1].request.deadline_us, 0);
}

TEST(RequestLimitsTest, CachedTokensAreInUsageAndInTheStreamsToo) {
  Door door({.scripts = {MockEngine::bytes("x")}, .cached_tokens = 16});
  EXPECT_EQ(at(door.chat("").body, "/usage/prompt_tokens_details/cached_tokens"), "16");
  const Answer streamed =
      door.complete(R"(,"prompt":["01234567890123456789","b"],"n":2,"stream":true,)"
                    R"("stream_options":{"include_usage":true})");
  EXPECT_EQ(at(streamed.events.back(), "/usage"),
            R"({"prompt_tokens":21,"completion_tokens":4,"total_tokens":25,)"
            R"("prompt_tokens_details":{"cached_tokens":16},)"
            R"("completion_tokens_details":{"reasoning_tokens":0}})");
}

TEST(RequestLimitsTest, AStreamNobodyReadsIsCutOffAndEndsWithAnError) {
  Door door({.step_us = 10, .context_tokens = 1 << 30}, {.max_waiting_bytes = 1});
  HandlerResult result = handle_request(
      door.gateway,
      Door::post(
          "/v1/completions",
          R"({"model":"mock","prompt":"a","max_tokens":500000000,"stream":true,"logprobs":5})"));
  auto& pending = std::get<std::unique_ptr<PendingResponse>>(result);
  std::optional<ResponsePart> first;
  while (!first) first = pending->advance();
  EXPECT_TRUE(first->streaming);
  ASSERT_TRUE(eventually([&] { return door.engine->stats().running == 0; }, 20'000));
  std::string text;
  for (bool done = false; !done;) {
    if (const auto part = pending->advance()) {
      text += part->bytes;
      done = part->done;
      EXPECT_TRUE(!done || part->close);
    }
  }
  EXPECT_LT(text.size(), std::size_t{64} << 10U);
  EXPECT_THAT(text, HasSubstr("too slow"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("[DONE]")));
}

TEST(RequestLimitsTest, AnAnswerThatCouldFillTheMemoryIsRefused) {
  Door door({.scripts = {MockEngine::bytes("x")}, .context_tokens = 1 << 20});
  const std::string large = R"(,"prompt":"a","n":128,"logprobs":5,"max_tokens":50000)";
  const Answer refused = door.complete(large);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(at(refused.body, "/error/code"), "\"answer_too_large\"");
  EXPECT_TRUE(door.engine->seen().empty());
  EXPECT_EQ(door.complete(large + R"(,"stream":true)").status, 200);
  EXPECT_EQ(door.complete(R"(,"prompt":"a","n":128,"max_tokens":50000)").status, 200);
}

TEST(RequestLimitsTest, BestOfReturnsTheLikeliestFirstAndCountsAll) {
  Door door({.scripts = {MockEngine::bytes("aa"), MockEngine::bytes("b"), MockEngine::bytes("cc")},
             .choice_logprobs = {-0.9F, -0.2F, -0.4F}});
  const Answer answer = door.complete(R"(,"prompt":"x","n":2,"best_of":3)");
  EXPECT_EQ(at(answer.body, "/choices"),
            R"([{"text":"b","index":0,"logprobs":null,"finish_reason":"stop"},)"
            R"({"text":"cc","index":1,"logprobs":null,"finish_reason":"stop"}])");
  EXPECT_EQ(at(answer.body, "/usage/completion_tokens"), "5");
  EXPECT_EQ(at(answer.body, "/usage/prompt_tokens"), "1");
  EXPECT_EQ(door.engine->seen()[0].request.choices, 3);
  const Answer shown = door.complete(R"(,"prompt":"x","best_of":3,"logprobs":0)");
  EXPECT_EQ(at(shown.body, "/choices/0/text"), "\"b\"");
  EXPECT_EQ(at(shown.body, "/choices/0/logprobs/token_logprobs"), "[-2E-1]");
}

}  // namespace
}  // namespace hangar
