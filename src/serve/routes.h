// Routes: the explicit list of what the door answers, and the way from a request to its handler.
//
// Promise: every request gets an answer: a handler's, or 404, or 405 with Allow. HEAD is answered
//   where GET is. The list is in routes.cc and nowhere else.
// Threads: any, several at once.
#pragma once

#include "serve/gateway.h"
#include "serve/http/message.h"

namespace hangar {

HandlerResult handle_request(Gateway& gateway, const HttpRequest& request);

}  // namespace hangar
