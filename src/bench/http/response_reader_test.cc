#include "bench/http/response_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace hangar::bench {
namespace {

// Feeds the answer in pieces of so many bytes, as a socket might; what is not taken is kept.
struct Reading {
  Reading(std::string_view answer, std::size_t piece) {
    std::string input;
    for (std::size_t i = 0; i < answer.size() && !reader.done() && !failed; i += piece) {
      input += answer.substr(i, piece);
      const auto taken = reader.feed(input, [&](std::string_view bytes) { body += bytes; });
      failed = !taken.has_value();
      if (taken) input.erase(0, *taken);
      fed = i + piece;
    }
    rest = input + std::string(answer.substr(std::min(fed, answer.size())));
  }
  ResponseReader reader;
  std::string body, rest;
  std::size_t fed = 0;
  bool failed = false;
};

TEST(ResponseReader, PassesAChunkedBodyOnAsItComes) {
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "7\r\ndata: a\r\n2\r\n\n\n\r\n10\r\ndata: [DONE]\n\n\r\n\r\n0\r\n\r\n";
  for (const std::size_t piece : {1U, 2U, 7U, 64U, 4096U}) {
    const Reading reading(answer, piece);
    ASSERT_TRUE(reading.reader.done()) << piece;
    EXPECT_EQ(reading.body, "data: a\n\ndata: [DONE]\n\n\r\n") << piece;
    EXPECT_EQ(reading.reader.status(), 200);
    EXPECT_EQ(reading.reader.content_type(), "text/event-stream");
    EXPECT_TRUE(reading.reader.keep_alive());
    EXPECT_EQ(reading.rest, "");
  }
}

TEST(ResponseReader, StopsAtTheAnswersEnd) {
  const Reading reading("HTTP/1.1 429 Busy\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}XYZ",
                        4096);
  ASSERT_TRUE(reading.reader.done());
  EXPECT_EQ(reading.body, "{}");
  EXPECT_EQ(reading.rest, "XYZ");
  EXPECT_EQ(reading.reader.status(), 429);
  EXPECT_FALSE(reading.reader.keep_alive());
}

TEST(ResponseReader, AnEndOfTheConnectionEndsABodyWithoutLength) {
  Reading open("HTTP/1.0 200 OK\r\n\r\nall of it", 5);
  EXPECT_FALSE(open.reader.done());
  EXPECT_EQ(open.body, "all of it");
  EXPECT_TRUE(open.reader.at_end());
  EXPECT_FALSE(open.reader.keep_alive());

  Reading cut("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", 4096);
  EXPECT_FALSE(cut.reader.at_end());
  ResponseReader nothing;
  EXPECT_FALSE(nothing.at_end());
}

TEST(ResponseReader, RefusesWhatIsNoHttp) {
  EXPECT_TRUE(Reading("SSH-2.0-OpenSSH_9.2\r\n\r\n", 4096).failed);
}

}  // namespace
}  // namespace hangar::bench
