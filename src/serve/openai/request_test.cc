#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <string>

#include "serve/openai/chat_request.h"
#include "serve/openai/completion_request.h"
#include "serve/openai/json_body.h"

namespace hangar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ApiResult<boost::json::object> parse(std::string body, std::string type = "application/json") {
  HttpRequest request;
  request.content_type = std::move(type);
  request.body = std::move(body);
  return parse_json_body(request);
}

// `fields` is put behind a body that is right without it.
ApiResult<ChatRequest> chat(const std::string& fields) {
  const auto body =
      parse(R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + fields + "}");
  EXPECT_TRUE(body) << fields << ": " << body.error().message;
  return read_chat_request(*body);
}

ApiResult<CompletionRequest> completion(const std::string& fields) {
  const auto body = parse(R"({"model":"m","prompt":"hi")" + fields + "}");
  EXPECT_TRUE(body) << fields << ": " << body.error().message;
  return read_completion_request(*body);
}

struct Bad {
  const char* fields;
  const char* param;
  const char* code;
};

template <typename Read>
void expect_bad(const std::vector<Bad>& cases, Read read) {
  for (const Bad& bad : cases) {
    const auto request = read(bad.fields);
    ASSERT_FALSE(request) << bad.fields;
    EXPECT_EQ(request.error().status, 400) << bad.fields;
    EXPECT_EQ(request.error().param.value_or(""), bad.param) << bad.fields;
    EXPECT_EQ(request.error().code.value_or(""), bad.code) << bad.fields;
    EXPECT_THAT(request.error().message, HasSubstr(bad.param));
  }
}

const std::vector<Bad> kBadInBoth{
    {R"(,"model":5)", "model", "invalid_type"},
    {R"(,"model":null)", "model", "missing_required_parameter"},
    {R"(,"foo":1)", "foo", "unknown_parameter"},
    {R"(,"temperature":"hot")", "temperature", "invalid_type"},
    {R"(,"temperature":true)", "temperature", "invalid_type"},
    {R"(,"temperature":2.1)", "temperature", "decimal_above_max_value"},
    {R"(,"temperature":-0.1)", "temperature", "decimal_below_min_value"},
    {R"(,"top_p":0)", "top_p", "decimal_below_min_value"},
    {R"(,"top_p":1.5)", "top_p", "decimal_above_max_value"},
    {R"(,"presence_penalty":2.5)", "presence_penalty", "decimal_above_max_value"},
    {R"(,"frequency_penalty":-3)", "frequency_penalty", "decimal_below_min_value"},
    {R"(,"repetition_penalty":0)", "repetition_penalty", "decimal_below_min_value"},
    {R"(,"min_p":1.1)", "min_p", "decimal_above_max_value"},
    {R"(,"top_k":-2)", "top_k", "integer_below_min_value"},
    {R"(,"top_k":1.5)", "top_k", "invalid_type"},
    {R"(,"n":0)", "n", "integer_below_min_value"},
    {R"(,"n":129)", "n", "integer_above_max_value"},
    {R"(,"n":1.0)", "n", "invalid_type"},
    {R"(,"max_tokens":-1)", "max_tokens", "integer_below_min_value"},
    {R"(,"max_tokens":18446744073709551615)", "max_tokens", "integer_above_max_value"},
    {R"(,"seed":9223372036854775808)", "seed", "integer_above_max_value"},
    {R"(,"seed":"1")", "seed", "invalid_type"},
    {R"(,"stop":5)", "stop", "invalid_type"},
    {R"(,"stop":"")", "stop", "empty_string"},
    {R"(,"stop":["a",""])", "stop[1]", "empty_string"},
    {R"(,"stop":["a",1])", "stop[1]", "invalid_type"},
    {R"(,"stop":["1","2","3","4","5"])", "stop", "array_above_max_length"},
    {R"(,"stream":"yes")", "stream", "invalid_type"},
    {R"(,"stream_options":{"include_usage":true})", "stream_options", "invalid_value"},
    {R"(,"stream":true,"stream_options":{"x":1})", "stream_options.x", "unknown_parameter"},
    {R"(,"stream":true,"stream_options":{"include_usage":1})", "stream_options.include_usage",
     "invalid_type"},
    {R"(,"logit_bias":[])", "logit_bias", "invalid_type"},
    {R"(,"logit_bias":{"a":1})", "logit_bias", "invalid_token_id"},
    {R"(,"logit_bias":{"-1":1})", "logit_bias", "invalid_token_id"},
    {R"(,"logit_bias":{"7":101})", "logit_bias.7", "decimal_above_max_value"},
    {R"(,"logit_bias":{"7":"x"})", "logit_bias.7", "invalid_type"},
    {R"(,"min_tokens":-1)", "min_tokens", "integer_below_min_value"},
    {R"(,"min_tokens":9,"max_tokens":8)", "min_tokens", "invalid_value"},
    {R"(,"ignore_eos":1)", "ignore_eos", "invalid_type"},
    {R"(,"user":5)", "user", "invalid_type"},
    {R"(,"priority":1.5)", "priority", "invalid_type"},
    {R"(,"priority":-2147483648)", "priority", "integer_below_min_value"},
    {R"(,"timeout_s":0)", "timeout_s", "decimal_below_min_value"},
    {R"(,"timeout_s":"1")", "timeout_s", "invalid_type"},
    {R"(,"store":true)", "store", "unsupported_parameter"},
};

