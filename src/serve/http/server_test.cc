#include "serve/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/testing/test_server.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(HttpServerTest, AnswersManyRequestsOnOneConnection) {
  TestServer server(mock_says("hello"));
  RawClient client(server.server->port());
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(client.send(ask_completion()));
    const std::string answer = client.read_response();
    ASSERT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr(R"("text":"hello")"));
    EXPECT_THAT(answer, HasSubstr("X-Request-Id: req_"));
    ASSERT_TRUE(client.send("\r\n" + kGetModels));  // an empty line before it is allowed
    EXPECT_THAT(client.read_response(), HasSubstr(R"("object":"list")"));
  }
}

TEST(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  TestServer server(mock_says("hello", 1000));
  RawClient client(server.server->port());
  std::string all;
  for (int i = 0; i < 20; ++i) all += i % 2 == 0 ? ask_completion() : kGetModels;
  ASSERT_TRUE(client.send(all));
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(client.read_response(), HasSubstr(i % 2 == 0 ? "hello" : "list")) << i;
  }
}

TEST(HttpServerTest, StreamsInChunksAndKeepsTheConnection) {
  TestServer server(mock_says("hey", 2000));
  RawClient client(server.server->port());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send(ask_completion(R"(,"stream":true)")));
    ASSERT_TRUE(client.read_until("data: [DONE]\n\n\r\n0\r\n\r\n"));
    EXPECT_THAT(client.received, HasSubstr("Transfer-Encoding: chunked\r\n"));
    EXPECT_THAT(client.received, HasSubstr("Content-Type: text/event-stream; charset=utf-8\r\n"));
    EXPECT_THAT(client.received, HasSubstr(R"("text":"h")"));
    EXPECT_THAT(client.received, HasSubstr(R"("text":"y")"));
    client.received.clear();
  }
}

TEST(HttpServerTest, OldClientsGetAStreamWithoutChunks) {
  TestServer server(mock_says("hey"));
  RawClient client(server.server->port());
  const std::string body = R"({"model":"mock","prompt":"hi","stream":true})";
  ASSERT_TRUE(client.send(fmt::format(
      "POST /v1/completions HTTP/1.0\r\nContent-Length: {}\r\n\r\n{}", body.size(), body)));
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received, StartsWith("HTTP/1.0 200 OK\r\n"));
  EXPECT_THAT(client.received, Not(HasSubstr("chunked")));
  EXPECT_THAT(client.received, ::testing::EndsWith("data: [DONE]\n\n"));
}

class ClientGoneTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ClientGoneTest, StopsTheGeneration) {
  TestServer server(MockEngine::Options{.step_us = 20'000, .context_tokens = 100'000});
  RawClient client(server.server->port());
  ASSERT_TRUE(client.send(ask_completion(GetParam())));
  ASSERT_TRUE(eventually([&] {
    const auto seen = server.engine->seen();
    return !seen.empty() && seen[0].tokens > 2;
  }));
  const int before = server.engine->seen()[0].tokens;
  client.close();
  ASSERT_TRUE(eventually([&] { return server.engine->seen()[0].finished; }));
  const auto seen = server.engine->seen();
  EXPECT_TRUE(seen[0].cancelled);
  EXPECT_LE(seen[0].tokens, before + 3);
}

INSTANTIATE_TEST_SUITE_P(StreamedAndNot, ClientGoneTest,
                         ::testing::Values(R"(,"stream":true,"max_tokens":50000)",
                                           R"(,"max_tokens":50000)"));

TEST(HttpServerTest, SaysContinueToThoseWhoWait) {
  TestServer server(mock_says("hello"));
  RawClient client(server.server->port());
  const std::string all =
      post("/v1/completions", R"({"model":"mock","prompt":"hi"})", "Expect: 100-continue\r\n");
  const std::size_t body = all.find("\r\n\r\n") + 4;
  ASSERT_TRUE(client.send(all.substr(0, body)));
  ASSERT_TRUE(client.read_until("HTTP/1.1 100 Continue\r\n\r\n"));
  client.received.clear();
  ASSERT_TRUE(client.send(all.substr(body)));
  EXPECT_THAT(client.read_response(), HasSubstr("hello"));
}

