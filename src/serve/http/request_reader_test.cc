#include "serve/http/request_reader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

namespace hangar {
namespace {

using State = RequestReader::State;

struct Read {
  State state;
  std::size_t taken;
  int status;
  HttpRequest request;
};

Read read(std::string_view bytes, std::size_t step = std::string::npos) {
  RequestReader reader(1024, 64);
  std::string buffer;
  std::size_t taken = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string_view piece = bytes.substr(at, step);
    at += piece.size();
    buffer += piece;
    const std::size_t used = reader.feed(buffer);
    buffer.erase(0, used);
    taken += used;
  }
  Read result{reader.state(), taken, reader.failure_status(), {}};
  if (reader.state() == State::kDone) result.request = reader.take();
  return result;
}

TEST(RequestReaderTest, TakesOneRequestHoweverItIsCut) {
  const std::string one =
      "POST /a?b HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc-1\r\nContent-Type: application/json\r\n"
      "Content-Length: 5\r\n\r\nhello";
  const std::string two = one + "GET / HTTP/1.1\r\n";
  for (std::size_t step = 1; step <= two.size(); ++step) {
    const Read result = read(two, step);
    ASSERT_EQ(result.state, State::kDone) << step;
    EXPECT_EQ(result.taken, one.size());
    EXPECT_EQ(result.request.method, "POST");
    EXPECT_EQ(result.request.target, "/a?b");
    EXPECT_EQ(result.request.content_type, "application/json");
    EXPECT_EQ(result.request.request_id, "abc-1");
    EXPECT_EQ(result.request.body, "hello");
  }
}

TEST(RequestReaderTest, EmptyLinesBeforeARequestAreIgnored) {
  const std::string text = "\r\n\n\r\nGET / HTTP/1.0\r\n\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    const Read result = read(text, step);
    ASSERT_EQ(result.state, State::kDone) << step;
    EXPECT_EQ(result.taken, text.size());
  }
}

TEST(RequestReaderTest, ReadsChunkedBodies) {
  const std::string chunked =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t step = 1; step <= chunked.size(); ++step) {
    const Read result = read(chunked, step);
    ASSERT_EQ(result.state, State::kDone) << step;
    EXPECT_EQ(result.request.body, "abcde");
  }
}

TEST(RequestReaderTest, SaysWhatItRefuses) {
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n";
  const std::string many(2000, 'x');
  const struct {
    std::string text;
    int status;
  } cases[] = {
      {"hello\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {get + "Host: y\r\n\r\n", 400},
      {get + "Bad Name: y\r\n\r\n", 400},
      {get + "X: " + many + "\r\n\r\n", 431},
      {get + "Content-Length: 65\r\n\r\n", 413},
      {get + "Content-Length: -1\r\n\r\n", 400},
      {get + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {get + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {get + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {get + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {get + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415},
      {get + "Expect: a miracle\r\n\r\n", 417},
      {get + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {get + "Transfer-Encoding: chunked\r\n\r\n41\r\n" + many, 413},
      {get + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400},
  };
  for (const auto& one : cases) {
    for (const std::size_t step : {std::size_t{1}, std::string::npos}) {
      const Read result = read(one.text, step);
      EXPECT_EQ(result.state, State::kFailed) << one.text;
      EXPECT_EQ(result.status, one.status) << one.text;
    }
  }
}

TEST(RequestReaderTest, AChunkLineThatNeverEndsIsRefused) {
  RequestReader reader(1024, 64);
  std::string text = "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;";
  text.append(200'000, 'a');
  reader.feed(std::string_view(text).substr(reader.feed(text)));
  EXPECT_EQ(reader.state(), State::kFailed);
}

TEST(RequestReaderTest, KnowsWhatTheClientExpects) {
  RequestReader reader(1024, 64);
  reader.feed("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(reader.state(), State::kBody);
  EXPECT_TRUE(reader.expects_continue());
  reader.feed("x");
  EXPECT_EQ(reader.state(), State::kDone);
  EXPECT_TRUE(reader.keep_alive());
  RequestReader old(1024, 64);
  old.feed("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.state(), State::kDone);
  EXPECT_FALSE(old.keep_alive());
  EXPECT_FALSE(old.http_1_1());
}

TEST(RequestReaderTest, ALengthThatIsOnlyAnnouncedHoldsNothing) {
  std::atomic<std::uint64_t> used{0};
  BodyBudget budget(1000, used);
  RequestReader reader(1024, std::size_t{1} << 40U, &budget);
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n";
  reader.feed(head + "{");
  EXPECT_EQ(reader.state(), State::kBody);
  EXPECT_EQ(used, 0U);
}

TEST(RequestReaderTest, BodiesCountUntilTheirLeaseGoes) {
  std::atomic<std::uint64_t> used{0};
  BodyBudget budget(100'000, used);
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
  const std::string body(100'000, 'a');
  const std::uint64_t counted = body.size() - BodyBudget::kFreeBytes;
  {
    RequestReader first(1024, 1U << 20U, &budget);
    first.feed(head + body);
    ASSERT_EQ(first.state(), State::kDone);
    EXPECT_EQ(first.counted_bytes(), counted);
    const BodyLease lease = first.take_lease();
    EXPECT_EQ(first.counted_bytes(), 0U);
    EXPECT_EQ(used, counted);
    RequestReader second(1024, 1U << 20U, &budget);
    second.feed(head + body);
    EXPECT_EQ(second.state(), State::kDone);
    RequestReader third(1024, 1U << 20U, &budget);
    third.feed(head + body);
    EXPECT_EQ(third.state(), State::kFailed);
    EXPECT_EQ(third.failure_status(), 503);
    EXPECT_EQ(used, 2 * counted);
  }
  EXPECT_EQ(used, 0U);
}

}  // namespace
}  // namespace hangar
