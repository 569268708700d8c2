// ApiError: what a client did wrong or we could not do, in OpenAI's envelope.
//
// Promise: error_response is {"error": {"message", "type", "param", "code"}} with its status;
// `param`
//   names the field as the client wrote it ("messages[2].content").
// Threads: values.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "base/result.h"
#include "serve/http/message.h"

namespace hangar {

struct ApiError {
  int status = 400;
  std::string message = {};
  std::string type = "invalid_request_error";
  std::optional<std::string> param = {};
  std::optional<std::string> code = {};
  int retry_after_s = 1;  // told with 429 and 503
  bool retry = true;      // false: clients that would try again by themselves are told not to
};

template <typename T>
using ApiResult = tl::expected<T, ApiError>;

boost::json::object error_body(const ApiError& error);
HttpResponse error_response(const ApiError& error);
// An error from below, as the client sees it.
ApiError api_error_of(const Error& error);

}  // namespace hangar
