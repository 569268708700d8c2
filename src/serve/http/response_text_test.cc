#include "serve/http/response_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

TEST(ResponseTextTest, AHeadIsWhatItSays) {
  HttpResponse response;
  response.status = 404;
  response.headers.emplace_back("Allow", "GET");
  ResponseFraming framing;
  framing.content_length = 12;
  framing.keep_alive_s = 75;
  framing.request_id = "req_1";
  framing.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  EXPECT_EQ(response_head(response, framing),
            "HTTP/1.1 404 Not Found\r\nServer: hangar\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/json\r\nX-Request-Id: req_1\r\nAllow: GET\r\n"
            "Content-Length: 12\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n");
  framing.content_length.reset();
  framing.keep_alive = false;
  const std::string chunked = response_head(response, framing);
  EXPECT_THAT(chunked, HasSubstr("\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
  framing.http_1_1 = false;
  EXPECT_THAT(response_head(response, framing), Not(HasSubstr("Transfer-Encoding")));
}

TEST(ResponseTextTest, NoValueEndsItsLine) {
  HttpResponse response;
  response.headers.emplace_back("X-Model", "a\r\nSet-Cookie: b\x01\x7f");
  ResponseFraming framing;
  framing.content_length = 0;
  EXPECT_THAT(response_head(response, framing), HasSubstr("\r\nX-Model: aSet-Cookie: b\r\n"));
}

TEST(ResponseTextTest, ChunksHaveTheirLengthInFront) {
  std::string out;
  append_chunk(out, "");
  append_chunk(out, std::string(26, 'x'));
  append_last_chunk(out);
  EXPECT_EQ(out, "1a\r\n" + std::string(26, 'x') + "\r\n0\r\n\r\n");
}

TEST(ResponseTextTest, DatesAreHttps) {
  HttpDate date;
  EXPECT_THAT(std::string(date.now()),
              MatchesRegex("[A-Z][a-z][a-z], [0-9][0-9] [A-Z][a-z][a-z] 20[0-9][0-9] "
                           "[0-9][0-9]:[0-9][0-9]:[0-9][0-9] GMT"));
}

}  // namespace
}  // namespace hangar
