#include "serve/openai/tokenize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "serve/routes.h"
#include "serve/testing/test_server.h"

namespace hangar {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

class TokenizeTest : public ::testing::Test {
 protected:
  TokenizeTest() {
    gateway_.add(
        make_mock_model(std::make_unique<MockEngine>(MockEngine::Options{.context_tokens = 321})));
  }

  HttpResponse ask(const std::string& path, const std::string& body) {
    HttpRequest request;
    request.method = "POST";
    request.target = path;
    request.body = body;
    HandlerResult result = handle_request(gateway_, request);
    return std::get<HttpResponse>(std::move(result));
  }
  json::value answer(const std::string& path, const std::string& body) {
    const HttpResponse response = ask(path, body);
    EXPECT_EQ(response.status, 200) << response.body;
    return json::parse(response.body);
  }
  void refuses(const std::string& path, const std::string& body, const std::string& param) {
    const HttpResponse response = ask(path, body);
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_THAT(response.body, HasSubstr("\"param\":\"" + param + "\"")) << body;
  }

  Gateway gateway_;
};

TEST_F(TokenizeTest, TextBecomesIds) {
  EXPECT_EQ(
      answer("/tokenize", R"({"model":"mock","prompt":"hi<s>"})"),
      json::parse(R"({"count":3,"max_model_len":321,"tokens":[104,105,256],"token_strs":null})"));
  EXPECT_EQ(answer("/tokenize", R"({"prompt":"h\u00e9","return_token_strs":true})"),
            json::parse(R"({"count":3,"max_model_len":321,"tokens":[104,195,169],
                            "token_strs":["h","\ufffd","\ufffd"]})"));
  EXPECT_EQ(answer("/tokenize", R"({"prompt":"","add_special_tokens":true})").at("count"), 0);
}

TEST_F(TokenizeTest, SpecialTokensAreAddedWhereAskedFor) {
  Gateway gateway;
  gateway.add(std::make_unique<ServedModel>("bos", std::make_unique<MockTokenizer>(true),
                                            ChatTemplates(),
                                            std::make_unique<MockEngine>(MockEngine::Options{})));
  HttpRequest request;
  request.body = R"({"prompt":"a"})";
  const auto count = [&] {
    return json::parse(std::get<HttpResponse>(tokenize(gateway, request, "")).body).at("count");
  };
  EXPECT_EQ(count(), 2);
  request.body = R"({"prompt":"a","add_special_tokens":false})";
  EXPECT_EQ(count(), 1);
}

TEST_F(TokenizeTest, MessagesAreWhatChatComputes) {
  const auto text = [&](const std::string& more) {
    const json::value found =
        answer("/tokenize", R"({"messages":[{"role":"user","content":"yo"}])" + more + "}");
    const std::string body =
        json::serialize(json::object{{"model", "mock"}, {"tokens", found.at("tokens")}});
    return std::string(answer("/detokenize", body).at("prompt").as_string());
  };
  EXPECT_EQ(text(""), "user: yo\nassistant: ");
  EXPECT_EQ(text(R"(,"add_generation_prompt":false)"), "user: yo\n");
  EXPECT_EQ(text(R"(,"chat_template_kwargs":{"style":"plain"})"), "user: yo\nplain\nassistant: ");
}

TEST_F(TokenizeTest, IdsBecomeText) {
  EXPECT_EQ(answer("/detokenize", R"({"tokens":[104,105,256,10]})"),
            json::parse(R"({"prompt":"hi<s>\n"})"));
  EXPECT_EQ(answer("/detokenize", R"({"tokens":[]})"), json::parse(R"({"prompt":""})"));
  EXPECT_EQ(answer("/detokenize", R"({"tokens":[195]})"), json::parse(R"({"prompt":"\ufffd"})"));
}

TEST_F(TokenizeTest, WhatIsWrongIsNamed) {
  refuses("/tokenize", R"({})", "prompt");
  refuses("/tokenize", R"({"prompt":["a"]})", "prompt");
  refuses("/tokenize", R"({"prompt":"a","messages":[{"role":"user","content":"b"}]})", "prompt");
  refuses("/tokenize", R"({"messages":[{"role":"user"}]})", "messages[0].content");
  refuses("/tokenize", R"({"prompt":"a","add_generation_prompt":true})", "add_generation_prompt");
  refuses("/tokenize", R"({"prompt":"a","chat_template_kwargs":{"a":1}})", "chat_template_kwargs");
  refuses("/tokenize", R"({"prompt":"a","return_token_strs":1})", "return_token_strs");
  refuses("/tokenize", R"({"prompt":"a","chat_template":"x"})", "chat_template");
  refuses("/tokenize", R"({"prompt":"a","other":1})", "other");
  refuses("/detokenize", R"({})", "tokens");
  refuses("/detokenize", R"({"tokens":[1.5]})", "tokens[0]");
  refuses("/detokenize", R"({"tokens":[1,-1]})", "tokens[1]");
  refuses("/detokenize", R"({"tokens":[259]})", "tokens[0]");
  refuses("/detokenize", R"({"tokens":[1],"prompt":"a"})", "prompt");
  EXPECT_EQ(ask("/tokenize", R"({"model":"other","prompt":"a"})").status, 404);
}

TEST_F(TokenizeTest, TwoModelsMustBeNamed) {
  gateway_.add(make_mock_model(std::make_unique<MockEngine>(MockEngine::Options{}), "second"));
  refuses("/tokenize", R"({"prompt":"a"})", "model");
  EXPECT_EQ(answer("/tokenize", R"({"model":"second","prompt":"a"})").at("max_model_len"), 4096);
}

}  // namespace
}  // namespace hangar
