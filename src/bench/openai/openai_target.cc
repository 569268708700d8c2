#include "bench/openai/openai_target.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "bench/http/sse.h"
#include "bench/openai/answer.h"

namespace hangar::bench {
namespace {

constexpr std::size_t kMostKeptBytes = 64U << 20U;

// Reads one answer, whole or streamed, into the record.
class AnswerReading {
 public:
  AnswerReading(RequestRecord& record, std::optional<std::int32_t> give_up_after_pieces)
      : record_(record), give_up_after_(give_up_after_pieces) {}

  bool take(int status, std::string_view content_type, std::string_view bytes) {
    streamed_ = status == 200 && content_type.starts_with("text/event-stream");
    if (!streamed_) {
      body_ += bytes.substr(0, kMostKeptBytes - std::min(kMostKeptBytes, body_.size()));
      return true;
    }
    const std::int64_t time_us = steady_now_us();
    sse_.feed(bytes, [&](std::string_view data) { take_event(data, time_us); });
    return !given_up_ && error_.empty();
  }

  void finish(const Exchange& exchange) {
    record_.end_us = steady_now_us();
    record_.reconnected = exchange.reconnected;
    if (error_.empty() && !given_up_) judge(exchange);
    if (given_up_) {
      record_.outcome = Outcome::kCancelled;
    } else if (!error_.empty()) {
      record_.outcome = Outcome::kFailed;
      record_.error = std::move(error_);
      record_.error_detail = std::move(detail_);
    } else {
      record_.outcome = Outcome::kDone;
    }
  }

 private:
  void fail(std::string error, std::string detail) {
    error_ = std::move(error);
    detail_ = std::move(detail);
  }

  void take_event(std::string_view data, std::int64_t time_us) {
    if (given_up_ || !error_.empty() || ended_) return;
    if (data == "[DONE]") {
      ended_ = true;
      return;
    }
    auto part = read_chunk(data);
    if (!part) return fail("bad answer", part.error().message);
    if (part->error) return fail("stream error", *part->error);
    if (part->has_output) {
      if (give_up_after_ && static_cast<std::int32_t>(record_.piece_us.size()) >= *give_up_after_) {
        given_up_ = true;
        return;
      }
      record_.piece_us.push_back(time_us);
      // Until there is a usage: what is cut off or given up has none.
      if (!record_.counted_by_server) ++record_.output_tokens;
    }
    take_usage(*part);
  }

  void take_usage(const AnswerPart& part) {
    finished_ = finished_ || part.finished;
    has_output_ = has_output_ || part.has_output;
    if (!part.usage) return;
    record_.counted_by_server = true;
    record_.prompt_tokens = part.usage->prompt_tokens;
    record_.cached_tokens = part.usage->cached_tokens;
    record_.output_tokens = part.usage->completion_tokens;
  }

  // The answer has come, as far as it did: was it a whole one?
  void judge(const Exchange& exchange) {
    if (!exchange.error.empty()) {
      const bool cut = exchange.error == "closed" && !record_.piece_us.empty();
      return fail(cut ? "cut stream" : exchange.error, exchange.detail);
    }
    if (exchange.status != 200) {
      return fail(fmt::format("http {}", exchange.status), error_message_of(body_));
    }
    if (!streamed_) {
      const auto part = read_answer(body_);
      if (!part) return fail("bad answer", part.error().message);
      if (part->error) return fail("bad answer", *part->error);
      take_usage(*part);
    } else if (!ended_) {
      return fail("cut stream", "the stream ended without [DONE]");
    }
    if (!has_output_ && record_.output_tokens == 0) {
      return fail("no output", finished_ ? "finished without a token" : "no choice finished");
    }
  }

  RequestRecord& record_;
  std::optional<std::int32_t> give_up_after_;
  SseParser sse_;
  std::string body_;
  std::string error_, detail_;
  bool streamed_ = false, ended_ = false, finished_ = false, has_output_ = false;
  bool given_up_ = false;
};

}  // namespace

boost::json::object request_body(const BenchPrompt& prompt, const OpenAiOptions& options) {
  boost::json::object body;
  body["model"] = options.model;
  if (!options.chat) {
    body["prompt"] = prompt.text;
  } else if (prompt.messages) {
    body["messages"] = *prompt.messages;
  } else {
    body["messages"] =
        boost::json::array{boost::json::object{{"role", "user"}, {"content", prompt.text}}};
  }
  body["max_tokens"] = prompt.max_tokens;
  body["temperature"] = options.temperature;
  if (options.ignore_eos) body["ignore_eos"] = true;
  if (options.stream) {
    body["stream"] = true;
    body["stream_options"] = boost::json::object{{"include_usage", true}};
  }
  return body;
}

boost::asio::awaitable<void> OpenAiTarget::run(const BenchRequest& request, RequestRecord& record) {
  AnswerReading reading(record, request.give_up_after_pieces);
  HttpAsk ask;
  ask.target = client_.url().api_path(options_.chat ? "/chat/completions" : "/completions");
  ask.body = write_json(request_body(request.prompt, options_));
  HttpBodySink sink = [&reading](int status, std::string_view content_type,
                                 std::string_view bytes) {
    return reading.take(status, content_type, bytes);
  };
  const Exchange exchange = co_await client_.exchange(std::move(ask), std::move(sink));
  reading.finish(exchange);
}

}  // namespace hangar::bench
