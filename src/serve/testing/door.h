// Door: the routes without sockets: a request in, its answer whole or its events.
//
// Promise: ask() drives a PendingResponse to its end; JSON and server-sent events are parsed.
// Threads: one test.
#pragma once

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "serve/routes.h"
#include "serve/testing/test_server.h"

namespace hangar {

struct Answer {
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }

  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string text;                        // the whole body
  boost::json::value body;                 // without stream
  std::vector<boost::json::value> events;  // with it, without [DONE]
  bool done = false;                       // [DONE] came last
};

// A door without sockets.
struct Door {
  explicit Door(MockEngine::Options options, const GatewayOptions& limits = {}) : gateway(limits) {
    auto owned = std::make_unique<MockEngine>(std::move(options));
    engine = owned.get();
    gateway.add(make_mock_model(std::move(owned)));
  }

  static HttpRequest post(std::string target, std::string body) {
    HttpRequest request;
    request.method = "POST";
    request.target = std::move(target);
    request.body = std::move(body);
    return request;
  }
  Answer ask(std::string target, std::string body) {
    return ask(post(std::move(target), std::move(body)));
  }
  Answer ask(const HttpRequest& request) {
    HandlerResult result = handle_request(gateway, request);
    Answer answer;
    if (const auto* response = std::get_if<HttpResponse>(&result)) {
      answer.status = response->status;
      answer.headers = response->headers;
      answer.text = response->body;
    } else {
      auto& pending = std::get<std::unique_ptr<PendingResponse>>(result);
      for (bool ended = false; !ended;) {
        const auto part = pending->advance();
        if (!part) {
          std::this_thread::yield();
          continue;
        }
        if (part->head) answer.status = part->head->status;
        if (part->head) answer.headers = part->head->headers;
        if (part->head) answer.text += part->head->body;
        answer.text += part->bytes;
        ended = part->done;
      }
    }
    split(answer);
    return answer;
  }
  static void split(Answer& answer) {
    std::string_view rest = answer.text;
    if (!rest.starts_with("data: ")) {
      answer.body = boost::json::parse(rest);
      return;
    }
    while (!rest.empty()) {
      const std::size_t end = rest.find("\n\n");
      const std::string_view data = rest.substr(6, end - 6);
      answer.done = data == "[DONE]";
      if (!answer.done) answer.events.push_back(boost::json::parse(data));
      rest.remove_prefix(end + 2);
    }
  }
  Answer chat(const std::string& more) {
    return ask("/v1/chat/completions",
               R"({"model":"mock","messages":[{"role":"user","content":"hi"}])" + more + "}");
  }
  Answer complete(const std::string& more) {
    return ask("/v1/completions", R"({"model":"mock")" + more + "}");
  }

  Gateway gateway;
  MockEngine* engine;
};

inline MockEngine::Options says(std::string_view text) {
  return {.scripts = {MockEngine::bytes(text)}};
}

inline std::string at(const boost::json::value& value, std::string_view pointer) {
  return boost::json::serialize(value.at_pointer(pointer));
}

}  // namespace hangar
