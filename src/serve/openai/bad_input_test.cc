// What clients send wrong, at the door: a 4xx that says what is wrong, soon, and nothing begun.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <chrono>
#include <string>

#include "sched/testing/build_kind.h"
#include "serve/routes.h"
#include "serve/testing/test_server.h"

namespace hangar {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BadInputTest : public ::testing::Test {
 protected:
  BadInputTest() {
    auto engine = std::make_unique<MockEngine>(MockEngine::Options{.context_tokens = 1000});
    engine_ = engine.get();
    gateway_.add(make_mock_model(std::move(engine)));
  }

  HttpResponse ask(const std::string& path, const std::string& body) {
    HttpRequest request;
    request.method = "POST";
    request.target = path;
    request.body = body;
    HandlerResult result = handle_request(gateway_, request);
    if (const auto* response = std::get_if<HttpResponse>(&result)) return *response;
    HttpResponse begun;
    begun.status = 0;
    return begun;
  }
  json::object refused(const std::string& path, const std::string& body, int status = 400) {
    const auto begin = std::chrono::steady_clock::now();
    const HttpResponse response = ask(path, body);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(kFastBuild ? 2 : 30));
    EXPECT_EQ(response.status, status) << body.substr(0, 200);
    EXPECT_LT(response.body.size(), 4000U) << response.body.substr(0, 200);
    EXPECT_TRUE(engine_->seen().empty());
    if (response.body.empty()) return {};
    return json::parse(response.body).at("error").as_object();
  }
  json::object refused_chat(const std::string& fields) {
    return refused("/v1/chat/completions",
                   R"({"model":"mock","messages":[{"role":"user","content":"x"}])" + fields + "}");
  }

  Gateway gateway_;
  MockEngine* engine_ = nullptr;
};

TEST_F(BadInputTest, WhatIsNoJson) {
  for (const std::string& body :
       {std::string(), std::string("hello"), std::string("{"), std::string("{\"a\":1}x"),
        std::string(100'000, '['), std::string("{\"a\":") + std::string(100'000, '['),
        std::string("{\"model\":\"\xff\xfe\"}"), std::string("{\"model\":\"\xc3\"}"),
        std::string("{\"model\":\"\\ud800\"}"), std::string("{\"model\":\"a\nb\"}"),
        std::string("{\"temperature\":NaN}"), std::string("{\"temperature\":Infinity}"),
        std::string("{\"n\":01}"), std::string("{'n':1}"), std::string("\xEF\xBB\xBF{}")}) {
    const json::object error = refused("/v1/chat/completions", body);
    EXPECT_EQ(error.at("code"), "invalid_json") << body.substr(0, 60);
  }
  std::string deep;
  for (int i = 0; i < 20'000; ++i) deep += "{\"a\":";
  EXPECT_EQ(refused("/v1/completions", deep).at("code"), "invalid_json");
  EXPECT_EQ(refused("/v1/completions", "[1]").at("code"), "invalid_type");
  EXPECT_EQ(refused("/v1/completions", "null").at("code"), "invalid_type");
}

TEST_F(BadInputTest, NumbersOutOfTheirRanges) {
  EXPECT_EQ(refused_chat(R"(,"temperature":1e999)").at("param"), "temperature");
  EXPECT_EQ(refused_chat(R"(,"temperature":-1e999)").at("param"), "temperature");
  EXPECT_EQ(refused_chat(R"(,"top_p":1e308)").at("param"), "top_p");
  EXPECT_EQ(refused_chat(R"(,"max_tokens":1e5)").at("param"), "max_tokens");
  EXPECT_EQ(refused_chat(R"(,"max_tokens":99999999999999999999999)").at("param"), "max_tokens");
  EXPECT_EQ(refused_chat(R"(,"n":-9223372036854775808)").at("param"), "n");
  EXPECT_EQ(refused_chat(R"(,"logit_bias":{"1":1e999})").at("param"), "logit_bias.1");
}

TEST_F(BadInputTest, HugeBiases) {
  std::string biases;
  for (int i = 0; i < 200'000; ++i) biases += fmt::format("{}\"{}\":1", i == 0 ? "" : ",", i);
  const json::object error = refused_chat(R"(,"logit_bias":{)" + biases + "}");
  EXPECT_EQ(error.at("param"), "logit_bias");
  EXPECT_THAT(std::string(error.at("message").as_string()), HasSubstr("200000"));
  EXPECT_EQ(refused_chat(R"(,"logit_bias":{"259":1})").at("code"), "invalid_token_id");
  EXPECT_EQ(refused_chat(R"(,"logit_bias":{"99999999999999999999":1})").at("code"),
            "invalid_token_id");
}

// What comes back does not grow with what was sent.
TEST_F(BadInputTest, HugeNames) {
  const std::string huge(1'000'000, 'm');
  refused("/v1/completions", "{\"model\":\"" + huge + "\",\"prompt\":\"x\"}", 404);
  refused_chat(",\"" + huge + "\":1");
  refused_chat(R"(,"logit_bias":{")" + huge + "\":1}");
  refused_chat(R"(,"stream":true,"stream_options":{")" + huge + "\":1}");
  refused_chat(R"(,"user":")" + huge + "\"");
  refused("/v1/chat/completions",
          R"({"model":"mock","messages":[{"role":")" + huge + R"(","content":"x"}]})");
  refused("/" + huge, "{}", 404);
}

TEST_F(BadInputTest, HugePrompts) {
  const std::string huge(10'000'000, 'w');
  for (const json::object& error :
       {refused("/v1/completions", R"({"model":"mock","prompt":")" + huge + "\"}"),
        refused("/v1/chat/completions",
                R"({"model":"mock","messages":[{"role":"user","content":")" + huge + "\"}]}")}) {
    EXPECT_EQ(error.at("code"), "context_length_exceeded");
    EXPECT_THAT(std::string(error.at("message").as_string()),
                StartsWith("This model's maximum context length is 1000 tokens."));
  }
  std::string ids = "0";
  for (int i = 0; i < 100'000; ++i) ids += ",1";
  EXPECT_EQ(refused("/v1/completions", R"({"model":"mock","prompt":[)" + ids + "]}").at("code"),
            "context_length_exceeded");
  std::string prompts = "\"a\"";
  for (int i = 0; i < 100'000; ++i) prompts += ",\"a\"";
  EXPECT_EQ(refused("/v1/completions", R"({"model":"mock","prompt":[)" + prompts + "]}").at("code"),
            "array_above_max_length");
}

}  // namespace
}  // namespace hangar
