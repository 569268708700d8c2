// A request's body as a JSON object.
//
// Promise: what is accepted is strict JSON in UTF-8, nested at most kMaxDepth deep; of a key that
//   comes twice the last one counts.
// Errors: ApiError 400 with the line and column of what is wrong; 415 for another content type.
// Threads: any.
#pragma once

#include <boost/json/object.hpp>

#include "serve/http/message.h"
#include "serve/openai/api_error.h"

namespace hangar {

constexpr std::size_t kMaxJsonDepth = 64;

// No content type at all is taken for JSON, as are application/json and anything "+json".
ApiResult<boost::json::object> parse_json_body(const HttpRequest& request);

}  // namespace hangar
