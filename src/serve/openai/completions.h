// POST /v1/completions.
//
// Promise: OpenAI's behaviour, defaults and shapes. Choices of several prompts are counted through:
//   prompt p's choice i has index p * n + i. With best_of the n choices of the highest mean
//   log-probability per token are returned, the best first; the tokens of all are in usage.
// Errors: in OpenAI's envelope, with the field's name.
// Threads: any.
#pragma once

#include <string_view>

#include "serve/gateway.h"
#include "serve/http/message.h"

namespace hangar {

HandlerResult completions(Gateway& gateway, const HttpRequest& request, std::string_view captured);

}  // namespace hangar
