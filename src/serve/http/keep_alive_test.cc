// What pooled clients can trust: who is told "keep-alive" finds the connection open.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/testing/test_server.h"

namespace hangar {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(KeepAliveTest, TheTimeIsToldAndKept) {
  HttpServerOptions options;
  options.idle_timeout_us = 1'000'000;
  options.idle_grace_us = 300'000;
  TestServer server(mock_says("hello"), options);
  RawClient client(server.server->port());
  RawClient silent(server.server->port());
  for (RawClient* one : {&client, &silent}) {
    ASSERT_TRUE(one->send(ask_completion()));
    const std::string answer = one->read_response();
    EXPECT_THAT(answer, HasSubstr("\r\nConnection: keep-alive\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nKeep-Alive: timeout=1\r\n"));
  }
  // Used again just after the time that was told, as by a client whose clock runs slow.
  std::this_thread::sleep_for(milliseconds(1050));
  ASSERT_TRUE(client.send(ask_completion()));
  EXPECT_THAT(client.read_response(), HasSubstr("hello"));
  EXPECT_TRUE(silent.read_to_end());  // closed some time later, in silence
  EXPECT_EQ(silent.received, "");
}

TEST(KeepAliveTest, HoldsAfterAStreamedAnswer) {
  TestServer server(mock_says("hey"));
  RawClient client(server.server->port());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(client.send(ask_completion(R"(,"stream":true)")));
    ASSERT_TRUE(client.read_until("data: [DONE]\n\n\r\n0\r\n\r\n"));
    EXPECT_THAT(client.received, HasSubstr("\r\nConnection: keep-alive\r\n"));
    client.received.clear();
    ASSERT_TRUE(client.send(kGetModels));
    EXPECT_THAT(client.read_response(), HasSubstr("200 OK"));
  }
}

TEST(KeepAliveTest, WhoAsksForTheEndIsToldOfIt) {
  TestServer server(mock_says("hello"));
  RawClient client(server.server->port());
  client.send("GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(client.received, Not(HasSubstr("Keep-Alive")));
}

TEST(KeepAliveTest, OldClientsMayAskForIt) {
  TestServer server(mock_says("hello"));
  RawClient client(server.server->port());
  for (int i = 0; i < 3; ++i) {
    client.send("GET /v1/models HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string answer = client.read_response();
    EXPECT_THAT(answer, StartsWith("HTTP/1.0 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nConnection: keep-alive\r\n"));
  }
  client.send("GET /v1/models HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received, HasSubstr("\r\nConnection: close\r\n"));
}

TEST(KeepAliveTest, AnEmptyLineAfterARequestIsNoRequest) {
  HttpServerOptions options;
  options.header_timeout_us = 50'000;
  TestServer server(mock_says("hello"), options);
  RawClient client(server.server->port());
  client.send(kGetModels + "\r\n");
  EXPECT_THAT(client.read_response(), HasSubstr("200 OK"));
  std::this_thread::sleep_for(milliseconds(200));
  client.send(kGetModels);
  EXPECT_THAT(client.read_response(), StartsWith("HTTP/1.1 200 OK"));
}

// Kept connections alone never take all places: the later ones are told to close.
TEST(KeepAliveTest, AServerThatFillsSaysCloseInTime) {
  HttpServerOptions options;
  options.max_connections = 16;
  TestServer server(mock_says("hello"), options);
  std::vector<std::unique_ptr<RawClient>> clients;
  int kept = 0;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.server->port()));
    clients.back()->send(kGetModels);
    const std::string answer = clients.back()->read_response();
    ASSERT_THAT(answer, StartsWith("HTTP/1.1 200 OK")) << i;
    if (answer.find("Connection: keep-alive") == std::string::npos) {
      EXPECT_THAT(answer, HasSubstr("Connection: close"));
      EXPECT_TRUE(clients.back()->read_to_end());
      clients.pop_back();
    } else {
      ++kept;
    }
  }
  EXPECT_EQ(kept, 12);
  for (const auto& client : clients) {  // each of them finds its connection open
    client->send(kGetModels);
    EXPECT_THAT(client->read_response(), HasSubstr("200 OK"));
  }
  EXPECT_EQ(server.server->counters().refused_full, 0U);
}

TEST(KeepAliveTest, ARequestThatIsOnItsWayAtTheEndGetsAnAnswer) {
  TestServer server(mock_says("hello"));
  RawClient client(server.server->port());
  client.send(kGetModels);
  ASSERT_THAT(client.read_response(), HasSubstr("keep-alive"));
  server.server->stop();
  std::this_thread::sleep_for(milliseconds(30));
  ASSERT_TRUE(client.send(kGetModels));
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(client.received, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(client.received, HasSubstr("\r\nRetry-After: "));
}

TEST(KeepAliveTest, AHalfSentRequestDoesNotHoldUpTheEnd) {
  TestServer server(mock_says("hello"));
  RawClient client(server.server->port());
  ASSERT_TRUE(client.send("GET /v1/models HT"));
  ASSERT_TRUE(eventually([&] { return server.server->counters().open_connections == 1; }));
  std::this_thread::sleep_for(milliseconds(20));
  server.server->stop();
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 503 "));
  client.close();
  server.thread.join();
}

}  // namespace
}  // namespace hangar
