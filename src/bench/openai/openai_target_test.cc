#include "bench/openai/openai_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "bench/load.h"
#include "bench/openai/probe.h"
#include "bench/testing/script_server.h"

namespace hangar::bench {
namespace {

using ::testing::HasSubstr;

// A chat stream of so many pieces, each a chunk of its own.
ScriptedAnswer stream_of(int pieces, bool whole = true) {
  ScriptedAnswer answer;
  answer.pieces.push_back(
      sse_answer_head() +
      chunked("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n"));
  for (int i = 0; i < pieces; ++i) {
    answer.pieces.push_back(chunked("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"));
  }
  if (whole) {
    answer.pieces.push_back(
        chunked("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n") +
        chunked("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":21,\"completion_tokens\":9,"
                "\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n") +
        chunked("data: [DONE]\n\n") + "0\r\n\r\n");
  } else {
    answer.close_after = true;
  }
  return answer;
}

// A load of so many requests, one after the other unless said otherwise.
std::vector<RequestRecord> run_on(const ScriptServer& server, std::int64_t requests,
                                  OpenAiOptions options = {}, LoadOptions load = {},
                                  std::int64_t timeout_us = 10'000'000) {
  boost::asio::io_context io;
  HttpClientOptions http;
  http.timeout_us = timeout_us;
  auto client = HttpClient::make(io, *ServerUrl::parse(server.url()), http);
  EXPECT_TRUE(client.has_value());
  options.model = "m";
  OpenAiTarget target(**client, options);
  BenchPrompt prompt;
  prompt.text = "Say x";
  prompt.max_tokens = 9;
  ListedPrompts prompts({prompt});
  load.requests = requests;
  return run_load(io, target, prompts, load, {}).records;
}

TEST(OpenAiTarget, SeesEveryPieceAndTheUsageOnOneKeptConnection) {
  const ScriptServer server([](const std::string&, int) { return stream_of(5); });
  const auto records = run_on(server, 3);
  ASSERT_EQ(records.size(), 3U);
  for (const RequestRecord& record : records) {
    EXPECT_EQ(record.outcome, Outcome::kDone) << record.error << ": " << record.error_detail;
    EXPECT_EQ(record.piece_us.size(), 5U);
    EXPECT_TRUE(std::is_sorted(record.piece_us.begin(), record.piece_us.end()));
    EXPECT_EQ(record.prompt_tokens, 21);
    EXPECT_EQ(record.cached_tokens, 4);
    EXPECT_EQ(record.output_tokens, 9);
    EXPECT_TRUE(record.counted_by_server);
    EXPECT_GE(record.end_us, record.piece_us.back());
  }
  EXPECT_EQ(server.connections(), 1);
  const std::string asked = server.requests().front();
  EXPECT_THAT(asked, HasSubstr("POST /v1/chat/completions {"));
  EXPECT_THAT(asked, HasSubstr("\"messages\":[{\"role\":\"user\",\"content\":\"Say x\"}]"));
  EXPECT_THAT(asked, HasSubstr("\"max_tokens\":9"));
  EXPECT_THAT(asked, HasSubstr("\"ignore_eos\":true"));
  EXPECT_THAT(asked, HasSubstr("\"stream_options\":{\"include_usage\":true}"));
}

TEST(OpenAiTarget, AsksForWholeAnswersFromTheCompletionsEndpoint) {
  const ScriptServer server([](const std::string&, int) {
    return ScriptedAnswer{
        {plain_answer(200,
                      "{\"choices\":[{\"text\":\"x\",\"finish_reason\":\"stop\"}],"
                      "\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":1}}")}};
  });
  OpenAiOptions options;
  options.chat = false;
  options.stream = false;
  options.ignore_eos = false;
  const auto records = run_on(server, 1, options);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].outcome, Outcome::kDone) << records[0].error_detail;
  EXPECT_EQ(records[0].output_tokens, 1);
  EXPECT_TRUE(records[0].piece_us.empty());
  const std::string asked = server.requests().front();
  EXPECT_THAT(asked, HasSubstr("POST /v1/completions {"));
  EXPECT_THAT(asked, HasSubstr("\"prompt\":\"Say x\""));
  EXPECT_THAT(asked, ::testing::Not(HasSubstr("ignore_eos")));
  EXPECT_THAT(asked, ::testing::Not(HasSubstr("\"stream\"")));
}

TEST(OpenAiTarget, AConnectionClosedWithoutAWordCostsNoRequest) {
  const ScriptServer server([](const std::string&, int) {
    ScriptedAnswer answer = stream_of(2);
    answer.close_after = true;
    return answer;
  });
  const auto records = run_on(server, 20);
  for (const RequestRecord& record : records) {
    EXPECT_EQ(record.outcome, Outcome::kDone) << record.error << ": " << record.error_detail;
  }
  EXPECT_EQ(server.connections(), 20);
  EXPECT_EQ(server.requests().size(), 20U) << "nothing was asked twice";
}

TEST(OpenAiTarget, NamesWhatWentWrong) {
  const std::vector<std::pair<ScriptedAnswer, std::string>> cases = {
      {{{plain_answer(429, "{\"error\":{\"message\":\"queue full\"}}")}}, "http 429"},
      {stream_of(3, false), "cut stream"},
      {{{sse_answer_head() + chunked("data: {\"error\":{\"message\":\"boom\"}}\n\n")}},
       "stream error"},
      {{{sse_answer_head() + chunked("data: nonsense\n\n")}}, "bad answer"},
      {{{sse_answer_head() + chunked("data: {\"choices\":[]}\n\n") + "0\r\n\r\n"}}, "cut stream"},
      {{{sse_answer_head() + chunked("data: [DONE]\n\n") + "0\r\n\r\n"}}, "no output"},
      {{{"hello\r\n\r\n"}}, "not http"},
      {{{"HTTP/1.1 200 OK\r\nContent-Le"}, true}, "closed"},
      {{{}}, "timeout"},
  };
  for (const auto& [scripted, error] : cases) {
    const ScriptServer server([&answer = scripted](const std::string&, int) { return answer; });
    const auto records = run_on(server, 1, {}, {}, 300'000);
    ASSERT_EQ(records.size(), 1U) << error;
    EXPECT_EQ(records[0].outcome, Outcome::kFailed) << error;
    EXPECT_EQ(records[0].error, error) << records[0].error_detail;
    EXPECT_FALSE(records[0].error_detail.empty()) << error;
  }
}

TEST(OpenAiTarget, AServerThatIsNotThereIsAnErrorOfItsOwn) {
  std::string url;
  {
    const ScriptServer gone([](const std::string&, int) { return ScriptedAnswer{}; });
    url = gone.url();
  }
  boost::asio::io_context io;
  auto client = HttpClient::make(io, *ServerUrl::parse(url), {});
  ASSERT_TRUE(client.has_value());
  ServerProbe probe(io, **client);
  const auto model = probe.first_model();
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(model.error().message, HasSubstr("connect"));
}

TEST(OpenAiTarget, GivesUpWithinTheOutputAndClosesTheConnection) {
  const ScriptServer server([](const std::string&, int) { return stream_of(9); });
  LoadOptions load;
  load.cancel_share = 1.0;
  const auto records = run_on(server, 4, {}, load);
  for (const RequestRecord& record : records) {
    EXPECT_EQ(record.outcome, Outcome::kCancelled) << record.error;
    EXPECT_LT(record.piece_us.size(), 9U);
  }
  EXPECT_EQ(server.connections(), 4);
}

TEST(OpenAiTarget, IsCutOffAtTheEndOfItsTime) {
  const ScriptServer server([](const std::string&, int) {
    ScriptedAnswer answer = stream_of(10'000, false);
    answer.pause_ms = 2;
    return answer;
  });
  LoadOptions load;
  load.concurrency = 3;
  load.duration_us = 600'000;
  const auto records = run_on(server, 0, {}, load);
  ASSERT_EQ(records.size(), 3U);
  for (const RequestRecord& record : records) {
    EXPECT_EQ(record.outcome, Outcome::kRunning) << record.error;
    EXPECT_GT(record.piece_us.size(), 0U);
    EXPECT_EQ(record.output_tokens, static_cast<std::int32_t>(record.piece_us.size()));
  }
}

TEST(ServerProbe, FindsModelTokenizerAndUsage) {
  const ScriptServer server([](const std::string& request, int) {
    if (request == "GET /v1/models") {
      return ScriptedAnswer{{plain_answer(200, "{\"data\":[{\"id\":\"first\"},{\"id\":\"b\"}]}")}};
    }
    // As llama.cpp: knows "content" only, and answers anything else with an empty list.
    if (request.starts_with("POST /tokenize")) {
      const bool knows = request.find("\"content\"") != std::string::npos;
      return ScriptedAnswer{
          {plain_answer(200, knows ? "{\"tokens\":[1,2,3]}" : "{\"tokens\":[]}")}};
    }
    return ScriptedAnswer{
        {plain_answer(200,
                      "{\"choices\":[{\"message\":{\"content\":\"x\"}}],"
                      "\"usage\":{\"prompt_tokens\":17,\"completion_tokens\":1}}")}};
  });
  boost::asio::io_context io;
  auto client = HttpClient::make(io, *ServerUrl::parse(server.url()), {});
  ServerProbe probe(io, **client);
  EXPECT_EQ(probe.first_model().value(), "first");
  EXPECT_EQ(probe.tokenize("first", "a b c").value(), 3);
  EXPECT_EQ(probe.tokenize("first", "a b c").value(), 3);
  OpenAiOptions options;
  options.model = "first";
  EXPECT_EQ(probe.prompt_usage(options, "a b c").value(), 17);
  const auto requests = server.requests();
  EXPECT_EQ(requests.size(), 5U) << "the form that is not known is not tried again";
  EXPECT_THAT(requests.back(), HasSubstr("\"max_tokens\":1"));
}

TEST(ServerProbe, AServerThatCannotTokenizeIsNoError) {
  const ScriptServer server([](const std::string&, int) {
    return ScriptedAnswer{{plain_answer(404, "{\"detail\":\"Not Found\"}")}};
  });
  boost::asio::io_context io;
  auto client = HttpClient::make(io, *ServerUrl::parse(server.url()), {});
  ServerProbe probe(io, **client);
  const auto count = probe.tokenize("m", "a");
  ASSERT_TRUE(count.has_value());
  EXPECT_FALSE(count->has_value());
  const auto usage = probe.prompt_usage({}, "a");
  ASSERT_FALSE(usage.has_value());
  EXPECT_THAT(usage.error().message, HasSubstr("404: Not Found"));
}

}  // namespace
}  // namespace hangar::bench
