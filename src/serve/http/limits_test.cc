// Slow, silent, greedy and many clients: each limit holds, and none keeps others from an answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "sched/testing/build_kind.h"
#include "serve/http/descriptors.h"
#include "serve/testing/test_server.h"

namespace hangar {
namespace {

using std::chrono::milliseconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Clock = std::chrono::steady_clock;

std::string post_head(std::size_t length) {
  return fmt::format(
      "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n",
      length);
}

TEST(LimitsTest, SlowAndSilentClientsAreCutOff) {
  HttpServerOptions options;
  options.header_timeout_us = 100'000;
  options.body_timeout_us = 200'000;
  options.idle_timeout_us = 50'000;
  TestServer server(mock_says("hello"), options);
  RawClient header(server.server->port());
  RawClient body(server.server->port());
  RawClient silent(server.server->port());
  ASSERT_TRUE(header.send("GET /health HT"));
  ASSERT_TRUE(body.send(post_head(100) + "{"));
  EXPECT_TRUE(header.read_to_end());
  EXPECT_THAT(header.received, StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(header.received, HasSubstr("header did not come within 0.1 s"));
  EXPECT_TRUE(body.read_to_end());
  EXPECT_THAT(body.received, StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(body.received, HasSubstr("body did not come within 0.2 s"));
  EXPECT_TRUE(silent.read_to_end());
  EXPECT_EQ(silent.received, "");
  EXPECT_EQ(server.server->counters().header_timeouts, 1U);
  EXPECT_EQ(server.server->counters().body_timeouts, 1U);
}

// The time is that of the whole header: a byte now and then does not buy more.
TEST(LimitsTest, ATrickleOfBytesDoesNotBuyTime) {
  HttpServerOptions options;
  options.header_timeout_us = 300'000;
  TestServer server(mock_says("hello"), options);
  RawClient client(server.server->port());
  const auto begin = Clock::now();
  while (client.send("a") && Clock::now() - begin < std::chrono::seconds(5)) {
    if (client.read_until("408", 50)) break;
  }
  EXPECT_THAT(client.received, HasSubstr("HTTP/1.1 408 "));
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(3));
}

TEST(LimitsTest, AReaderThatStopsReadingIsCutOff) {
  HttpServerOptions options;
  options.write_timeout_us = 200'000;
  // A step takes so long that the answer cannot be over before its reader is cut off, however busy
  // the machine is: a million of them are 20 s at the least.
  MockEngine::Options endless;
  endless.step_us = 20;
  endless.context_tokens = 2'000'000;
  TestServer server(endless, options);
  RawClient client(server.server->port());
  const int small = 4096;
  ::setsockopt(client.descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  ASSERT_TRUE(client.send(ask_completion(R"(,"stream":true,"max_tokens":1000000,"logprobs":5)")));
  EXPECT_TRUE(eventually(
      [&] {
        const auto seen = server.engine->seen();
        return !seen.empty() && seen[0].finished && seen[0].cancelled;
      },
      20'000));
  EXPECT_TRUE(eventually([&] { return server.server->counters().open_connections == 0; }));
  EXPECT_EQ(server.server->counters().write_timeouts, 1U);
}

TEST(LimitsTest, AnAnswerHasItsTime) {
  HttpServerOptions options;
  options.answer_timeout_us = 200'000;
  const MockEngine::Options endless{.step_us = 5'000, .context_tokens = 1'000'000};
  TestServer server(endless, options);
  RawClient whole(server.server->port());
  RawClient streamed(server.server->port());
  ASSERT_TRUE(whole.send(ask_completion(R"(,"max_tokens":900000)")));
  ASSERT_TRUE(streamed.send(ask_completion(R"(,"max_tokens":900000,"stream":true)")));
  EXPECT_TRUE(whole.read_to_end());
  EXPECT_THAT(whole.received, StartsWith("HTTP/1.1 504 "));
  EXPECT_THAT(whole.received, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_TRUE(streamed.read_to_end());
  EXPECT_THAT(streamed.received, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(streamed.received, ::testing::Not(EndsWith("\r\n0\r\n\r\n")));
  EXPECT_TRUE(eventually([&] {
    const auto seen = server.engine->seen();
    return seen.size() == 2 && seen[0].finished && seen[1].finished;
  }));
  EXPECT_EQ(server.server->counters().answer_timeouts, 2U);
}

// Slow-loris and half-open clients on every place there is: each new client is served at once.
TEST(LimitsTest, AThousandSlowClientsKeepNobodyWaiting) {
  if (raise_descriptor_limit() < 2300) GTEST_SKIP() << "Skipped: too few files may be open";
  for (const std::size_t max_connections : {std::size_t{4096}, std::size_t{500}}) {
    HttpServerOptions options;
    options.max_connections = max_connections;
    TestServer server(mock_says("hello"), options);
    std::vector<std::unique_ptr<RawClient>> slow;
    for (int i = 0; i < 1000; ++i) {
      slow.push_back(std::make_unique<RawClient>(server.server->port()));
      ASSERT_TRUE(slow.back()->connected());
      if (i % 3 == 0) continue;  // says nothing at all
      slow.back()->send(i % 3 == 1 ? "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "
                                   : post_head(1000) + "{\"model\"");
    }
    for (int i = 0; i < 20; ++i) {
      const auto begin = Clock::now();
      RawClient client(server.server->port());
      ASSERT_TRUE(client.send(ask_completion()));
      EXPECT_THAT(client.read_response(), HasSubstr("hello"));
      EXPECT_LT(Clock::now() - begin, milliseconds(kFastBuild ? 1000 : 20'000)) << max_connections;
    }
    const HttpCounters& counters = server.server->counters();
    EXPECT_LE(counters.open_connections, max_connections);
    EXPECT_EQ(counters.refused_full, 0U);
    if (max_connections < 1000) {
      EXPECT_GE(counters.evicted, 500U);
    } else {
      EXPECT_EQ(counters.evicted, 0U);
    }
  }
}

TEST(LimitsTest, AFullServerRefusesWithAReasonAndKeepsWhatItHas) {
  HttpServerOptions options;
  options.max_connections = 4;
  TestServer server(MockEngine::Options{.step_us = 5'000, .context_tokens = 1'000'000}, options);
  std::vector<std::unique_ptr<RawClient>> busy;
  for (int i = 0; i < 4; ++i) {
    busy.push_back(std::make_unique<RawClient>(server.server->port()));
    ASSERT_TRUE(busy.back()->send(ask_completion(R"(,"max_tokens":900000,"stream":true)")));
    ASSERT_TRUE(busy.back()->read_until("data: "));
  }
  for (int i = 0; i < 10; ++i) {
    RawClient client(server.server->port());
    client.send(kGetModels);
    EXPECT_TRUE(client.read_to_end());
    EXPECT_THAT(client.received, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(client.received, HasSubstr("\r\nRetry-After: 1\r\n"));
    EXPECT_THAT(client.received, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(client.received, HasSubstr("all 4 connections"));
  }
  EXPECT_EQ(server.server->counters().refused_full, 10U);
  busy[0]->received.clear();
  EXPECT_TRUE(busy[0]->read_until("data: "));
  busy.pop_back();
  EXPECT_TRUE(eventually([&] {
    RawClient client(server.server->port());
    client.send(kGetModels);
    return client.read_response().starts_with("HTTP/1.1 200 OK");
  }));
}

TEST(LimitsTest, AnAddressHasItsShare) {
  HttpServerOptions options;
  options.max_connections_per_address = 3;
  TestServer server(MockEngine::Options{.step_us = 5'000, .context_tokens = 1'000'000}, options);
  std::vector<std::unique_ptr<RawClient>> busy;
  for (int i = 0; i < 3; ++i) {
    busy.push_back(std::make_unique<RawClient>(server.server->port()));
    ASSERT_TRUE(busy.back()->send(ask_completion(R"(,"max_tokens":900000,"stream":true)")));
    ASSERT_TRUE(busy.back()->read_until("data: "));
  }
  RawClient client(server.server->port());
  client.send(kGetModels);
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(client.received, HasSubstr("your address has 3 connections"));
  EXPECT_EQ(server.server->counters().refused_address, 1U);
  // Another address of this machine has a share of its own.
  RawClient other(server.server->port(), "127.0.0.2");
  other.send(kGetModels);
  EXPECT_THAT(other.read_response(), HasSubstr("200 OK"));
}

// Large bodies share a room; ordinary requests need none of it.
TEST(LimitsTest, BodiesOfAllConnectionsTogetherHaveALimit) {
  HttpServerOptions options;
  options.max_buffered_bytes = 1U << 20U;
  TestServer server(mock_says("hello"), options);
  const std::string most(900'000, ' ');
  RawClient holder(server.server->port());
  ASSERT_TRUE(holder.send(post_head(2'000'000) + most));
  const HttpCounters& counters = server.server->counters();
  ASSERT_TRUE(eventually([&] { return counters.buffered_bytes > 800'000; }));
  RawClient second(server.server->port());
  second.send(post_head(1'000'000) + most);
  EXPECT_TRUE(second.read_to_end());
  EXPECT_THAT(second.received, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(second.received, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_EQ(counters.refused_buffered, 1U);
  RawClient small(server.server->port());
  small.send(ask_completion());
  EXPECT_THAT(small.read_response(), HasSubstr("hello"));
  // Who holds the room and sends nothing loses it to the next one that needs it.
  std::this_thread::sleep_for(milliseconds(1100));
  RawClient third(server.server->port());
  third.send(post_head(1'000'000) + most);
  EXPECT_TRUE(third.read_to_end());
  EXPECT_TRUE(holder.read_to_end());
  EXPECT_TRUE(eventually([&] { return counters.buffered_bytes == 0; }));
  RawClient fourth(server.server->port());
  fourth.send(post("/v1/completions", R"({"model":"mock","prompt":"hi"})" + most));
  EXPECT_THAT(fourth.read_response(), HasSubstr("hello"));
}

TEST(LimitsTest, WhatIsReadAheadIsBounded) {
  TestServer server(mock_says("hello", 200'000));
  RawClient client(server.server->port());
  timeval patience{.tv_sec = 0, .tv_usec = 200'000};
  ::setsockopt(client.descriptor(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const int small = 16384;
  ::setsockopt(client.descriptor(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  ASSERT_TRUE(client.send(ask_completion()));
  // The system's buffers take some megabytes; the server itself no more than its 64 KiB.
  std::size_t taken = 0;
  while (taken < (64U << 20U) && client.send(std::string(65536, '\n'))) taken += 65536;
  EXPECT_LT(taken, 32U << 20U);
  EXPECT_THAT(client.read_response(), HasSubstr("hello"));
}

// Lowers the limit so that `more` files can still be opened.
class FewDescriptors {
 public:
  explicit FewDescriptors(int more) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &old_), 0);
    const int lowest = ::socket(AF_INET, SOCK_STREAM, 0);
    ::close(lowest);
    rlimit low = old_;
    low.rlim_cur = static_cast<rlim_t>(lowest + more);
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  }
  ~FewDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &old_), 0); }

 private:
  rlimit old_{};
};

TEST(LimitsTest, OutOfDescriptorsItServesThoseItHasAndRefusesOthers) {
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
  GTEST_SKIP() << "Skipped: this sanitizer looks at memory through a pipe and needs a descriptor "
                  "for it; the plain and the thread sanitizer's build run this test";
#endif
#endif
  TestServer server(mock_says("hello"));
  RawClient before(server.server->port());
  before.send(kGetModels);
  ASSERT_THAT(before.read_response(), HasSubstr("200 OK"));
  {
    const FewDescriptors few(1);  // the client's own
    for (int i = 0; i < 20; ++i) {
      RawClient refused(server.server->port());
      ASSERT_TRUE(refused.connected());
      refused.send(kGetModels);
      EXPECT_TRUE(refused.read_to_end());
      EXPECT_THAT(refused.received, StartsWith("HTTP/1.1 503 ")) << i;
      EXPECT_THAT(refused.received, HasSubstr("no file descriptor left"));
      EXPECT_THAT(refused.received, HasSubstr("\r\nConnection: close\r\n"));
      before.send(ask_completion());
      EXPECT_THAT(before.read_response(), HasSubstr("hello"));
    }
    EXPECT_EQ(server.server->counters().refused_descriptors, 20U);
  }
  RawClient after(server.server->port());
  after.send(kGetModels);
  EXPECT_THAT(after.read_response(), HasSubstr("200 OK"));
}

// A silent connection is worth less than a new one, also when descriptors are what is scarce.
TEST(LimitsTest, OutOfDescriptorsSilentConnectionsMakeRoom) {
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
  GTEST_SKIP() << "Skipped: as above";
#endif
#endif
  TestServer server(mock_says("hello"));
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 8; ++i) {
    silent.push_back(std::make_unique<RawClient>(server.server->port()));
  }
  const HttpCounters& counters = server.server->counters();
  ASSERT_TRUE(eventually([&] { return counters.open_connections == 8; }));
  const FewDescriptors few(1);
  RawClient client(server.server->port());
  client.send(kGetModels);
  EXPECT_THAT(client.read_response(), HasSubstr("200 OK"));
  EXPECT_GE(counters.evicted, 1U);
  EXPECT_EQ(counters.refused_descriptors, 0U);
}

}  // namespace
}  // namespace hangar