TEST(ChatRequestTest, RefusesByName) {
  expect_bad(kBadInBoth, chat);
  expect_bad(
      {
          {R"(,"messages":null)", "messages", "missing_required_parameter"},
          {R"(,"messages":"hi")", "messages", "invalid_type"},
          {R"(,"messages":[])", "messages", "empty_array"},
          {R"(,"messages":["hi"])", "messages[0]", "invalid_type"},
          {R"(,"messages":[{"content":"x"}])", "messages[0].role", "missing_required_parameter"},
          {R"(,"messages":[{"role":"king","content":"x"}])", "messages[0].role", "invalid_value"},
          {R"(,"messages":[{"role":"user"}])", "messages[0].content", "missing_required_parameter"},
          {R"(,"messages":[{"role":"user","content":"x"},{"role":"user","content":5}])",
           "messages[1].content", "invalid_type"},
          {R"(,"messages":[{"role":"user","content":[]}])", "messages[0].content", "empty_array"},
          {R"(,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}])",
           "messages[0].content[0]", "unsupported_parameter"},
          {R"(,"messages":[{"role":"user","content":[{"type":"text"}]}])",
           "messages[0].content[0].text", "missing_required_parameter"},
          {R"(,"messages":[{"role":"user","content":"x","foo":1}])", "messages[0].foo",
           "unknown_parameter"},
          {R"(,"messages":[{"role":"assistant","content":"x","tool_calls":[{}]}])",
           "messages[0].tool_calls", "unsupported_parameter"},
          {R"(,"messages":[{"role":"tool","content":"x"}])", "messages[0].tool_call_id",
           "missing_required_parameter"},
          {R"(,"max_tokens":0)", "max_tokens", "integer_below_min_value"},
          {R"(,"max_tokens":5,"max_completion_tokens":5)", "max_tokens", "invalid_value"},
          {R"(,"logprobs":1)", "logprobs", "invalid_type"},
          {R"(,"top_logprobs":1)", "top_logprobs", "invalid_value"},
          {R"(,"logprobs":true,"top_logprobs":21)", "top_logprobs", "integer_above_max_value"},
          {R"(,"tools":[{"type":"function"}])", "tools", "unsupported_parameter"},
          {R"(,"tool_choice":"required")", "tool_choice", "unsupported_parameter"},
          {R"(,"functions":[{}])", "functions", "unsupported_parameter"},
          {R"(,"response_format":{"type":"json_object"})", "response_format",
           "unsupported_parameter"},
          {R"(,"modalities":["text","audio"])", "modalities", "unsupported_parameter"},
          {R"(,"audio":{})", "audio", "unsupported_parameter"},
          {R"(,"prediction":{})", "prediction", "unsupported_parameter"},
          {R"(,"web_search_options":{})", "web_search_options", "unsupported_parameter"},
          {R"(,"reasoning_effort":"high")", "reasoning_effort", "unsupported_parameter"},
          {R"(,"verbosity":"low")", "verbosity", "unsupported_parameter"},
          {R"(,"service_tier":"priority")", "service_tier", "unsupported_parameter"},
          {R"(,"chat_template_kwargs":[])", "chat_template_kwargs", "invalid_type"},
          {R"(,"chat_template_kwargs":{"messages":[]})", "chat_template_kwargs.messages",
           "invalid_value"},
          {R"(,"documents":["x"])", "documents[0]", "invalid_type"},
          {R"(,"echo":true)", "echo", "unsupported_parameter"},
          {R"(,"metadata":{"a":1})", "metadata.a", "invalid_type"},
          {R"(,"prompt":"x")", "prompt", "unknown_parameter"},
      },
      chat);
}

