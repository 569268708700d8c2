// POST /v1/chat/completions.
//
// Promise: OpenAI's behaviour, defaults and shapes. The system role also answers to "developer".
// Errors: in OpenAI's envelope, with the field's name.
// Threads: any.
#pragma once

#include <string_view>

#include "serve/gateway.h"
#include "serve/http/message.h"

namespace hangar {

HandlerResult chat_completions(Gateway& gateway, const HttpRequest& request,
                               std::string_view captured);

}  // namespace hangar
