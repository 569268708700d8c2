// POST /tokenize and /detokenize, in vLLM's shapes: text or messages to token ids, ids to text.
//
// Promise: the ids are those that /v1/completions (prompt) and /v1/chat/completions (messages)
// would
//   compute; token_strs are in the vocabulary's own spelling. A prompt may be longer than the
//   context. `model` may be left out where there is one model only. Every other field is honoured
//   or refused by name.
// Errors: in OpenAI's envelope, with the field's name.
// Threads: any.
#pragma once

#include <string_view>

#include "serve/gateway.h"
#include "serve/http/message.h"

namespace hangar {

HandlerResult tokenize(Gateway& gateway, const HttpRequest& request, std::string_view captured);
HandlerResult detokenize(Gateway& gateway, const HttpRequest& request, std::string_view captured);

}  // namespace hangar
