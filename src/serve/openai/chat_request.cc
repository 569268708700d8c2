#include "serve/openai/chat_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace hangar {

namespace json = boost::json;

namespace {

constexpr std::int64_t kMaxTopLogprobs = 20;

bool is_text_format(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr || object->size() != 1) return false;
  const json::value* type = object->if_contains("type");
  constexpr std::array<std::string_view, 1> kText{"text"};
  return type != nullptr && is_string_of(*type, kText);
}

bool is_text_only(const json::value& value) {
  const json::array* list = value.if_array();
  constexpr std::array<std::string_view, 1> kText{"text"};
  return list != nullptr && list->size() == 1 && is_string_of((*list)[0], kText);
}

bool is_none_or_auto(const json::value& value) {
  constexpr std::array<std::string_view, 2> kHarmless{"none", "auto"};
  return is_string_of(value, kHarmless);
}

bool is_none(const json::value& value) {
  constexpr std::array<std::string_view, 1> kNone{"none"};
  return is_string_of(value, kNone);
}

bool is_medium(const json::value& value) {
  constexpr std::array<std::string_view, 1> kMedium{"medium"};
  return is_string_of(value, kMedium);
}

bool is_default_tier(const json::value& value) {
  constexpr std::array<std::string_view, 2> kTiers{"auto", "default"};
  return is_string_of(value, kTiers);
}

constexpr std::array kClosedFields{
    ClosedField{"tools", &is_empty, "tools are not supported yet."},
    ClosedField{"tool_choice", &is_none_or_auto, "tools are not supported yet."},
    ClosedField{"functions", &is_empty, "functions are not supported."},
    ClosedField{"function_call", &is_none_or_auto, "functions are not supported."},
    ClosedField{"response_format", &is_text_format, "only {\"type\": \"text\"} is supported yet."},
    ClosedField{"modalities", &is_text_only, "only [\"text\"] is supported."},
    ClosedField{"audio", &never, "audio is not supported."},
    ClosedField{"prediction", &never, "predicted outputs are not supported."},
    ClosedField{"web_search_options", &never, "there is no web search."},
    ClosedField{"reasoning_effort", &is_none, "only \"none\" is supported yet."},
    ClosedField{"verbosity", &is_medium, "only \"medium\" is supported."},
    ClosedField{"moderation", &never, "there is no moderation."},
    ClosedField{"store", &is_false, "answers are not stored."},
    ClosedField{"service_tier", &is_default_tier, "only \"auto\" and \"default\" are supported."},
    ClosedField{"echo", &is_false, "only /v1/completions can echo its prompt."},
};

constexpr std::array kClosedMessageFields{
    ClosedField{"tool_calls", &is_empty, "tools are not supported yet."},
    ClosedField{"function_call", &never, "functions are not supported."},
    ClosedField{"audio", &never, "audio is not supported."},
    ClosedField{"refusal", &never, "refusals are not supported as input."},
};

// Fields that can't change an answer; their types are checked all the same.
void read_harmless_fields(FieldReader& reader) {
  reader.boolean("parallel_tool_calls");
  reader.string("safety_identifier");
  reader.string("prompt_cache_key");
  reader.string("prompt_cache_retention");
  reader.object("prompt_cache_options");
  const json::object* metadata = reader.object("metadata");
  if (metadata == nullptr) return;
  for (const auto& entry : *metadata) {
    if (entry.value().is_string()) continue;
    const std::string_view key(entry.key().data(), entry.key().size());
    reader.fail(invalid_type(reader.path_of("metadata") + "." + std::string(key), "a string",
                             entry.value()));
  }
}

ApiResult<json::string> read_parts(const json::array& parts, const std::string& path) {
  if (parts.empty()) {
    return tl::unexpected<ApiError>(invalid_value(
        path, "empty array. Expected an array with minimum length 1.", "empty_array"));
  }
  json::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string part_path = fmt::format("{}[{}]", path, i);
    const json::object* part = parts[i].if_object();
    if (part == nullptr) {
      return tl::unexpected<ApiError>(invalid_type(part_path, "an object", parts[i]));
    }
    FieldReader reader(*part, part_path);
    reader.require("type");
    const json::string* type = reader.string("type");
    if (type != nullptr && *type != "text") {
      return tl::unexpected<ApiError>(unsupported_parameter(
          part_path, fmt::format("content of type '{}' is not supported; only 'text' is.",
                                 std::string_view(type->data(), type->size()).substr(0, 40))));
    }
    if (part->if_contains("text") == nullptr) reader.require("text");
    const json::string* part_text = reader.string("text");
    if (const auto status = reader.finish(); !status) {
      return tl::unexpected<ApiError>(status.error());
    }
    if (part_text == nullptr) {
      return tl::unexpected<ApiError>(
          invalid_type(part_path + ".text", "a string", json::value(nullptr)));
    }
    // Parts are paragraphs to those who send them.
    if (i > 0) text.append("\n");
    text.append(*part_text);
  }
  return text;
}

ApiResult<json::string> read_content(const json::value& content, const std::string& path) {
  if (const json::string* text = content.if_string()) return *text;
  if (const json::array* parts = content.if_array()) return read_parts(*parts, path);
  return tl::unexpected<ApiError>(
      invalid_type(path, "a string or an array of content parts", content));
}

