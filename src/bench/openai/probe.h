// ServerProbe: what a server says of itself before the load begins.
//
// Promise: blocking calls over the client: the model that is served, texts tokenized where the
// server
//   can (vLLM's and Hangar's /tokenize, llama.cpp's), and what a request's prompt is counted as.
// Errors: kUnavailable (no connection), kNotFound (no model), with the address and the server's
//   words. A server that cannot tokenize is no error: nullopt.
// Threads: as HttpClient; runs its io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "bench/calibration.h"
#include "bench/http/client.h"
#include "bench/openai/openai_target.h"

namespace hangar::bench {

class ServerProbe {
 public:
  ServerProbe(boost::asio::io_context& io, HttpClient& client) : io_(io), client_(client) {}

  // The first of /v1/models.
  Result<std::string> first_model();
  Result<std::optional<std::int64_t>> tokenize(const std::string& model, const std::string& text);
  // Asks for one token, not streamed.
  Result<std::optional<std::int64_t>> prompt_usage(OpenAiOptions options, const std::string& text);
  CalibrationSources sources(const OpenAiOptions& options);

 private:
  struct Answer {
    int status = 0;
    std::string body;
  };
  enum class Tokenizing : std::uint8_t { kUnknown, kPrompt, kContent, kNone };

  Result<Answer> ask(HttpAsk ask);
  Result<std::optional<std::int64_t>> count_tokens(const boost::json::object& body);

  boost::asio::io_context& io_;
  HttpClient& client_;
  Tokenizing tokenizing_ = Tokenizing::kUnknown;
};

}  // namespace hangar::bench
