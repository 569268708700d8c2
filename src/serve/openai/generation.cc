#include "serve/openai/generation.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <ctime>
#include <limits>
#include <numeric>
#include <utility>

#include "serve/openai/time_limit.h"
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

ApiError failure_of(const OutputPiece& end, bool deadline_of_client) {
  if (*end.finish == FinishReason::kExpired) return expired_error(deadline_of_client);
  Error error{ErrorCode::kInternal, "the model failed on this request"};
  if (*end.finish == FinishReason::kCancelled) {
    error = {ErrorCode::kCancelled, "the request was cancelled"};
  }
  if (!end.error.empty()) error.message += ": " + end.error;
  return api_error_of(error);
}

// Of the tokens that are part of the answer; the least where there are none.
double mean_logprob(const std::vector<OutputToken>& tokens) {
  double sum = 0;
  std::int64_t count = 0;
  for (const OutputToken& token : tokens) {
    if (token.from_prompt || !token.logprob) continue;
    sum += finite_logprob(*token.logprob);
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::lowest();
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
      event_tail_(options_.include_usage ? R"(],"usage":null})" : "]}"),
      open_(streams_.size()) {
  event_head_ = json::serialize(envelope());
  event_head_.back() = ',';  // of the envelope's brace
  event_head_ += R"("choices":[)";
  // All are looked at once; after that each tells of itself.
  for (std::size_t i = 0; i < streams_.size(); ++i) ready_->add(i);
}

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

void Generation::append_event(std::string& events, const json::object& choice) const {
  events += "data: ";
  events += event_head_;
  events += json::serialize(choice);
  events += event_tail_;
  events += "\n\n";
}

void Generation::take_end(std::size_t stream, const OutputPiece& piece) {
  usage_.prompt_tokens += piece.usage.prompt_tokens;
  usage_.cached_tokens += piece.usage.cached_tokens;
  usage_.completion_tokens += piece.usage.completion_tokens;
  streams_[stream].reset();
  --open_;
  if (piece.finish && !error_) {
    error_ = failure_of(piece, options_.deadline_of_client);
    spdlog::warn("{}: {}", id_, error_->message);
  }
}

void Generation::take(std::size_t stream, OutputPiece piece, std::string& events) {
  const auto index = static_cast<std::int32_t>(stream) * options_.choices_per_prompt + piece.choice;
  Choice& choice = choices_[static_cast<std::size_t>(index)];
  if (options_.stream) {
    format_->chunks(index, !choice.begun, piece,
                    [&](const json::object& chunk) { append_event(events, chunk); });
    choice.begun = true;
    return;
  }
  choice.text += piece.text;
  choice.tokens.insert(choice.tokens.end(), std::make_move_iterator(piece.tokens.begin()),
                       std::make_move_iterator(piece.tokens.end()));
  if (piece.finish) choice.finish = *piece.finish;
}

// Indices of choices_: all in order, or each prompt's best, the best first.
std::vector<std::size_t> Generation::returned_choices() const {
  std::vector<std::size_t> order(choices_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto computed = static_cast<std::size_t>(options_.choices_per_prompt);
  const auto returned = static_cast<std::size_t>(options_.returned_per_prompt);
  if (returned >= computed) return order;
  std::vector<double> means;
  means.reserve(choices_.size());
  for (const Choice& choice : choices_) means.push_back(mean_logprob(choice.tokens));
  std::vector<std::size_t> best;
  for (auto prompt = order.begin(); prompt != order.end();) {
    const auto next = prompt + static_cast<std::ptrdiff_t>(computed);
    std::stable_sort(prompt, next,
                     [&](std::size_t a, std::size_t b) { return means[a] > means[b]; });
    best.insert(best.end(), prompt, prompt + static_cast<std::ptrdiff_t>(returned));
    prompt = next;
  }
  return best;
}

ResponsePart Generation::whole_answer() {
  json::object object = envelope();
  json::array choices;
  std::int32_t index = 0;
  for (const std::size_t i : returned_choices()) {
    const Choice& choice = choices_[i];
    choices.push_back(format_->choice(index++, choice.text, choice.tokens, choice.finish));
  }
  object["choices"] = std::move(choices);
  object["usage"] = usage_object();
  ResponsePart part;
  part.head.emplace();
  part.head->body = json::serialize(object);
  part.done = true;
  return part;
}

ResponsePart Generation::failed_answer(std::string bytes) {
  ResponsePart part;
  part.done = true;
  if (!head_sent_) {
    part.head = error_response(*error_);
    return part;
  }
  part.bytes = std::move(bytes);
  append_data(part.bytes, json::serialize(error_body(*error_)));
  part.close = true;
  return part;
}

// All that the stream has; false: so much has come that the rest must wait.
bool Generation::drain(std::size_t stream, std::string& events) {
  while (streams_[stream] && !error_) {
    if (events.size() > kMaxEventBytes) return false;
    std::optional<OutputPiece> piece = streams_[stream]->next(0);
    if (!piece) {
      streams_[stream]->on_ready([ready = ready_, stream] { ready->add(stream); });
      return true;
    }
    if (piece->end) {
      take_end(stream, *piece);
    } else {
      take(stream, std::move(*piece), events);
    }
  }
  return true;
}

std::optional<ResponsePart> Generation::advance() {
  ResponsePart part;
  for (const std::size_t stream : ready_->take()) {
    if (!drain(stream, part.bytes)) ready_->add(stream);
  }
  if (error_) return failed_answer(std::move(part.bytes));
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
  ready_->on_ready(std::move(callback));
}

}  // namespace hangar