TEST(ChatRequestTest, AcceptsWhatChangesNothing) {
  const char* const harmless[] = {
      R"(,"user":"me")",
      R"(,"metadata":{"a":"b"})",
      R"(,"store":false)",
      R"(,"service_tier":"auto")",
      R"(,"parallel_tool_calls":true)",
      R"(,"safety_identifier":"x")",
      R"(,"prompt_cache_key":"x")",
      R"(,"tools":[],"tool_choice":"none")",
      R"(,"response_format":{"type":"text"})",
      R"(,"modalities":["text"])",
      R"(,"reasoning_effort":null,"temperature":null,"stop":null,"n":null,"tools":null)",
      R"(,"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false})",
  };
  for (const char* fields : harmless) {
    const auto request = chat(fields);
    EXPECT_TRUE(request) << fields << ": " << request.error().message;
  }
}

TEST(ChatRequestTest, DefaultsAreOpenAis) {
  const auto request = chat("");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->common.sampling.temperature, 1.0F);
  EXPECT_EQ(request->common.sampling.top_p, 1.0F);
  EXPECT_EQ(request->common.sampling.top_k, 0);
  EXPECT_EQ(request->common.sampling.min_p, 0.0F);
  EXPECT_EQ(request->common.sampling.repetition_penalty, 1.0F);
  EXPECT_FALSE(request->common.sampling.seed);
  EXPECT_EQ(request->common.choices, 1);
  EXPECT_FALSE(request->common.stream);
  EXPECT_FALSE(request->max_tokens);
  EXPECT_EQ(request->logprobs, -1);
}

TEST(ChatRequestTest, EveryFieldArrives) {
  const auto request = chat(
      R"(,"temperature":0,"top_p":0.5,"top_k":40,"min_p":0.1,"seed":-1,"presence_penalty":1,)"
      R"("frequency_penalty":-1,"repetition_penalty":1.5,"n":3,"stop":["a","b"],"stream":true,)"
      R"("stream_options":{"include_usage":true},"logit_bias":{"5":-100,"6":0.5},"ignore_eos":true,)"
      R"("min_tokens":2,"max_completion_tokens":7,"logprobs":true,"top_logprobs":4,"user":"me",)"
      R"("priority":-3,"timeout_s":1.5)");
  ASSERT_TRUE(request) << request.error().message;
  const GenerationFields& fields = request->common;
  EXPECT_EQ(fields.model, "m");
  EXPECT_EQ(fields.sampling.temperature, 0.0F);
  EXPECT_EQ(fields.sampling.top_p, 0.5F);
  EXPECT_EQ(fields.sampling.top_k, 40);
  EXPECT_EQ(fields.sampling.min_p, 0.1F);
  EXPECT_EQ(*fields.sampling.seed, ~std::uint64_t{0});
  EXPECT_EQ(fields.sampling.presence_penalty, 1.0F);
  EXPECT_EQ(fields.sampling.frequency_penalty, -1.0F);
  EXPECT_EQ(fields.sampling.repetition_penalty, 1.5F);
  EXPECT_EQ(fields.choices, 3);
  EXPECT_THAT(fields.stop, ElementsAre("a", "b"));
  EXPECT_TRUE(fields.stream);
  EXPECT_TRUE(fields.include_usage);
  EXPECT_THAT(fields.sampling.logit_bias,
              ElementsAre(::testing::Pair(5, -100.0F), ::testing::Pair(6, 0.5F)));
  EXPECT_TRUE(fields.ignore_eos);
  EXPECT_EQ(fields.min_tokens, 2);
  EXPECT_EQ(request->max_tokens, 7);
  EXPECT_EQ(request->logprobs, 4);
  EXPECT_EQ(fields.tenant, "me");
  EXPECT_EQ(fields.priority, 3);  // the engine's higher is the client's lower
  EXPECT_EQ(fields.timeout_s, 1.5);
}

TEST(ChatRequestTest, MessagesBecomeWhatTemplatesSee) {
  const auto request = chat(
      R"(,"messages":[{"role":"developer","content":"d"},{"role":"user","name":"bob","content":)"
      R"([{"type":"text","text":"a"},{"type":"text","text":"b"}]},)"
      R"({"role":"tool","content":"t","tool_call_id":"7"}])");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(boost::json::serialize(request->messages),
            R"([{"role":"system","content":"d"},{"role":"user","content":"a\nb","name":"bob"},)"
            R"({"role":"tool","content":"t","tool_call_id":"7"}])");
}

