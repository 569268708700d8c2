#include "serve/openai/api_error.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "text/stream_decoder.h"

namespace hangar {

namespace json = boost::json;

namespace {

json::value text_or_null(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  return json::string(to_valid_utf8(*text));
}

}  // namespace

json::object error_body(const ApiError& error) {
  json::object inner;
  inner["message"] = to_valid_utf8(error.message);
  inner["type"] = error.type;
  inner["param"] = text_or_null(error.param);
  inner["code"] = text_or_null(error.code);
  json::object body;
  body["error"] = std::move(inner);
  return body;
}

HttpResponse error_response(const ApiError& error) {
  HttpResponse response;
  response.status = error.status;
  response.body = json::serialize(error_body(error));
  if (error.status == 429 || error.status == 503) {
    response.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s));
  }
  // No standard, but what the official clients look at first.
  if (!error.retry) response.headers.emplace_back("X-Should-Retry", "false");
  return response;
}

ApiError api_error_of(const Error& error) {
  ApiError api;
  api.message = error.message;
  if (!error.field.empty()) api.param = error.field;
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
      break;
    case ErrorCode::kNotFound:
      api.status = 404;
      break;
    case ErrorCode::kResourceExhausted:
      api.status = 429;
      api.type = "rate_limit_error";
      api.code = "rate_limit_exceeded";
      break;
    case ErrorCode::kUnavailable:
    case ErrorCode::kCancelled:
      api.status = 503;
      api.type = "server_error";
      api.code = "unavailable";
      break;
    case ErrorCode::kDeadlineExceeded:
      api.status = 504;
      api.type = "server_error";
      api.code = "deadline_exceeded";
      break;
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      api.status = 500;
      api.type = "server_error";
      break;
  }
  return api;
}

}  // namespace hangar
