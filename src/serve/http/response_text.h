// The bytes of an answer: status line and headers (through Beast's fields), and chunks of a body.
//
// Promise: a head and what follows it are well-formed HTTP/1.1, or HTTP/1.0 where that was asked.
// Errors: none.
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace hangar {

struct ResponseFraming {
  bool http_1_1 = true;
  bool keep_alive = true;
  std::int64_t keep_alive_s = 75;             // told to clients, so that they never reuse too late
  std::optional<std::size_t> content_length;  // none: chunked, or until the end in HTTP/1.0
  std::string request_id;
};

// Status line and headers up to and with the empty line.
std::string response_head(const HttpResponse& response, const ResponseFraming& framing);
void append_chunk(std::string& out, std::string_view data);  // no data: nothing
void append_last_chunk(std::string& out);

}  // namespace hangar