TEST(CompletionRequestTest, RefusesByName) {
  expect_bad(kBadInBoth, completion);
  expect_bad(
      {
          {R"(,"prompt":5)", "prompt", "invalid_type"},
          {R"(,"prompt":[])", "prompt", "empty_array"},
          {R"(,"prompt":["a",1])", "prompt[1]", "invalid_type"},
          {R"(,"prompt":[1,"a"])", "prompt[1]", "invalid_type"},
          {R"(,"prompt":[1.5])", "prompt[0]", "invalid_type"},
          {R"(,"prompt":[[1],[-2]])", "prompt[1][0]", "invalid_token_id"},
          {R"(,"prompt":[{}])", "prompt[0]", "invalid_type"},
          {R"(,"logprobs":6)", "logprobs", "integer_above_max_value"},
          {R"(,"logprobs":true)", "logprobs", "invalid_type"},
          {R"(,"echo":"yes")", "echo", "invalid_type"},
          {R"(,"n":3,"best_of":2)", "best_of", "invalid_value"},
          {R"(,"best_of":129)", "best_of", "integer_above_max_value"},
          {R"(,"best_of":2,"stream":true)", "best_of", "invalid_value"},
          {R"(,"suffix":"x")", "suffix", "unsupported_parameter"},
          {R"(,"messages":[])", "messages", "unknown_parameter"},
          {R"(,"max_completion_tokens":5)", "max_completion_tokens", "unknown_parameter"},
      },
      completion);
}

TEST(CompletionRequestTest, BestOfIsAtLeastN) {
  EXPECT_EQ(completion(R"(,"n":3)")->best_of, 3);
  EXPECT_EQ(completion(R"(,"n":2,"best_of":5)")->best_of, 5);
  EXPECT_TRUE(completion(R"(,"n":2,"best_of":2,"stream":true)"));
  const std::string long_user(513, 'u');
  const auto refused = completion(R"(,"user":")" + long_user + "\"");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().param, "user");
}

TEST(CompletionRequestTest, PromptsComeInFourShapes) {
  const auto count = [](const char* prompt) {
    const auto request = completion(std::string(R"(,"prompt":)") + prompt);
    EXPECT_TRUE(request) << prompt;
    return request->prompts.size();
  };
  EXPECT_EQ(count(R"("a")"), 1U);
  EXPECT_EQ(count(R"(["a","b"])"), 2U);
  EXPECT_EQ(count("[1,2,3]"), 1U);
  EXPECT_EQ(count("[[1],[2,3]]"), 2U);
  EXPECT_EQ(count("null"), 1U);
  const auto request = completion(R"(,"prompt":[[1],[2,3]],"n":2,"best_of":2,"suffix":null)");
  ASSERT_TRUE(request);
  EXPECT_THAT(std::get<1>(request->prompts[1]), ElementsAre(2, 3));
  EXPECT_EQ(request->max_tokens, 16);
  EXPECT_EQ(request->logprobs, -1);
}

TEST(JsonBodyTest, SaysWhereItIsWrong) {
  const auto bad = parse("{\n  \"a\": 1,\n  \"b\": x}");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr("line 3, column 8"));
  EXPECT_EQ(bad.error().code, "invalid_json");
  for (const std::string& body :
       {std::string(""), std::string("{"), std::string("{} x"), std::string("{\"a\":\"\xff\"}"),
        std::string("{'a':1}"), std::string("{\"a\":NaN}"), std::string("[1,]"),
        std::string(100, '[')}) {
    const auto result = parse(body);
    ASSERT_FALSE(result) << body;
    EXPECT_EQ(result.error().status, 400);
  }
  EXPECT_FALSE(parse("[1]"));
  EXPECT_EQ(parse(R"({"a":1,"a":2})")->at("a").as_int64(), 2);
}

TEST(JsonBodyTest, KnowsItsContentType) {
  EXPECT_TRUE(parse("{}", ""));
  EXPECT_TRUE(parse("{}", "Application/JSON; charset=utf-8"));
  EXPECT_TRUE(parse("{}", "application/problem+json"));
  EXPECT_EQ(parse("{}", "text/plain").error().status, 415);
}

}  // namespace
}  // namespace hangar
