#include "serve/openai/generation.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <xxhash.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <ctime>
#include <utility>

#include "serve/served_model.h"

namespace hangar {

namespace json = boost::json;

namespace {

// So much in one write at most; what is left follows in the next.
constexpr std::size_t kMaxEventBytes = 256U << 10U;

std::string random_id(std::string_view prefix) {
  std::array<unsigned char, 16> random{};
  if (getrandom(random.data(), random.size(), 0) < 0) random.fill(0);
  std::string id(prefix);
  for (const unsigned char byte : random) id += fmt::format("{:02x}", byte);
  return id;
}

void append_data(std::string& events, const std::string& data) {
  events += "data: ";
  events += data;
  events += "\n\n";
}

ApiError failure_of(const OutputPiece& end) {
  Error error;
  switch (*end.finish) {
    case FinishReason::kExpired:
      error = {ErrorCode::kDeadlineExceeded, "the request ran out of time"};
      break;
    case FinishReason::kCancelled:
      error = {ErrorCode::kCancelled, "the request was cancelled"};
      break;
    default:
      error = {ErrorCode::kInternal, "the model failed on this request"};
  }
  if (!end.error.empty()) error.message += ": " + end.error;
  return api_error_of(error);
}

}  // namespace

std::string system_fingerprint(ServedModel& model) {
  const EngineInfo& info = model.engine().info();
  const std::string text =
      fmt::format("{}|{}|{}|{}", model.id(), info.model, info.backend, info.weight_bytes);
  return fmt::format("fp_{:016x}", XXH64(text.data(), text.size(), 0));
}

Generation::Generation(GenerationOptions options, std::unique_ptr<AnswerFormat> format,
                       std::vector<std::unique_ptr<OutputStream>> streams)
    : options_(std::move(options)),
      format_(std::move(format)),
      streams_(std::move(streams)),
      choices_(streams_.size() * static_cast<std::size_t>(options_.choices_per_prompt)),
      id_(random_id(format_->id_prefix())),
      created_unix_s_(static_cast<std::int64_t>(std::time(nullptr))),
      open_(streams_.size()) {}

json::object Generation::envelope() const {
  json::object object;
  object["id"] = id_;
  object["object"] = format_->object_name(options_.stream);
  object["created"] = created_unix_s_;
  object["model"] = options_.model;
  object["system_fingerprint"] = options_.fingerprint;
  return object;
}

json::object Generation::usage_object() const {
  json::object prompt_details;
  prompt_details["cached_tokens"] = usage_.cached_tokens;
  json::object completion_details;
  completion_details["reasoning_tokens"] = 0;
  json::object usage;
  usage["prompt_tokens"] = usage_.prompt_tokens;
  usage["completion_tokens"] = usage_.completion_tokens;
  usage["total_tokens"] = usage_.prompt_tokens + usage_.completion_tokens;
  usage["prompt_tokens_details"] = std::move(prompt_details);
  usage["completion_tokens_details"] = std::move(completion_details);
  return usage;
}

void Generation::append_event(std::string& events, json::object choice) const {
  json::object object = envelope();
  json::array choices;
  choices.push_back(std::move(choice));
  object["choices"] = std::move(choices);
  if (options_.include_usage) object["usage"] = nullptr;
  append_data(events, json::serialize(object));
}

void Generation::take_end(std::size_t stream, const OutputPiece& piece) {
  usage_.prompt_tokens += piece.usage.prompt_tokens;
  usage_.cached_tokens += piece.usage.cached_tokens;
  usage_.completion_tokens += piece.usage.completion_tokens;
  streams_[stream].reset();
  --open_;
  if (piece.finish && !error_) {
    error_ = failure_of(piece);
    spdlog::warn("{}: {}", id_, error_->message);
  }
}

void Generation::take(std::size_t stream, OutputPiece piece, std::string& events) {
  const auto index = static_cast<std::int32_t>(stream) * options_.choices_per_prompt + piece.choice;
  Choice& choice = choices_[static_cast<std::size_t>(index)];
  if (options_.stream) {
    format_->chunks(index, !choice.begun, piece,
                    [&](json::object chunk) { append_event(events, std::move(chunk)); });
    choice.begun = true;
    return;
  }
  choice.text += piece.text;
  choice.tokens.insert(choice.tokens.end(), std::make_move_iterator(piece.tokens.begin()),
                       std::make_move_iterator(piece.tokens.end()));
  if (piece.finish) choice.finish = *piece.finish;
}

ResponsePart Generation::whole_answer() {
  json::object object = envelope();
  json::array choices;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    Choice& choice = choices_[i];
    choices.push_back(
        format_->choice(static_cast<std::int32_t>(i), choice.text, choice.tokens, choice.finish));
  }
  object["choices"] = std::move(choices);
  object["usage"] = usage_object();
  ResponsePart part;
  part.head.emplace();
  part.head->body = json::serialize(object);
  part.done = true;
  return part;
}

ResponsePart Generation::failed_answer() {
  ResponsePart part;
  part.done = true;
  if (!head_sent_) {
    part.head = error_response(*error_);
    return part;
  }
  append_data(part.bytes, json::serialize(error_body(*error_)));
  part.close = true;
  return part;
}

std::optional<ResponsePart> Generation::advance() {
  ResponsePart part;
  bool more = false;
  for (std::size_t i = 0; i < streams_.size() && !error_ && !more; ++i) {
    while (streams_[i] && !error_) {
      more = part.bytes.size() > kMaxEventBytes;
      if (more) break;
      std::optional<OutputPiece> piece = streams_[i]->next(0);
      if (!piece) break;
      if (piece->end) {
        take_end(i, *piece);
      } else {
        take(i, std::move(*piece), part.bytes);
      }
    }
  }
  if (error_) {
    ResponsePart failed = failed_answer();
    failed.bytes.insert(0, head_sent_ ? part.bytes : std::string());
    return failed;
  }
  const bool ended = open_ == 0;
  if (!options_.stream) return ended ? std::optional(whole_answer()) : std::nullopt;
  if (part.bytes.empty() && !ended) return std::nullopt;
  if (ended) {
    if (options_.include_usage) {
      json::object object = envelope();
      object["choices"] = json::array();
      object["usage"] = usage_object();
      append_data(part.bytes, json::serialize(object));
    }
    append_data(part.bytes, "[DONE]");
    part.done = true;
  }
  if (!head_sent_) {
    head_sent_ = true;
    part.head.emplace();
    part.head->content_type = "text/event-stream; charset=utf-8";
    part.head->headers.emplace_back("Cache-Control", "no-cache");
    part.head->headers.emplace_back("X-Accel-Buffering", "no");
    part.streaming = true;
  }
  return part;
}

void Generation::on_ready(std::function<void()> callback) {
  for (const auto& stream : streams_) {
    if (stream) stream->on_ready(callback);
  }
}

}  // namespace hangar
