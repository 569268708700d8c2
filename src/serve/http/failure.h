// Failures that the sockets themselves answer with, in OpenAI's envelope.
//
// Promise: values only; 5xx are the server's ("server_error"), the rest the client's.
// Errors: none.
// Threads: any.
#pragma once

#include <cstdint>
#include <string>

#include "serve/http/message.h"

namespace hangar {

HttpResponse failure_response(int status, std::string message);
HttpResponse stopping_response();
// "30 s", "0.1 s"
std::string seconds_text(std::int64_t time_us);

}  // namespace hangar
