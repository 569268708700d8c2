#include "bench/openai/answer.h"

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <limits>

namespace hangar::bench {
namespace {

namespace json = boost::json;

std::int32_t count_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_int64()) return 0;
  return static_cast<std::int32_t>(
      std::clamp<std::int64_t>(value->get_int64(), 0, std::numeric_limits<std::int32_t>::max()));
}

std::optional<AnswerUsage> usage_of(const json::object& answer) {
  const json::value* value = answer.if_contains("usage");
  if (value == nullptr || !value->is_object()) return std::nullopt;
  const json::object& object = value->get_object();
  AnswerUsage usage;
  usage.prompt_tokens = count_at(object, "prompt_tokens");
  usage.completion_tokens = count_at(object, "completion_tokens");
  if (const json::value* details = object.if_contains("prompt_tokens_details");
      details != nullptr && details->is_object()) {
    usage.cached_tokens = count_at(details->get_object(), "cached_tokens");
  }
  return usage;
}

std::optional<std::string> error_in(const json::object& answer) {
  const json::value* error = answer.if_contains("error");
  if (error == nullptr || error->is_null()) return std::nullopt;
  if (error->is_string()) return std::string(error->get_string());
  if (const json::object* object = error->if_object()) {
    const json::value* message = object->if_contains("message");
    if (message != nullptr && message->is_string()) return std::string(message->get_string());
  }
  return json::serialize(*error);
}

bool is_text(const json::value* value) {
  return value != nullptr && value->is_string() && !value->get_string().empty();
}

// A delta, a message, or the choice itself.
bool holds_output(const json::object& object) {
  for (const char* key : {"content", "text", "reasoning_content", "reasoning", "refusal"}) {
    if (is_text(object.if_contains(key))) return true;
  }
  const json::value* calls = object.if_contains("tool_calls");
  return calls != nullptr && calls->is_array() && !calls->get_array().empty();
}

Result<AnswerPart> read_part(std::string_view text, const char* message_key) {
  // Chunks are small and many: they are read in this space, the heap is for the others.
  alignas(std::max_align_t) std::array<unsigned char, 8192> space;
  json::monotonic_resource memory(space.data(), space.size());
  boost::system::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error, &memory);
  if (error || !value.is_object()) {
    return make_error(ErrorCode::kCorrupt, "not a JSON object: {}", text.substr(0, 120));
  }
  const json::object& answer = value.get_object();
  AnswerPart part;
  part.error = error_in(answer);
  part.usage = usage_of(answer);
  const json::value* choices = answer.if_contains("choices");
  if (choices == nullptr || !choices->is_array()) {
    if (part.error || part.usage) return part;
    return make_error(ErrorCode::kCorrupt, "no choices in it: {}", text.substr(0, 120));
  }
  for (const json::value& choice : choices->get_array()) {
    const json::object* object = choice.if_object();
    if (object == nullptr) continue;
    const json::value* message = object->if_contains(message_key);
    const json::object* holder = message == nullptr ? object : message->if_object();
    part.has_output = part.has_output || (holder != nullptr && holds_output(*holder));
    const json::value* finish = object->if_contains("finish_reason");
    part.finished = part.finished || is_text(finish);
  }
  return part;
}

}  // namespace

Result<AnswerPart> read_chunk(std::string_view text) {
  return read_part(text, "delta");
}
Result<AnswerPart> read_answer(std::string_view text) {
  return read_part(text, "message");
}

std::string error_message_of(std::string_view body) {
  boost::system::error_code error;
  const json::value value = json::parse({body.data(), body.size()}, error);
  if (!error && value.is_object()) {
    const json::object& object = value.get_object();
    if (auto message = error_in(object)) return *message;
    for (const char* key : {"message", "detail"}) {
      const json::value* message = object.if_contains(key);
      if (is_text(message)) return std::string(message->get_string());
    }
  }
  return std::string(body.substr(0, 200));
}

}  // namespace hangar::bench
