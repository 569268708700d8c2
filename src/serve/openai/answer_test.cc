#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <limits>

#include "serve/openai/answer_format.h"
#include "serve/testing/door.h"

namespace hangar {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

TEST(ChatAnswerTest, WholeAnswerHasOpenAisShape) {
  Door door(says("hello"));
  const Answer answer = door.chat("");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(at(answer.body, "/object"), "\"chat.completion\"");
  EXPECT_THAT(at(answer.body, "/id"), ::testing::StartsWith("\"chatcmpl-"));
  EXPECT_EQ(at(answer.body, "/model"), "\"mock\"");
  EXPECT_THAT(at(answer.body, "/system_fingerprint"), ::testing::StartsWith("\"fp_"));
  EXPECT_GT(answer.body.at("created").as_int64(), 0);
  EXPECT_EQ(at(answer.body, "/choices"),
            R"([{"index":0,"message":{"role":"assistant","content":"hello","refusal":null},)"
            R"("logprobs":null,"finish_reason":"stop"}])");
  EXPECT_EQ(at(answer.body, "/usage"),
            R"({"prompt_tokens":20,"completion_tokens":5,"total_tokens":25,)"
            R"("prompt_tokens_details":{"cached_tokens":0},)"
            R"("completion_tokens_details":{"reasoning_tokens":0}})");
  // All that the context leaves, and OpenAI's sampling.
  EXPECT_EQ(door.engine->seen()[0].request.max_tokens, 4096 - 20);
}

TEST(ChatAnswerTest, StreamHasRoleTextFinishUsageAndDone) {
  Door door(says("hey"));
  const Answer answer =
      door.chat(R"(,"stream":true,"stream_options":{"include_usage":true},"logprobs":true)");
  ASSERT_TRUE(answer.done);
  ASSERT_GE(answer.events.size(), 4U);
  EXPECT_EQ(at(answer.events[0], "/choices"),
            R"([{"index":0,"delta":{"role":"assistant","content":"","refusal":null},)"
            R"("logprobs":null,"finish_reason":null}])");
  std::string text;
  std::size_t tokens = 0;
  for (std::size_t i = 0; i + 1 < answer.events.size(); ++i) {
    const json::value& event = answer.events[i];
    EXPECT_EQ(at(event, "/object"), "\"chat.completion.chunk\"");
    EXPECT_EQ(at(event, "/id"), at(answer.events[0], "/id"));
    EXPECT_EQ(at(event, "/usage"), "null");
    const json::object& choice = event.at_pointer("/choices/0").as_object();
    if (choice.at("delta").as_object().contains("content")) {
      text += choice.at("delta").at("content").as_string().c_str();
    }
    if (choice.at("logprobs").is_object()) {
      tokens += choice.at("logprobs").at("content").as_array().size();
    }
  }
  EXPECT_EQ(text, "hey");
  EXPECT_EQ(tokens, 3U);
  const json::value& finish = answer.events[answer.events.size() - 2];
  EXPECT_EQ(at(finish, "/choices"),
            R"([{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}])");
  EXPECT_EQ(at(answer.events.back(), "/choices"), "[]");
  EXPECT_EQ(at(answer.events.back(), "/usage/completion_tokens"), "3");
}

TEST(ChatAnswerTest, WithoutIncludeUsageNoEventSpeaksOfIt) {
  Door door(says("hey"));
  const Answer answer = door.chat(R"(,"stream":true)");
  EXPECT_THAT(answer.text, ::testing::Not(HasSubstr("usage")));
  EXPECT_TRUE(answer.done);
}

TEST(ChatAnswerTest, LogprobsCarryBytesOfBrokenCharacters) {
  Door door(says("\xC3\xA9"));
  const Answer answer = door.chat(R"(,"logprobs":true,"top_logprobs":2)");
  EXPECT_EQ(at(answer.body, "/choices/0/message/content"), "\"\xC3\xA9\"");
  EXPECT_EQ(at(answer.body, "/choices/0/logprobs/content/0"),
            R"({"token":"\\xc3","logprob":-5E-1,"bytes":[195],"top_logprobs":[)"
            R"({"token":"\\xc3","logprob":-5E-1,"bytes":[195]},)"
            R"({"token":"\\xc4","logprob":-1.5E0,"bytes":[196]}]})");
  EXPECT_EQ(at(answer.body, "/choices/0/logprobs/refusal"), "null");
}

TEST(ChatAnswerTest, ChoicesAndStopStringsAndUsage) {
  Door door({.scripts = {MockEngine::bytes("one|more"), MockEngine::bytes("2|more")}});
  const Answer answer = door.chat(R"(,"n":2,"stop":"|","seed":7)");
  EXPECT_EQ(at(answer.body, "/choices/0/message/content"), "\"one\"");
  EXPECT_EQ(at(answer.body, "/choices/1/message/content"), "\"2\"");
  EXPECT_EQ(at(answer.body, "/choices/1/index"), "1");
  EXPECT_EQ(at(answer.body, "/usage/prompt_tokens"), "20");
  EXPECT_EQ(at(answer.body, "/usage/completion_tokens"), "6");
  ASSERT_EQ(door.engine->seen().size(), 1U);
  EXPECT_EQ(door.engine->seen()[0].request.choices, 2);
  EXPECT_EQ(*door.engine->seen()[0].request.sampling.seed, 7U);
}

TEST(ChatAnswerTest, FieldsReachTheEngine) {
  Door door(says("hello"));
  const Answer answer = door.chat(
      R"(,"max_tokens":3,"temperature":0,"top_k":4,"min_p":0.25,"ignore_eos":true,"min_tokens":2,)"
      R"("logit_bias":{"65":5})");
  EXPECT_EQ(at(answer.body, "/choices/0/finish_reason"), "\"length\"");
  const Request request = door.engine->seen()[0].request;
  EXPECT_EQ(request.max_tokens, 3);
  EXPECT_EQ(request.min_tokens, 2);
  EXPECT_TRUE(request.ignore_eos);
  EXPECT_EQ(request.sampling.temperature, 0.0F);
  EXPECT_EQ(request.sampling.top_k, 4);
  EXPECT_EQ(request.sampling.min_p, 0.25F);
  EXPECT_EQ(request.sampling.logit_bias.at(0).first, 65);
  EXPECT_EQ(request.logprobs, -1);
}

TEST(ChatAnswerTest, TemplatesSeeTheRequestsVariables) {
  Door door({.scripts = {MockEngine::bytes("ok")}});
  const Answer answer = door.chat(
      R"(,"chat_template_kwargs":{"style":"terse"},"documents":[{"title":"a"},{"title":"b"}])"
      R"(,"add_generation_prompt":false)");
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(door.engine->seen().at(0).request.prompt,
            MockEngine::bytes("user: hi\nterse\n2 documents\n"));
}

TEST(ChatAnswerTest, WhatTheTemplateRaisesIsTheClientsToRead) {
  Gateway gateway;
  const std::vector<ChatTemplateSource> sources{
      {"default", "{{ raise_exception('Conversation roles must alternate!') }}"}};
  gateway.add(std::make_unique<ServedModel>("strict", std::make_unique<MockTokenizer>(),
                                            std::move(ChatTemplates::parse(sources).value()),
                                            std::make_unique<MockEngine>(MockEngine::Options{})));
  HttpRequest request;
  request.method = "POST";
  request.target = "/v1/chat/completions";
  request.body = R"({"model":"strict","messages":[{"role":"user","content":"hi"}]})";
  HandlerResult result = handle_request(gateway, request);
  const auto* response = std::get_if<HttpResponse>(&result);
  ASSERT_NE(response, nullptr);
  EXPECT_EQ(response->status, 400);
  EXPECT_THAT(response->body, HasSubstr("Conversation roles must alternate!"));
}

TEST(ChatAnswerTest, ModelsDefaultsApplyWhereTheRequestIsSilent) {
  auto owned =
      std::make_unique<MockEngine>(MockEngine::Options{.scripts = {MockEngine::bytes("ab")}});
  MockEngine* engine = owned.get();
  GenerationDefaults defaults;
  defaults.temperature = 0.25F;
  defaults.top_k = 7;
  defaults.end_of_generation = {'b'};
  Gateway gateway;
  gateway.add(make_mock_model(std::move(owned), "mock", true, defaults));
  HttpRequest request;
  request.method = "POST";
  request.target = "/v1/chat/completions";
  request.body =
      R"({"model":"mock","messages":[{"role":"user","content":"hi"}],"top_k":3,"max_tokens":1})";
  HandlerResult result = handle_request(gateway, request);
  ASSERT_TRUE(std::holds_alternative<std::unique_ptr<PendingResponse>>(result));
  const Request seen = engine->seen().at(0).request;
  EXPECT_EQ(seen.sampling.temperature, 0.25F);
  EXPECT_EQ(seen.sampling.top_k, 3);
  EXPECT_THAT(seen.stop_tokens, ::testing::Contains('b'));
}

TEST(AnswerTest, ErrorsThatNeedTheModel) {
  Door door({.scripts = {MockEngine::bytes("x")}, .context_tokens = 40});
  const auto expect = [](const Answer& answer, int status, std::string_view param,
                         std::string_view code) {
    EXPECT_EQ(answer.status, status) << answer.text;
    EXPECT_EQ(at(answer.body, "/error/param"), json::serialize(json::string(param)));
    EXPECT_EQ(at(answer.body, "/error/code"), json::serialize(json::string(code)));
    EXPECT_EQ(at(answer.body, "/error/type"), "\"invalid_request_error\"");
  };
  expect(door.ask("/v1/completions", R"({"model":"other","prompt":"x"})"), 404, "model",
         "model_not_found");
  expect(door.chat(R"(,"max_tokens":21)"), 400, "messages", "context_length_exceeded");
  expect(door.complete(R"(,"prompt":"0123456789012345678901234")"), 400, "prompt",
         "context_length_exceeded");
  expect(door.complete(R"(,"prompt":[5,1000])"), 400, "prompt[1]", "invalid_token_id");
  expect(door.complete(R"(,"prompt":"x","logit_bias":{"1000":1})"), 400, "logit_bias",
         "invalid_token_id");
  const Answer too_long = door.chat(R"(,"max_tokens":21)");
  EXPECT_THAT(too_long.text, HasSubstr("40 tokens"));
  EXPECT_THAT(too_long.text, HasSubstr("41 tokens"));
  EXPECT_EQ(door.chat(R"(,"max_tokens":20)").status, 200);
}

TEST(CompletionAnswerTest, ManyPromptsAndChoicesAreCountedThrough) {
  Door door({.scripts = {MockEngine::bytes("a"), MockEngine::bytes("b"), MockEngine::bytes("c"),
                         MockEngine::bytes("d")}});
  const Answer answer = door.complete(R"(,"prompt":["12","345"],"n":2)");
  EXPECT_EQ(at(answer.body, "/choices/3"),
            R"({"text":"d","index":3,"logprobs":null,"finish_reason":"stop"})");
  EXPECT_EQ(at(answer.body, "/usage/prompt_tokens"), "5");
  EXPECT_EQ(at(answer.body, "/usage/completion_tokens"), "4");
  EXPECT_EQ(at(answer.body, "/object"), "\"text_completion\"");
}

TEST(CompletionAnswerTest, LegacyLogprobsWithEcho) {
  Door door(says("d\xC3\xA9g"));
  const Answer answer = door.complete(R"(,"prompt":"ab","echo":true,"logprobs":1)");
  EXPECT_EQ(at(answer.body, "/choices/0/text"), "\"abd\xC3\xA9g\"");
  EXPECT_EQ(at(answer.body, "/choices/0/logprobs/tokens"),
            R"(["a","b","d","bytes:\\xc3","bytes:\\xa9","g"])");
  EXPECT_EQ(at(answer.body, "/choices/0/logprobs/token_logprobs"),
            "[null,-5E-1,-5E-1,-5E-1,-5E-1,-5E-1]");
  EXPECT_EQ(at(answer.body, "/choices/0/logprobs/top_logprobs/0"), "null");
  EXPECT_EQ(at(answer.body, "/choices/0/logprobs/top_logprobs/1"), R"({"b":-5E-1})");
  EXPECT_EQ(at(answer.body, "/choices/0/logprobs/text_offset"), "[0,1,2,3,4,4]");
}

TEST(CompletionAnswerTest, EchoOfThePromptAlone) {
  Door door(says("never"));
  const Answer answer = door.complete(R"(,"prompt":[97,98],"echo":true,"max_tokens":0)");
  EXPECT_EQ(at(answer.body, "/choices/0"),
            R"({"text":"ab","index":0,"logprobs":null,"finish_reason":"length"})");
  EXPECT_EQ(at(answer.body, "/usage/completion_tokens"), "0");
  const Answer scored = door.complete(R"(,"prompt":"ab","echo":true,"max_tokens":0,"logprobs":0)");
  EXPECT_EQ(at(scored.body, "/choices/0/logprobs/tokens"), R"(["a","b"])");
}

TEST(CompletionAnswerTest, AnEmptyPromptStartsADocument) {
  Door door(says("x"));
  EXPECT_EQ(at(door.complete(R"(,"echo":true)").body, "/choices/0/text"), "\"x\"");
  EXPECT_EQ(door.engine->seen()[0].request.prompt, std::vector<TokenId>{MockTokenizer::kBos});
}

TEST(CompletionAnswerTest, StreamedOffsetsGoOn) {
  Door door(says("abc"));
  const Answer answer = door.complete(R"(,"prompt":"x","stream":true,"logprobs":0)");
  std::vector<std::int64_t> offsets;
  std::string text;
  for (const json::value& event : answer.events) {
    text += event.at_pointer("/choices/0/text").as_string().c_str();
    for (const json::value& offset :
         event.at_pointer("/choices/0/logprobs/text_offset").as_array()) {
      offsets.push_back(offset.as_int64());
    }
  }
  EXPECT_EQ(text, "abc");
  EXPECT_THAT(offsets, ::testing::ElementsAre(0, 1, 2));
  EXPECT_EQ(at(answer.events.back(), "/choices/0/finish_reason"), "\"stop\"");
}

TEST(AnswerFormatTest, NoNumberIsEverInfinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(finite_logprob(-kInfinity), -9999.0);
  EXPECT_EQ(finite_logprob(std::nanf("")), -9999.0);
  EXPECT_EQ(finite_logprob(-0.1F), -0.1);
}

}  // namespace
}  // namespace hangar
