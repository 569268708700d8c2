#include "bench/http/sse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hangar::bench {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> events_of(std::string_view stream, std::size_t piece) {
  SseParser parser;
  std::vector<std::string> events;
  for (std::size_t i = 0; i < stream.size(); i += piece) {
    parser.feed(stream.substr(i, piece), [&](std::string_view data) { events.emplace_back(data); });
  }
  return events;
}

TEST(SseParser, FindsTheSameEventsHoweverTheBytesAreCut) {
  const std::string_view stream =
      "\xEF\xBB\xBF"
      "data: {\"a\": 1}\n\n"
      ": a comment\n\n"
      "event: note\r\ndata:first\r\ndata: second\r\n\r\n"
      "id: 3\rdata:  two spaces\r\r"
      "data\n\n"
      "retry: 10\n\n"
      "data: [DONE]\n\n"
      "data: never ended";
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    EXPECT_THAT(events_of(stream, piece),
                ElementsAre("{\"a\": 1}", "first\nsecond", " two spaces", "", "[DONE]"))
        << "in pieces of " << piece;
  }
}

TEST(SseParser, AnythingElseIsNoEvent) {
  EXPECT_TRUE(events_of("{\"error\": \"no stream at all\"}\n\n", 4096).empty());
  EXPECT_TRUE(events_of("database: x\n\ndat: y\n\n", 4096).empty());
}

}  // namespace
}  // namespace hangar::bench