ApiResult<json::object> read_message(const json::value& value, const std::string& path) {
  const json::object* object = value.if_object();
  if (object == nullptr) return tl::unexpected<ApiError>(invalid_type(path, "an object", value));
  FieldReader reader(*object, path);
  reader.require("role");
  json::object message;
  std::string_view role;
  if (const json::string* text = reader.string("role")) {
    role = {text->data(), text->size()};
    constexpr std::array<std::string_view, 5> kRoles{"system", "developer", "user", "assistant",
                                                     "tool"};
    if (std::find(kRoles.begin(), kRoles.end(), role) == kRoles.end()) {
      reader.fail(invalid_value(
          path + ".role",
          fmt::format("'{}' is not one of 'system', 'developer', 'user', 'assistant', 'tool'.",
                      role.substr(0, 40))));
    }
    // OpenAI's newer name for the same thing; models' templates know the older one.
    message["role"] = role == "developer" ? "system" : role;
  }
  refuse_closed_fields(reader, kClosedMessageFields);
  reader.require("content");
  if (const json::value* content = reader.any("content")) {
    auto text = read_content(*content, path + ".content");
    if (text) {
      message["content"] = std::move(*text);
    } else {
      reader.fail(std::move(text.error()));
    }
  }
  if (const json::string* name = reader.string("name")) message["name"] = *name;
  if (role == "tool") {
    reader.require("tool_call_id");
    if (const json::string* id = reader.string("tool_call_id")) message["tool_call_id"] = *id;
  }
  if (const auto status = reader.finish(); !status) {
    return tl::unexpected<ApiError>(status.error());
  }
  return message;
}

// What only the model's template looks at. Names that the request has fields of its own for are
// refused: two values for one thing would hide one of them.
json::object read_template_variables(FieldReader& reader) {
  constexpr std::array<std::string_view, 4> kFields{"messages", "tools", "documents",
                                                    "add_generation_prompt"};
  json::object variables;
  if (const json::object* given = reader.object("chat_template_kwargs")) {
    variables = *given;
    for (const std::string_view name : kFields) {
      if (!variables.contains(name)) continue;
      reader.fail(
          invalid_value(fmt::format("{}.{}", reader.path_of("chat_template_kwargs"), name),
                        fmt::format("'{}' is a field of the request itself; set it there.", name)));
    }
  }
  if (const json::array* documents = reader.array("documents")) {
    for (std::size_t i = 0; i < documents->size(); ++i) {
      if ((*documents)[i].is_object()) continue;
      reader.fail(invalid_type(fmt::format("{}[{}]", reader.path_of("documents"), i), "an object",
                               (*documents)[i]));
    }
    variables["documents"] = *documents;
  }
  if (const auto prompt = reader.boolean("add_generation_prompt")) {
    variables["add_generation_prompt"] = *prompt;
  }
  return variables;
}

// max_completion_tokens and its older name max_tokens.
std::optional<std::int32_t> read_max_tokens(FieldReader& reader) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const auto older = reader.integer("max_tokens", 1, kMost);
  const auto newer = reader.integer("max_completion_tokens", 1, kMost);
  if (older && newer) {
    reader.fail(invalid_value(reader.path_of("max_tokens"),
                              "set either 'max_tokens' or 'max_completion_tokens', not both."));
  }
  const auto chosen = newer ? newer : older;
  if (!chosen) return std::nullopt;
  return static_cast<std::int32_t>(*chosen);
}

}  // namespace

ApiResult<json::array> read_messages(const json::array& messages, const std::string& path) {
  if (messages.empty()) {
    return tl::unexpected<ApiError>(invalid_value(
        path,
        "empty array. Expected an array with minimum length 1, but got an empty array instead.",
        "empty_array"));
  }
  json::array checked;
  checked.reserve(messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto message = read_message(messages[i], fmt::format("{}[{}]", path, i));
    if (!message) return tl::unexpected<ApiError>(std::move(message.error()));
    checked.push_back(std::move(*message));
  }
  return checked;
}

ApiResult<ChatRequest> read_chat_request(const json::object& body) {
  FieldReader reader(body);
  ChatRequest request;
  request.common = read_generation_fields(reader);
  reader.require("messages");
  if (const json::array* list = reader.array("messages")) {
    auto messages = read_messages(*list, "messages");
    if (messages) {
      request.messages = std::move(*messages);
    } else {
      reader.fail(std::move(messages.error()));
    }
  }
  request.template_variables = read_template_variables(reader);
  request.max_tokens = read_max_tokens(reader);
  if (request.max_tokens && request.common.min_tokens > *request.max_tokens) {
    reader.fail(invalid_value("min_tokens", "it is larger than the most tokens allowed."));
  }
  const bool logprobs = reader.boolean("logprobs").value_or(false);
  const auto top = reader.integer("top_logprobs", 0, kMaxTopLogprobs);
  if (logprobs) request.logprobs = static_cast<std::int32_t>(top.value_or(0));
  if (top && !logprobs) {
    reader.fail(
        invalid_value("top_logprobs", "'top_logprobs' is only allowed when 'logprobs' is true."));
  }
  refuse_closed_fields(reader, kClosedFields);
  read_harmless_fields(reader);
  if (const auto status = reader.finish(); !status) {
    return tl::unexpected<ApiError>(status.error());
  }
  return request;
}

}  // namespace hangar
