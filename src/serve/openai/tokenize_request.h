// TokenizeRequest, DetokenizeRequest: the bodies of POST /tokenize and /detokenize, checked.
//
// Promise: every field of the body is honoured, or known to change nothing, or refused by name.
// Errors: ApiError 400.
// Threads: any.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "serve/openai/api_error.h"
#include "text/tokenizer_spec.h"

namespace hangar {

struct TokenizeRequest {
  std::optional<std::string> model;
  // One of both.
  std::optional<std::string> prompt;
  std::optional<boost::json::array> messages;
  boost::json::object template_variables;  // with messages
  bool add_special_tokens = true;          // with messages: false, since templates write them
  bool return_token_strs = false;
};

struct DetokenizeRequest {
  std::optional<std::string> model;
  std::vector<TokenId> tokens;
};

ApiResult<TokenizeRequest> read_tokenize_request(const boost::json::object& body);
ApiResult<DetokenizeRequest> read_detokenize_request(const boost::json::object& body);

}  // namespace hangar
