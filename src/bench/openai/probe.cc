#include "bench/openai/probe.h"

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <utility>

#include "base/json.h"
#include "bench/openai/answer.h"

namespace hangar::bench {

Result<ServerProbe::Answer> ServerProbe::ask(HttpAsk ask) {
  Answer answer;
  Exchange exchange;
  HttpBodySink sink = [&answer](int, std::string_view, std::string_view bytes) {
    answer.body += bytes;
    return true;
  };
  boost::asio::co_spawn(io_, client_.exchange(std::move(ask), std::move(sink)),
                        [&exchange](const std::exception_ptr& failure, Exchange done) {
                          if (failure) std::rethrow_exception(failure);
                          exchange = std::move(done);
                        });
  io_.restart();
  io_.run();
  if (!exchange.error.empty()) {
    return make_error(ErrorCode::kUnavailable, "no answer from {}: {} ({})", client_.url().text(),
                      exchange.error, exchange.detail);
  }
  answer.status = exchange.status;
  return answer;
}

Result<std::string> ServerProbe::first_model() {
  HttpAsk models;
  models.method = "GET";
  models.target = client_.url().api_path("/models");
  HANGAR_TRY(const Answer answer, ask(std::move(models)));
  if (answer.status != 200) {
    return make_error(ErrorCode::kNotFound, "{}{} answers {}: {}", client_.url().text(),
                      "/v1/models", answer.status, error_message_of(answer.body));
  }
  if (const auto value = parse_json(answer.body, "/v1/models")) {
    boost::system::error_code error;
    const boost::json::value* id = value->find_pointer("/data/0/id", error);
    if (id != nullptr && id->is_string()) return std::string(id->get_string());
  }
  return make_error(ErrorCode::kNotFound, "{}/v1/models names no model", client_.url().text());
}

// nullopt where the server does not answer with a list of tokens.
Result<std::optional<std::int64_t>> ServerProbe::count_tokens(const boost::json::object& body) {
  HttpAsk tokenize;
  tokenize.target = client_.url().root_path("/tokenize");
  tokenize.body = write_json(body);
  HANGAR_TRY(const Answer answer, ask(std::move(tokenize)));
  if (answer.status != 200) return std::nullopt;
  const auto value = parse_json(answer.body, "/tokenize");
  if (!value || !value->is_object()) return std::nullopt;
  const boost::json::value* tokens = value->get_object().if_contains("tokens");
  if (tokens == nullptr || !tokens->is_array() || tokens->get_array().empty()) return std::nullopt;
  return static_cast<std::int64_t>(tokens->get_array().size());
}

Result<std::optional<std::int64_t>> ServerProbe::tokenize(const std::string& model,
                                                          const std::string& text) {
  if (tokenizing_ == Tokenizing::kUnknown || tokenizing_ == Tokenizing::kPrompt) {
    HANGAR_TRY(const auto count, count_tokens({{"model", model}, {"prompt", text}}));
    if (count) {
      tokenizing_ = Tokenizing::kPrompt;
      return count;
    }
  }
  if (tokenizing_ == Tokenizing::kUnknown || tokenizing_ == Tokenizing::kContent) {
    HANGAR_TRY(const auto count, count_tokens({{"content", text}}));
    if (count) {
      tokenizing_ = Tokenizing::kContent;
      return count;
    }
  }
  tokenizing_ = Tokenizing::kNone;
  return std::nullopt;
}

Result<std::optional<std::int64_t>> ServerProbe::prompt_usage(OpenAiOptions options,
                                                              const std::string& text) {
  options.stream = false;
  BenchPrompt prompt;
  prompt.text = text;
  prompt.max_tokens = 1;
  HttpAsk request;
  request.target = client_.url().api_path(options.chat ? "/chat/completions" : "/completions");
  request.body = write_json(request_body(prompt, options));
  const std::string target = request.target;
  HANGAR_TRY(const Answer answer, ask(std::move(request)));
  if (answer.status != 200) {
    return make_error(ErrorCode::kUnavailable, "{}{} answers {}: {}", client_.url().text(), target,
                      answer.status, error_message_of(answer.body));
  }
  HANGAR_TRY(const AnswerPart part, read_answer(answer.body));
  if (!part.usage || part.usage->prompt_tokens == 0) return std::nullopt;
  return part.usage->prompt_tokens;
}

CalibrationSources ServerProbe::sources(const OpenAiOptions& options) {
  return {[this, model = options.model](const std::string& text) { return tokenize(model, text); },
          [this, options](const std::string& text) { return prompt_usage(options, text); }};
}

}  // namespace hangar::bench
