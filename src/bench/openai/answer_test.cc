#include "bench/openai/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar::bench {
namespace {

using ::testing::HasSubstr;

TEST(ReadChunk, TellsOutputFromTheFrameAroundIt) {
  EXPECT_FALSE(read_chunk(R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""},
                          "finish_reason":null}]})")
                   ->has_output);
  EXPECT_TRUE(read_chunk(R"({"choices":[{"index":0,"delta":{"content":"Hi"}}]})")->has_output);
  EXPECT_TRUE(
      read_chunk(R"({"choices":[{"index":0,"delta":{"reasoning_content":"Hm"}}]})")->has_output);
  EXPECT_TRUE(
      read_chunk(R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]})")->has_output);
  EXPECT_TRUE(read_chunk(R"({"choices":[{"index":0,"text":" and"}]})")->has_output);
  const auto last = read_chunk(R"({"choices":[{"delta":{},"finish_reason":"length"}]})");
  EXPECT_FALSE(last->has_output);
  EXPECT_TRUE(last->finished);
  EXPECT_FALSE(last->usage.has_value());
}

TEST(ReadChunk, ReadsUsage) {
  const auto part = read_chunk(
      R"({"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46,
          "prompt_tokens_details":{"cached_tokens":8}}})");
  ASSERT_TRUE(part && part->usage);
  EXPECT_EQ(part->usage->prompt_tokens, 12);
  EXPECT_EQ(part->usage->completion_tokens, 34);
  EXPECT_EQ(part->usage->cached_tokens, 8);
  EXPECT_FALSE(read_chunk(R"({"choices":[],"usage":null})")->usage.has_value());
}

TEST(ReadChunk, FindsErrorsInsideAStream) {
  EXPECT_EQ(read_chunk(R"({"error":{"message":"out of memory","code":500}})")->error,
            "out of memory");
  EXPECT_EQ(read_chunk(R"({"error":"plain"})")->error, "plain");
  EXPECT_FALSE(read_chunk(R"({"choices":[],"error":null})")->error.has_value());
}

TEST(ReadChunk, RefusesWhatIsNoChunk) {
  for (const char* text : {"", "[1]", "{\"choices\":", "{\"id\":3}", "<html>"}) {
    const auto part = read_chunk(text);
    ASSERT_FALSE(part.has_value()) << text;
    EXPECT_EQ(part.error().code, ErrorCode::kCorrupt);
  }
}

TEST(ReadAnswer, ReadsAWholeOne) {
  const auto part = read_answer(
      R"({"choices":[{"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],
          "usage":{"prompt_tokens":3,"completion_tokens":1}})");
  ASSERT_TRUE(part.has_value());
  EXPECT_TRUE(part->has_output);
  EXPECT_TRUE(part->finished);
  EXPECT_EQ(part->usage->completion_tokens, 1);
}

TEST(ErrorMessage, OfWhatServersSend) {
  EXPECT_EQ(error_message_of(R"({"error":{"message":"queue full","type":"x"}})"), "queue full");
  EXPECT_EQ(error_message_of(R"({"object":"error","message":"too long","code":400})"), "too long");
  EXPECT_EQ(error_message_of(R"({"detail":"Not Found"})"), "Not Found");
  EXPECT_EQ(error_message_of("Bad Gateway"), "Bad Gateway");
}

}  // namespace
}  // namespace hangar::bench
