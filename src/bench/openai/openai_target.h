// OpenAiTarget: a load's requests as /v1/chat/completions or /v1/completions of a server.
//
// Promise: Target's. A request counts as done only if its answer came whole: status 200, a usage or
//   finish_reason, "[DONE]" at a stream's end, and output in it. Kinds of error: HttpClient's, and
//   "http NNN", "stream error" (the server said so within the stream), "cut stream", "bad answer",
//   "no output".
// Errors: in the records.
// Threads: Target's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "bench/http/client.h"
#include "bench/target.h"

namespace hangar::bench {

struct OpenAiOptions {
  std::string model;
  bool chat = true;
  bool stream = true;
  bool ignore_eos = true;  // sent only where true: OpenAI's own servers do not know it
  double temperature = 0;
};

boost::json::object request_body(const BenchPrompt& prompt, const OpenAiOptions& options);

class OpenAiTarget : public Target {
 public:
  OpenAiTarget(HttpClient& client, OpenAiOptions options)
      : client_(client), options_(std::move(options)) {}

  boost::asio::awaitable<void> run(const BenchRequest& request, RequestRecord& record) override;
  void stop() override { client_.stop(); }

 private:
  HttpClient& client_;
  OpenAiOptions options_;
};

}  // namespace hangar::bench