TEST(HttpServerTest, RefusesWhatIsTooLargeAndCloses) {
  HttpServerOptions options;
  options.max_header_bytes = 2000;
  options.max_body_bytes = 1000;
  TestServer server(mock_says("hello"), options);
  {
    RawClient client(server.server->port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(100'000, 'a'));
    EXPECT_TRUE(client.read_to_end());
    EXPECT_THAT(client.received, StartsWith("HTTP/1.1 431 "));
    EXPECT_THAT(client.received, HasSubstr("Connection: close\r\n"));
  }
  {
    RawClient client(server.server->port());
    client.send(post("/v1/completions", std::string(1'000'000, ' ')));
    EXPECT_TRUE(client.read_to_end());
    EXPECT_THAT(client.received, StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(client.received, HasSubstr(R"("type":"invalid_request_error")"));
  }
  {
    RawClient client(server.server->port());
    client.send(
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    EXPECT_TRUE(client.read_to_end());
    EXPECT_THAT(client.received, StartsWith("HTTP/1.1 400 "));
  }
  RawClient client(server.server->port());
  client.send(kGetModels);
  EXPECT_THAT(client.read_response(), HasSubstr("200 OK"));
}

TEST(HttpServerTest, KnowsMethodsAndAddresses) {
  TestServer server(mock_says("hello"));
  RawClient client(server.server->port());
  const auto ask = [&](std::string_view line) {
    client.send(fmt::format("{} HTTP/1.1\r\nHost: x\r\n\r\n", line));
    return client.read_response();
  };
  client.send("HEAD /v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(client.read_until("\r\n\r\n"));
  EXPECT_THAT(client.received, Not(HasSubstr("Content-Length: 0")));
  EXPECT_THAT(client.received, ::testing::EndsWith("\r\n\r\n"));
  client.received.clear();
  EXPECT_THAT(ask("GET /v1/models?x=1"), HasSubstr(R"("id":"mock")"));
  EXPECT_THAT(ask("GET http://x/v1/models/mock"), HasSubstr(R"("object":"model")"));
  EXPECT_THAT(ask("GET /v1/models/%6Dock"), HasSubstr("200 OK"));
  EXPECT_THAT(ask("GET /v1/models/other"), HasSubstr(R"("code":"model_not_found")"));
  EXPECT_THAT(ask("GET /nowhere"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask("DELETE /v1/models"), HasSubstr("Allow: GET, HEAD\r\n"));
  const std::string wrong = ask("GET /v1/chat/completions");
  EXPECT_THAT(wrong, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(wrong, HasSubstr("Allow: POST\r\n"));
}

TEST(HttpServerTest, GracefulStopFinishesWhatRunsAndRefusesTheRest) {
  TestServer server(mock_says("a long answer", 20'000));
  RawClient running(server.server->port());
  RawClient pipelined(server.server->port());
  RawClient idle(server.server->port());
  idle.send(kGetModels);
  ASSERT_THAT(idle.read_response(), HasSubstr("200 OK"));
  ASSERT_TRUE(running.send(ask_completion(R"(,"stream":true)")));
  ASSERT_TRUE(running.read_until("data: "));
  ASSERT_TRUE(pipelined.send(ask_completion()));
  ASSERT_TRUE(eventually([&] { return server.engine->seen().size() == 2; }));
  server.server->stop();
  EXPECT_TRUE(idle.read_to_end());
  EXPECT_EQ(idle.received, "");
  ASSERT_TRUE(pipelined.send(ask_completion()));
  EXPECT_TRUE(running.read_to_end());
  EXPECT_THAT(running.received, HasSubstr("[DONE]"));
  EXPECT_TRUE(pipelined.read_to_end());
  EXPECT_THAT(pipelined.received, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(pipelined.received, HasSubstr("a long answer"));
  server.thread.join();  // run() has returned
  EXPECT_FALSE(RawClient(server.server->port()).connected());
}

TEST(HttpServerTest, ARequestThatComesWhileStoppingGets503) {
  TestServer server(mock_says("a long answer", 20'000));
  RawClient running(server.server->port());
  RawClient half(server.server->port());
  ASSERT_TRUE(running.send(ask_completion(R"(,"stream":true)")));
  ASSERT_TRUE(running.read_until("data: "));
  ASSERT_TRUE(half.send(kGetModels + "POST /v1/comp"));
  ASSERT_THAT(half.read_response(), HasSubstr("200 OK"));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  server.server->stop();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(half.send(ask_completion().substr(13)));
  EXPECT_TRUE(half.read_to_end());
  EXPECT_THAT(half.received, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(half.received, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(running.read_until("[DONE]"));
}

TEST(HttpServerTest, AbortEndsEverythingAtOnce) {
  TestServer server(MockEngine::Options{.step_us = 5000, .context_tokens = 100'000});
  RawClient running(server.server->port());
  RawClient idle(server.server->port());
  ASSERT_TRUE(running.send(ask_completion(R"(,"stream":true,"max_tokens":50000)")));
  ASSERT_TRUE(running.read_until("data: "));
  server.server->abort();
  server.thread.join();
  EXPECT_TRUE(running.read_to_end());
  EXPECT_TRUE(idle.read_to_end());
  EXPECT_TRUE(eventually([&] { return server.engine->seen()[0].finished; }));
}

TEST(HttpServerTest, FailuresAreErrorsBeforeAndAfterTheFirstToken) {
  {
    TestServer server(MockEngine::Options{.fail_after_tokens = 0});
    RawClient client(server.server->port());
    client.send(ask_completion(R"(,"stream":true)"));
    const std::string answer = client.read_response();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(answer, HasSubstr("written to fail"));
  }
  TestServer server(MockEngine::Options{.step_us = 20'000, .fail_after_tokens = 2});
  RawClient client(server.server->port());
  client.send(ask_completion(R"(,"stream":true)"));
  EXPECT_TRUE(client.read_to_end());
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(client.received, HasSubstr(R"(data: {"error":{"message":)"));
  EXPECT_THAT(client.received, Not(HasSubstr("[DONE]")));
  // Not the last chunk: whoever looks at the framing alone sees that it is not whole.
  EXPECT_THAT(client.received, Not(::testing::EndsWith("0\r\n\r\n")));
}

TEST(HttpServerTest, ListenSaysWhatIsWrong) {
  Gateway gateway;
  HttpServerOptions options;
  options.port = 0;
  const auto first = HttpServer::listen(options, gateway);
  ASSERT_TRUE(first);
  options.port = (*first)->port();
  const auto second = HttpServer::listen(options, gateway);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  EXPECT_THAT(second.error().message, HasSubstr("--port"));
  options.host = "192.0.2.1";
  EXPECT_EQ(HttpServer::listen(options, gateway).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace hangar
