#include "serve/openai/completion_request.h"

#include <fmt/format.h>

#include <array>
#include <limits>

namespace hangar {

namespace json = boost::json;

namespace {

constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMaxLogprobs = 5;
constexpr std::size_t kMaxPrompts = 2048;

bool is_empty_string(const json::value& value) {
  return value.is_string() && value.get_string().empty();
}

constexpr std::array kClosedFields{
    ClosedField{"suffix", &is_empty_string, "filling in before a suffix is not supported."},
    ClosedField{"store", &is_false, "answers are not stored."},
};

ApiResult<std::vector<TokenId>> read_ids(const json::array& list, const std::string& path) {
  std::vector<TokenId> ids;
  ids.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::int64_t* id = list[i].if_int64();
    const std::string item = fmt::format("{}[{}]", path, i);
    if (id == nullptr) {
      return tl::unexpected<ApiError>(invalid_type(item, "a token id", list[i]));
    }
    if (*id < 0 || *id > kMaxInt32) {
      return tl::unexpected<ApiError>(
          invalid_value(item, fmt::format("{} is not a token id.", *id), "invalid_token_id"));
    }
    ids.push_back(static_cast<TokenId>(*id));
  }
  return ids;
}

// A string, a list of strings, a list of ids or a list of lists of ids.
ApiResult<std::vector<CompletionPrompt>> read_prompts(const json::value* value) {
  std::vector<CompletionPrompt> prompts;
  if (value == nullptr) {
    // As OpenAI has it: the start of a new document.
    prompts.emplace_back(std::string());
    return prompts;
  }
  if (const json::string* text = value->if_string()) {
    prompts.emplace_back(std::string(text->data(), text->size()));
    return prompts;
  }
  const json::array* list = value->if_array();
  if (list == nullptr) {
    return tl::unexpected<ApiError>(
        invalid_type("prompt", "a string, an array of strings or an array of token ids", *value));
  }
  if (list->empty()) {
    return tl::unexpected<ApiError>(invalid_value(
        "prompt", "empty array. Expected an array with minimum length 1.", "empty_array"));
  }
  if (list->front().is_number()) {
    auto ids = read_ids(*list, "prompt");
    if (!ids) return tl::unexpected<ApiError>(std::move(ids.error()));
    prompts.emplace_back(std::move(*ids));
    return prompts;
  }
  if (list->size() > kMaxPrompts) {
    return tl::unexpected<ApiError>(invalid_value(
        "prompt", fmt::format("array too long. At most {} prompts are taken at once.", kMaxPrompts),
        "array_above_max_length"));
  }
  const bool texts = list->front().is_string();
  for (std::size_t i = 0; i < list->size(); ++i) {
    const json::value& item = (*list)[i];
    const std::string path = fmt::format("prompt[{}]", i);
    if (texts && item.is_string()) {
      prompts.emplace_back(std::string(item.get_string().data(), item.get_string().size()));
    } else if (!texts && item.is_array()) {
      auto ids = read_ids(item.get_array(), path);
      if (!ids) return tl::unexpected<ApiError>(std::move(ids.error()));
      prompts.emplace_back(std::move(*ids));
    } else {
      return tl::unexpected<ApiError>(
          invalid_type(path, texts ? "a string" : "a string or an array of token ids", item));
    }
  }
  return prompts;
}

void read_best_of(FieldReader& reader, CompletionRequest& request) {
  const std::int32_t returned = request.common.choices;
  const auto best_of = reader.integer("best_of", 1, kMaxChoices);
  request.best_of = static_cast<std::int32_t>(best_of.value_or(returned));
  if (request.best_of < returned) {
    reader.fail(invalid_value("best_of", fmt::format("it must be at least 'n' ({}).", returned)));
  } else if (request.best_of > returned && request.common.stream) {
    // Which choices are the best is known when all have ended.
    reader.fail(invalid_value("best_of", "more than 'n' can't be streamed."));
  }
}

}  // namespace

ApiResult<CompletionRequest> read_completion_request(const json::object& body) {
  FieldReader reader(body);
  CompletionRequest request;
  request.common = read_generation_fields(reader);
  auto prompts = read_prompts(reader.any("prompt"));
  if (prompts) {
    request.prompts = std::move(*prompts);
  } else {
    reader.fail(std::move(prompts.error()));
  }
  request.max_tokens =
      static_cast<std::int32_t>(reader.integer("max_tokens", 0, kMaxInt32).value_or(16));
  if (request.common.min_tokens > request.max_tokens) {
    reader.fail(invalid_value("min_tokens", "it is larger than 'max_tokens'."));
  }
  request.logprobs =
      static_cast<std::int32_t>(reader.integer("logprobs", 0, kMaxLogprobs).value_or(-1));
  request.echo = reader.boolean("echo").value_or(false);
  read_best_of(reader, request);
  refuse_closed_fields(reader, kClosedFields);
  if (const auto status = reader.finish(); !status) {
    return tl::unexpected<ApiError>(status.error());
  }
  return request;
}

}  // namespace hangar
