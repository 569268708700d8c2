#include "serve/openai/tokenize_request.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <utility>

#include "serve/openai/chat_request.h"
#include "serve/openai/field_reader.h"

namespace hangar {

namespace json = boost::json;

namespace {

constexpr std::array kClosedFields{
    ClosedField{"continue_final_message", &is_false, "an answer cannot be continued yet."},
    ClosedField{"chat_template", &never, "the model's own chat template is used."},
    ClosedField{"tools", &is_empty, "tools are not supported yet."},
    ClosedField{"mm_processor_kwargs", &is_empty, "only text is supported."},
};

std::optional<std::string> read_text(FieldReader& reader, std::string_view name) {
  const json::string* text = reader.string(name);
  if (text == nullptr) return std::nullopt;
  return std::string(text->data(), text->size());
}

void read_chat(FieldReader& reader, TokenizeRequest& request) {
  if (const json::array* list = reader.array("messages")) {
    auto messages = read_messages(*list, "messages");
    if (!messages) return reader.fail(std::move(messages.error()));
    request.messages = std::move(*messages);
  }
  if (const json::object* variables = reader.object("chat_template_kwargs")) {
    request.template_variables = *variables;
    for (const std::string_view name : {"messages", "tools", "add_generation_prompt"}) {
      if (!variables->contains(name)) continue;
      reader.fail(
          invalid_value(fmt::format("{}.{}", reader.path_of("chat_template_kwargs"), name),
                        fmt::format("'{}' is a field of the request itself; set it there.", name)));
    }
  }
  const auto generation_prompt = reader.boolean("add_generation_prompt");
  if (generation_prompt) request.template_variables["add_generation_prompt"] = *generation_prompt;
  if (!request.messages && (generation_prompt || !request.template_variables.empty())) {
    reader.fail(invalid_value(generation_prompt ? "add_generation_prompt" : "chat_template_kwargs",
                              "it is only allowed with 'messages'."));
  }
}

}  // namespace

ApiResult<TokenizeRequest> read_tokenize_request(const json::object& body) {
  FieldReader reader(body);
  TokenizeRequest request;
  request.model = read_text(reader, "model");
  request.prompt = read_text(reader, "prompt");
  read_chat(reader, request);
  if (!reader.failed() && request.prompt.has_value() == request.messages.has_value()) {
    if (request.prompt) {
      reader.fail(invalid_value("prompt", "set either 'prompt' or 'messages', not both."));
    } else {
      reader.require("prompt");
    }
  }
  request.add_special_tokens =
      reader.boolean("add_special_tokens").value_or(!request.messages.has_value());
  request.return_token_strs = reader.boolean("return_token_strs").value_or(false);
  refuse_closed_fields(reader, kClosedFields);
  if (const auto status = reader.finish(); !status) {
    return tl::unexpected<ApiError>(status.error());
  }
  return request;
}

ApiResult<DetokenizeRequest> read_detokenize_request(const json::object& body) {
  FieldReader reader(body);
  DetokenizeRequest request;
  request.model = read_text(reader, "model");
  reader.require("tokens");
  if (const json::array* list = reader.array("tokens")) {
    request.tokens.reserve(list->size());
    for (std::size_t i = 0; i < list->size() && !reader.failed(); ++i) {
      const std::string path = fmt::format("tokens[{}]", i);
      const std::int64_t* id = (*list)[i].if_int64();
      if (id == nullptr) {
        reader.fail(invalid_type(path, "a token id", (*list)[i]));
      } else if (*id < 0 || *id > std::numeric_limits<TokenId>::max()) {
        reader.fail(
            invalid_value(path, fmt::format("{} is not a token id.", *id), "invalid_token_id"));
      } else {
        request.tokens.push_back(static_cast<TokenId>(*id));
      }
    }
  }
  if (const auto status = reader.finish(); !status) {
    return tl::unexpected<ApiError>(status.error());
  }
  return request;
}

}  // namespace hangar
