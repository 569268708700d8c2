// TimeLimit: until when a request must be answered, and who says so.
//
// Promise: the earliest of the server's limit (GatewayOptions::request_timeout_us), the header
//   X-Request-Timeout-Ms and the field timeout_s, counted from the request's arrival.
// Errors: ApiError 400 where the header is no whole number above 0.
// Threads: any.
#pragma once

#include <cstdint>

#include "serve/gateway.h"
#include "serve/openai/api_error.h"
#include "serve/openai/generation_fields.h"

namespace hangar {

struct TimeLimit {
  std::int64_t deadline_us = 0;  // on the Unix clock; 0: none
  bool of_client = false;        // the client's own: 408; else the server's: 504
};

ApiResult<TimeLimit> read_time_limit(const Gateway& gateway, const HttpRequest& request,
                                     const GenerationFields& fields, std::int64_t arrival_us);

// What a request that ran out of time is answered with.
ApiError expired_error(bool of_client);

}  // namespace hangar
