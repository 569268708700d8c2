// A client that asks and never reads, over real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sched/testing/build_kind.h"
#include "serve/testing/test_server.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;

TEST(SlowReaderTest, OneThatNeverReadsIsCutOffAndNobodyWaitsForIt) {
  MockEngine::Options endless;
  endless.context_tokens = 1 << 30;
  // Slow enough for the server itself to keep up: or it would be cut off for the server's slowness,
  // and what is left would fit into the sockets.
  endless.step_us = kFastBuild ? 50 : 500;
  GatewayOptions limits;
  limits.max_waiting_bytes = 1U << 20U;
  HttpServerOptions http;
  http.write_timeout_us = 1'000'000;
  TestServer server(endless, http, limits);
  ServedModel& model = *server.gateway.models()[0];

  RawClient lazy(server.server->port());
  const int small = 4096;
  ASSERT_EQ(setsockopt(lazy.descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
  ASSERT_TRUE(lazy.send(post("/v1/chat/completions",
                             R"({"model":"mock","messages":[{"role":"user","content":"a"}],)"
                             R"("stream":true,"logprobs":true,"top_logprobs":20})")));
  ASSERT_TRUE(eventually([&] { return server.engine->stats().running == 1; }));

  // While it is served, and stalls, the others have their answers.
  int answered = 0;
  while (model.metrics().slow_readers.load() == 0 && answered < 100'000) {
    RawClient other(server.server->port());
    ASSERT_TRUE(other.send(ask_completion(R"(,"max_tokens":2)")));
    ASSERT_THAT(other.read_response(), HasSubstr(R"("text":"xx")"));
    ++answered;
  }
  EXPECT_GT(answered, 0);
  EXPECT_EQ(model.metrics().slow_readers.load(), 1U);
  EXPECT_TRUE(eventually([&] { return server.engine->stats().running == 0; }));
  EXPECT_TRUE(server.engine->seen()[0].cancelled);
  // Its connection is closed by the write limit.
  EXPECT_TRUE(eventually([&] { return server.server->counters().write_timeouts.load() == 1; }));
}

}  // namespace
}  // namespace hangar
