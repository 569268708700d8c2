// ChatRequest: the body of POST /v1/chat/completions, checked.
//
// Promise: every field of the body is honoured, or known to change nothing, or refused by name.
// Errors: ApiError 400.
// Threads: any.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>

#include "serve/openai/generation_fields.h"

namespace hangar {

struct ChatRequest {
  GenerationFields common;
  boost::json::array messages;  // as templates see them: role, content as one string, name
  // What else the template sees: chat_template_kwargs, documents, add_generation_prompt.
  boost::json::object template_variables;
  std::optional<std::int32_t> max_tokens;  // none: all that the context leaves
  std::int32_t logprobs = -1;              // how many alternatives; -1: no log-probabilities
};

ApiResult<ChatRequest> read_chat_request(const boost::json::object& body);

// One list of messages, each checked; `path` is what they are called in errors.
ApiResult<boost::json::array> read_messages(const boost::json::array& messages,
                                            const std::string& path);

}  // namespace hangar
