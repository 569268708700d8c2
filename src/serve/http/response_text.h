// The bytes of an answer: status line and headers, and chunks of a body.
//
// Promise: a head and what follows it are well-formed HTTP/1.1, or HTTP/1.0 where that was asked;
//   control characters in a header's value are left out, so that no value can end its line.
// Errors: none.
// Threads: any; an HttpDate is one thread's.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace hangar {

struct ResponseFraming {
  bool http_1_1 = true;
  bool keep_alive = true;
  std::int64_t keep_alive_s = 0;              // told to clients; 0: not told
  std::optional<std::size_t> content_length;  // none: chunked, or until the end in HTTP/1.0
  std::string_view request_id;
  std::string_view date;  // HttpDate's
};

// The time as a Date header has it, made anew once a second.
class HttpDate {
 public:
  std::string_view now();

 private:
  std::time_t made_at_ = -1;
  std::string text_;
};

// Status line and headers up to and with the empty line.
std::string response_head(const HttpResponse& response, const ResponseFraming& framing);
void append_chunk(std::string& out, std::string_view data);  // no data: nothing
void append_last_chunk(std::string& out);

}  // namespace hangar
